"""LoRA in fewer passes on a CPU: PEFT's own numbers and gradients, and PEFT's own way for whatever is not plain."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from peft import LoraConfig, get_peft_model  # noqa: E402
from peft.tuners.lora import Linear  # noqa: E402

from socialr1_lite.policy import generation, load_policy, lora_products  # noqa: E402
from socialr1_lite.recipe import Model  # noqa: E402

NEVER = "the quick way was taken"


class Toy(torch.nn.Module):
    """Two linear layers, one with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Linear(12, 8), torch.nn.Linear(8, 5, bias=False)

    def forward(self, x: Any) -> Any:
        return self.last(torch.nn.functional.silu(self.first(x)))


def adapted(kind: Any = torch.float32, **changes: Any) -> Any:
    torch.manual_seed(0)
    lora = {"r": 3, "lora_alpha": 6, "target_modules": ["first", "last"], "lora_dropout": 0.0, **changes}
    model = get_peft_model(Toy().to(kind), LoraConfig(**lora))
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.data = torch.randn(weight.shape) * 0.3  # float32, as an adapter is trained
    return model


def gradients(model: Any, x: Any, *, rounded: bool = False) -> dict[str, Any]:
    x = x.clone().requires_grad_()
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=rounded):
        out = model(x)
    (out.float() ** 2).sum().backward()
    grads = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    return {"out": out.detach(), "x": x.grad, **grads}


@pytest.mark.parametrize("shape", [(12,), (7, 12), (2, 7, 12), (0, 12), (0, 3, 12)])
def test_what_is_computed_is_what_peft_computes(shape: tuple[int, ...]) -> None:
    model, x = adapted(), torch.randn(shape)
    theirs = gradients(model, x)
    lora_products.speed_up_cpu_training(model)
    ours = gradients(model, x)
    assert ours.keys() == theirs.keys() and len(ours) == 2 + 4
    for name, found in ours.items():
        assert found.shape == theirs[name].shape and found.dtype == theirs[name].dtype
        assert torch.allclose(found, theirs[name], rtol=1e-5, atol=1e-6), name


def test_rounded_to_bfloat16_it_is_no_farther_from_the_truth_than_peft() -> None:
    exact = adapted()
    model, x = adapted(torch.bfloat16), torch.randn(64, 12).bfloat16()
    for (_, weight), (_, rounded) in zip(exact.named_parameters(), model.named_parameters(), strict=True):
        weight.data = rounded.data.float()
    true = gradients(exact, x.float())
    theirs = gradients(model, x, rounded=True)
    lora_products.speed_up_cpu_training(model)
    ours = gradients(model, x, rounded=True)
    for name, right in true.items():
        assert ours[name].dtype == theirs[name].dtype
        off, peft = ((found[name].float() - right).norm() / right.norm() for found in (ours, theirs))
        assert off < 0.02 and off < 1.3 * peft + 1e-3, name


def test_a_product_by_hand() -> None:
    """x = 1, W = 2, b = 0.5, A = 3, B = 5, s = 0.5: y = 2 + 0.5 + 0.5 x 15 = 10; dx = 2 + 7.5, dA = 2.5, dB = 1.5."""
    x, a, up = (torch.tensor([[number]], requires_grad=True) for number in (1.0, 3.0, 5.0))
    y = lora_products._operation().apply(x, torch.tensor([[2.0]]), torch.tensor([0.5]), a, up, 0.5)
    y.sum().backward()
    assert (float(y.detach()), float(x.grad), float(a.grad), float(up.grad)) == (10.0, 9.5, 2.5, 1.5)


def with_another(model: Any) -> None:
    model.add_adapter("second", LoraConfig(r=2, target_modules=["first", "last"]))
    model.base_model.set_adapter(["default", "second"])


def unfrozen(model: Any) -> None:
    for module in model.modules():
        if type(module) is Linear:
            module.base_layer.weight.requires_grad_()


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({"lora_dropout": 0.5}, lambda model: None),
        ({"use_dora": True}, lambda model: None),
        ({"lora_bias": True}, lambda model: None),
        ({}, with_another),
        ({}, unfrozen),
        ({}, lambda model: model.merge_adapter()),
        ({}, lambda model: model.base_model.disable_adapter_layers()),
    ],
    ids=["dropout", "dora", "bias of the adapter", "two adapters", "trained weights", "merged", "switched off"],
)
def test_whatever_is_not_plain_is_left_to_peft(monkeypatch: Any, changes: dict[str, Any], then: Any) -> None:
    model, x = adapted(**changes), torch.randn(4, 12)
    then(model)
    model.eval()
    theirs = model(x)
    lora_products.speed_up_cpu_training(model)
    monkeypatch.setattr(lora_products, "_operation", lambda: pytest.fail(NEVER))
    assert torch.equal(model(x), theirs)


def test_a_switched_adapter_comes_back(monkeypatch: Any) -> None:
    model, x = adapted(), torch.randn(4, 12)
    lora_products.speed_up_cpu_training(model)
    with model.disable_adapter():
        base = model(x)
    taken: list[int] = []
    quick = lora_products._operation()
    monkeypatch.setattr(lora_products, "_operation", lambda: taken.append(1) or quick)
    assert not torch.allclose(model(x), base) and len(taken) == 2


def test_a_policy_on_a_cpu_trains_so(tiny_model: Any) -> None:
    settings = {"name": str(tiny_model), "backend": "transformers", "dtype": "float32"}
    policy = load_policy(Model.model_validate(settings), trainable=True)
    layers = [module for module in policy.model.modules() if type(module) is Linear]
    assert layers and all("forward" in vars(layer) for layer in layers)


# --- weights that are laid out once


@pytest.fixture
def rounded() -> Any:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no products in bfloat16")
    return torch.nn.Sequential(torch.nn.Linear(96, 64), torch.nn.Linear(64, 32, bias=False)).bfloat16()


@pytest.mark.parametrize("rows", [1, 12, generation.FEW, generation.FEW + 1])
def test_products_by_weights_that_are_laid_out_are_the_same(rounded: Any, rows: int) -> None:
    x = torch.randn(rows, 1, 96).bfloat16()
    with torch.no_grad():
        plain = rounded(x)
        with generation.packed_weights(rounded):
            assert all("forward" in vars(layer) for layer in rounded)
            assert torch.allclose(rounded(x).float(), plain.float(), rtol=2**-7, atol=2**-7)
    assert not any("forward" in vars(layer) for layer in rounded)


def test_weights_of_before_are_not_multiplied_by_after_a_change(rounded: Any) -> None:
    x = torch.randn(3, 96).bfloat16()
    with torch.no_grad():
        with generation.packed_weights(rounded):
            before = rounded(x)
        rounded[0].weight.mul_(-3)
        with generation.packed_weights(rounded):
            assert not torch.allclose(rounded(x).float(), before.float(), atol=0.1)


def test_gradients_are_never_taken_through_a_layout(rounded: Any) -> None:
    x = torch.randn(3, 96).bfloat16().requires_grad_()
    with generation.packed_weights(rounded):
        rounded(x).sum().backward()
    assert x.grad.abs().sum() > 0 and rounded[0].weight.grad is not None
