"""A merged cold start and the adapter above it, as the one adapter that a server can lay on the bare base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy.stacking import CONFIG, WEIGHTS, rank_of, served_rank, stack

torch = pytest.importorskip("torch")


def adapted(base: Path, seed: int, **lora: object) -> object:
    """The tiny model in float32 with a random adapter whose B is not zero."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(**lora))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model


def logits(model: object) -> object:
    with torch.no_grad():
        return model.eval()(torch.tensor([[5, 9, 17, 40, 3]])).logits  # type: ignore[operator]


@pytest.fixture(scope="module")
def two(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A cold start's adapter, one trained above it on other layers, in another rank and scaling, and the base."""
    where = tmp_path_factory.mktemp("two")
    adapted(tiny_model, 1, r=4, lora_alpha=12, target_modules=["q_proj", "up_proj"]).save_pretrained(where / "cold")
    second = {"r": 3, "lora_alpha": 6, "use_rslora": True, "target_modules": ["q_proj", "down_proj"]}
    adapted(tiny_model, 2, **second).save_pretrained(where / "above")
    return where / "cold", where / "above", tiny_model


def test_one_adapter_does_what_the_second_does_on_a_base_with_the_first_merged_in(
    two: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    cold, above, base = two

    def plain() -> object:
        return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)

    merged = PeftModel.from_pretrained(plain(), cold).merge_and_unload()
    wanted = logits(PeftModel.from_pretrained(merged, above))
    one = stack(cold, above, tmp_path / "one")
    got = logits(PeftModel.from_pretrained(plain(), one))
    assert torch.allclose(got, wanted, atol=1e-4)
    assert not torch.allclose(got, logits(PeftModel.from_pretrained(plain(), above)), atol=1e-2)
    assert (rank_of(one), served_rank(rank_of(one))) == (7, 8)


def test_what_is_no_plain_lora_is_refused_with_what_to_do(two: tuple[Path, Path, Path], tmp_path: Path) -> None:
    cold, above, _ = two
    odd = tmp_path / "odd"
    odd.mkdir()
    for name in (CONFIG, WEIGHTS):
        (odd / name).write_bytes((cold / name).read_bytes())
    config = json.loads((odd / CONFIG).read_bytes())
    (odd / CONFIG).write_text(json.dumps(config | {"use_dora": True}))
    with pytest.raises(PolicyError, match="use_dora is set, so it is no plain LoRA; export the run with --to merged"):
        stack(odd, above, tmp_path / "out")
    (odd / CONFIG).write_text(json.dumps(config))
    (odd / WEIGHTS).unlink()
    with pytest.raises(PolicyError, match=r"holds no adapter_model\.safetensors; export the run with --to merged"):
        stack(odd, above, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("rank", "room"), [(1, 8), (8, 8), (9, 16), (32, 32), (48, 64), (512, 512)])
def test_a_rank_gets_the_room_that_a_server_knows(rank: int, room: int) -> None:
    assert served_rank(rank) == room


def test_a_rank_that_no_server_takes_is_refused() -> None:
    with pytest.raises(PolicyError, match="rank 512 at most, not 513"):
        served_rank(513)


def written(folder: Path, source: Path, config: bytes) -> Path:
    folder.mkdir()
    (folder / WEIGHTS).write_bytes((source / WEIGHTS).read_bytes())
    (folder / CONFIG).write_bytes(config)
    return folder


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"r": None}, "given r 'None' and lora_alpha '12'"),
        ({"r": "four"}, "given r 'four'"),
        ({"r": 0}, "given r '0'"),
        ({"r": -4}, "given r '-4'"),
        ({"r": 4.0}, "given r '4.0'"),
        ({"r": True}, "given r 'True'"),
        ({"r": [4]}, r"given r '\[4\]'"),
        ({"r": 5}, "says rank 5; one of them is damaged"),
        ({"lora_alpha": None}, "lora_alpha 'None'"),
        ({"lora_alpha": "x" * 999}, "lora_alpha 'x{40}'"),
        ({"lora_alpha": {}}, "lora_alpha '{}'"),
        ({"lora_alpha": float("nan")}, "lora_alpha 'nan'"),
    ],
)
def test_a_damaged_configuration_is_one_clear_line(
    two: tuple[Path, Path, Path], tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    cold, above, _ = two
    config = json.loads((cold / CONFIG).read_bytes()) | changes
    damaged = written(tmp_path / "damaged", cold, json.dumps(config).encode())
    for pair in ((damaged, above), (above, damaged)):
        with pytest.raises(PolicyError, match=told) as caught:
            stack(*pair, tmp_path / "one")
        assert "\n" not in str(caught.value) and str(damaged) in str(caught.value)
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("config", [b"", b"[]", b"7", b"null", b"{}", b"\xff{", b'{"r": 4}', b"[" * 200_000])
def test_a_configuration_that_is_none_is_one_clear_line(
    two: tuple[Path, Path, Path], tmp_path: Path, config: bytes
) -> None:
    with pytest.raises(PolicyError, match=r"adapter_config.json cannot be read; name a folder written by a run$"):
        rank_of(written(tmp_path / "damaged", two[0], config))


def test_what_is_gone_or_cut_is_one_clear_line(two: tuple[Path, Path, Path], tmp_path: Path) -> None:
    cold, above, _ = two
    damaged = written(tmp_path / "damaged", cold, (cold / CONFIG).read_bytes())
    (damaged / WEIGHTS).write_bytes((cold / WEIGHTS).read_bytes()[:-9])
    with pytest.raises(PolicyError, match=r"adapter_model.safetensors cannot be read \(.*\); name a folder"):
        stack(damaged, above, tmp_path / "one")
    (damaged / CONFIG).unlink()
    with pytest.raises(PolicyError, match=r"adapter_config.json cannot be read"):
        stack(damaged, above, tmp_path / "one")
