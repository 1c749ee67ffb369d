"""What this machine's GPUs cannot do, with queries of torch.cuda and the driver that are faked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import backends, gpus, load_policy, loading, machine
from socialr1_lite.policy.gpus import settle_dtype
from socialr1_lite.recipe import Model, load_recipe
from socialr1_lite.training.grpo_config import precision

torch = pytest.importorskip("torch")

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
T4, RTX_3070, A100, L4, H200, RTX_5090 = (7, 5), (8, 6), (8, 0), (8, 9), (9, 0), (12, 0)


def a_card(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None, count: int = 1) -> None:
    """Let torch.cuda answer as on a machine with such a card; None: none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count if capability else 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")


def loaded(dtype: str, *, quantized: bool, device: str = "cuda:0") -> SimpleNamespace:
    config = SimpleNamespace(dtype=getattr(torch, dtype))
    return SimpleNamespace(model=SimpleNamespace(config=config), quantized=quantized, device=device)


@pytest.mark.parametrize("capability", [T4, A100, RTX_3070, L4, H200, RTX_5090])
@pytest.mark.parametrize("quantized", [True, False])
def test_the_policys_own_type_decides_the_precision_on_every_card(monkeypatch, capability, quantized) -> None:
    a_card(monkeypatch, capability)
    assert precision(loaded("float16", quantized=quantized)) == {"bf16": False, "fp16": True}
    assert precision(loaded("bfloat16", quantized=quantized)) == {"bf16": True, "fp16": False}
    assert precision(loaded("float32", quantized=quantized)) == {"bf16": False, "fp16": False}


def test_bfloat16_becomes_float16_on_a_card_without_it_and_that_is_said(monkeypatch) -> None:
    a_card(monkeypatch, T4)
    wanted = load_recipe(RECIPES / "l4_24gb_qwen3_4b.yaml", ["model.dtype=bfloat16"]).model
    model, notes = settle_dtype(wanted, "unsloth", trainable=True)
    assert model.dtype == "float16"
    assert notes == (
        "model.dtype: Tesla T4 (compute capability 7.5) has no bfloat16, which begins with 8.0: float16 instead",
    )
    a_card(monkeypatch, L4)
    assert settle_dtype(wanted, "unsloth", trainable=True) == (wanted, ())


@pytest.mark.parametrize("capability", [T4, A100, RTX_3070, L4, H200, RTX_5090])
@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_loads_and_trains_in_a_type_that_the_card_has(monkeypatch, path, capability) -> None:
    a_card(monkeypatch, capability)
    model, _ = settle_dtype(load_recipe(path, []).model, "unsloth", trainable=True)
    assert model.dtype in ("auto", "float16") if capability < (8, 0) else True
    if path.stem.startswith("colab_t4"):  # made for a T4; runs on a newer card as it is
        assert model.dtype == "float16"


def test_only_recipes_that_name_a_card_name_its_type() -> None:
    for path in RECIPES.glob("*.yaml"):
        named = any(card in path.name for card in ("t4", "a100", "l4", "h100"))
        assert named or load_recipe(path).model.dtype == "auto", path.name


def test_auto_in_plain_transformers_is_what_the_card_has(monkeypatch) -> None:
    model = Model(backend="transformers")
    a_card(monkeypatch, T4)
    assert settle_dtype(model, "transformers", trainable=True)[0].dtype == "float16"
    a_card(monkeypatch, A100)
    assert settle_dtype(model, "transformers", trainable=True)[0].dtype == "auto"
    a_card(monkeypatch, None)
    assert settle_dtype(model, "transformers", trainable=True)[0].dtype == "auto"


def test_a_model_that_overflows_in_float16_is_refused_in_plain_transformers(monkeypatch) -> None:
    a_card(monkeypatch, T4)
    model = Model(name="google/gemma-3-4b-it", dtype="bfloat16")
    with pytest.raises(PolicyError, match=r"model\.dtype: google/gemma-3-4b-it overflows.*float32") as caught:
        settle_dtype(model, "transformers", trainable=True)
    assert "\n" not in str(caught.value)
    assert settle_dtype(model, "unsloth", trainable=True)[0].dtype == "float16"


# --- a driver that torch cannot use


def a_driver(monkeypatch: pytest.MonkeyPatch, version: str, cuda: str | None) -> None:
    a_card(monkeypatch, None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    answer = SimpleNamespace(stdout=f"{version}, Tesla T4\n{version}, Tesla T4\n")
    monkeypatch.setattr(gpus.subprocess, "run", lambda *_, **__: answer)


@pytest.mark.parametrize(
    ("version", "cuda", "words"),
    [
        (
            "535.104.05",
            "13.0",
            r"driver 535\.104\.05 .*\(built for CUDA 13\.0\).*install the CUDA 12\.6 build of torch",
        ),
        ("580.95.05", None, r"\(a build without CUDA\).*install the CUDA 13\.0 build of torch .*pytorch\.org"),
        ("470.10", "13.0", r"update the driver to 525 or newer"),
        ("580.95.05", "13.0", r"this build suits the driver.*nvidia-smi"),
    ],
)
def test_training_stops_where_torch_cannot_use_the_driver(monkeypatch, tmp_path, version, cuda, words) -> None:
    from socialr1_lite.training.session import run_recipe

    a_driver(monkeypatch, version, cuda)
    with pytest.raises(PolicyError, match=f"Tesla T4 with NVIDIA .*{words}.*CUDA_VISIBLE_DEVICES= before") as caught:
        run_recipe(load_recipe(RECIPES / "cpu_smollm2.yaml"), run_dir=tmp_path / "run")
    assert "\n" not in str(caught.value) and "http" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_gpus_that_are_hidden_on_purpose_hinder_nothing(monkeypatch, hidden) -> None:
    a_driver(monkeypatch, "535.104.05", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    gpus.refuse_unusable_driver()


# --- the backend beside a GPU


def test_auto_does_not_fall_back_beside_a_gpu(monkeypatch) -> None:
    monkeypatch.setattr(backends, "_unsloth_problem", lambda: "unsloth does not import here: no triton")
    a_card(monkeypatch, A100)
    with pytest.raises(PolicyError, match=r"no triton.*model\.backend: transformers") as caught:
        backends.choose_backend("auto")
    assert "\n" not in str(caught.value)
    assert backends.choose_backend("transformers") == "transformers"
    a_card(monkeypatch, None)
    assert backends.choose_backend("auto") == "transformers"


@pytest.mark.parametrize("dtype", ["auto", "bfloat16", "float16"])
def test_a_4_bit_model_in_float16_is_refused_in_plain_transformers(monkeypatch, dtype) -> None:
    a_card(monkeypatch, T4)
    model = Model(load_in_4bit=True, dtype=dtype)
    with pytest.raises(PolicyError, match=r"model\.load_in_4bit: .*bfloat16.*GradScaler.*model\.backend: unsloth"):
        settle_dtype(model, "transformers", trainable=True)
    assert settle_dtype(model, "transformers", trainable=False)[0].dtype == "float16"  # it can be asked all the same
    settle_dtype(model, "unsloth", trainable=True)


def test_one_process_beside_several_gpus_is_refused_in_plain_transformers(monkeypatch, tmp_path) -> None:
    a_card(monkeypatch, T4, count=2)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    wanted = Model(name=str(tmp_path / "never looked for"), backend="transformers")
    with pytest.raises(PolicyError, match=r"2 GPUs.*CUDA_VISIBLE_DEVICES=0.*torchrun --nproc_per_node 2"):
        load_policy(wanted, trainable=True)
    gpus.refuse_idle_gpus("unsloth")
    monkeypatch.setenv("WORLD_SIZE", "2")
    gpus.refuse_idle_gpus("transformers")
    monkeypatch.delenv("WORLD_SIZE")
    a_card(monkeypatch, T4)
    gpus.refuse_idle_gpus("transformers")


def test_4_bits_that_came_as_16_are_refused(monkeypatch, tiny_model) -> None:
    """Unsloth prints a line where bitsandbytes does not work, and loads the whole model."""
    whole = Model(name=str(tiny_model), dtype="float32")
    monkeypatch.setattr(loading, "choose_backend", lambda _: "unsloth")
    monkeypatch.setattr(loading, "_load_unsloth", lambda _model, source, seed: loading._load_plain(whole, source, seed))
    with pytest.raises(
        PolicyError, match=r"model\.load_in_4bit: .* came in 16 bits, because bitsandbytes does not work"
    ):
        load_policy(whole.model_copy(update={"load_in_4bit": True}))
    assert not load_policy(whole).quantized


# --- vLLM


@pytest.mark.parametrize("trainable", [True, False])
def test_vllm_is_started_for_training_alone(monkeypatch, tiny_model, trainable) -> None:
    asked = []

    def load(model: Model, source: str, seed: int) -> None:
        asked.append(loading._vllm_settings(model))
        raise OSError("as far as this test goes")

    monkeypatch.setattr(loading, "choose_backend", lambda _: "unsloth")
    monkeypatch.setattr(loading, "_load_unsloth", load)
    wanted = Model(name=str(tiny_model), fast_inference=True)
    with pytest.raises(PolicyError, match="as far as"):
        load_policy(wanted, trainable=trainable)
    assert [bool(one.get("fast_inference")) for one in asked] == [trainable]


# --- what explains a failure


def test_the_environment_names_what_has_broken_runs(monkeypatch) -> None:
    a_driver(monkeypatch, "535.104.05", "12.6")
    monkeypatch.setattr(machine.importlib.metadata, "version", lambda package: f"9.{len(package)}")
    found = machine.describe_machine()
    assert found["driver"] == "535.104.05" and found["torch_cuda"] == "12.6"
    assert {"vllm", "triton", "torchao", "xformers"} <= found["versions"].keys()


@pytest.mark.parametrize(
    ("came_from", "settings", "honoured"),
    [
        ("Qwen/Qwen3-4B", {}, None),
        ("Qwen/Qwen3-4B", {"revision": "abc"}, True),
        ("unsloth/qwen3-4b-unsloth-bnb-4bit", {"revision": "abc", "load_in_4bit": True}, False),
        ("Qwen/Qwen3-4B", {"revision": "abc", "fast_inference": True}, False),
    ],
)
def test_the_repository_that_was_really_loaded_is_noted(monkeypatch, came_from, settings, honoured) -> None:
    kind = type("Linear4bit" if settings.get("load_in_4bit") else "Plain", (torch.nn.Linear,), {})
    model = kind(1, 1)
    model.config = SimpleNamespace(_name_or_path=came_from)
    made = model, SimpleNamespace(pad_token="x")
    monkeypatch.setattr(loading, "choose_backend", lambda _: "unsloth")
    monkeypatch.setattr(loading, "_load_unsloth", lambda *_: made)
    monkeypatch.setattr(loading, "add_lora", lambda *_, **__: None)
    policy = load_policy(Model(name="Qwen/Qwen3-4B", **settings), trainable=True)
    facts = machine.describe_policy(policy)
    assert (facts["repository"], facts["revision_honoured"]) == (came_from, honoured)
    assert any("was not honoured" in note for note in policy.notes) is (honoured is False)
