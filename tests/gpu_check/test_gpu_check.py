"""The check for the first person with a GPU, as far as a CPU and a tiny model can tell."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from socialr1_lite.doctor import __main__ as doctor
from socialr1_lite.errors import PolicyError
from socialr1_lite.gpu_check import __main__ as command_line
from socialr1_lite.gpu_check import trials as made
from socialr1_lite.gpu_check.__main__ import check, in_a_process, line, main, table, with_real_prompts
from socialr1_lite.gpu_check.trials import PARTS, Trial, no_room, random_weights, small, trials
from socialr1_lite.gpu_check.verdicts import (
    CLOSE,
    TrialFinding,
    memory_as_planned,
    settings_as_written,
    step_seconds,
    time_as_planned,
    traces_agree,
    trained,
)
from socialr1_lite.plan.architectures import ARCHITECTURES
from socialr1_lite.plan.hardware import GIB, a_cpu, find_gpu
from socialr1_lite.plan.memory import memory
from socialr1_lite.plan.timing import phases
from socialr1_lite.runlog import MetricsWriter, RunFolder

CPU = a_cpu(64 * GIB, bfloat16=True)
T4, A100 = find_gpu("t4"), find_gpu("a100-80")


def named(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(made.importlib.util, "find_spec", lambda name: name if name in packages else None)


def test_without_a_gpu_only_the_first_trial_is_done_and_the_others_say_why(tmp_path: Path) -> None:
    found = list(trials(CPU, tmp_path))
    assert [trial.skipped for trial in found] == ["", *["no GPU"] * 4]
    assert found[0].interrupted and found[0].recipe.model.load_in_4bit


def test_without_the_embedded_model_one_of_its_size_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert next(trials(CPU, tmp_path)).model is None
    named(monkeypatch, "unsloth")
    first = next(trials(T4, tmp_path))
    assert first.model is first.architecture is ARCHITECTURES["smollm2-135m"] and first.interrupted
    assert first.recipe.model.name == str(tmp_path / "smollm2-135m") and first.recipe.model.load_in_4bit
    assert next(trials(T4, tmp_path, model="mine")).recipe.model.name == "mine"


def test_every_trial_belongs_to_a_part(tmp_path: Path) -> None:
    assert {trial.name.partition(",")[0] for trial in trials(CPU, tmp_path)} == set(PARTS[1:])


def test_only_the_parts_that_are_asked_for_and_none_when_the_time_is_over(tmp_path: Path) -> None:
    rows, environments = check(tmp_path, only=["smollm2", "qwen3-4b"], minutes=0)
    assert [row.trial.partition(",")[0] for row in rows] == ["smollm2", "qwen3-4b", "qwen3-4b"] and not environments
    assert rows[0].verdict == "skipped" and "no time was left" in rows[0].told


def test_a_part_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "imports,memory"])
    assert "--only: no part is called memory; there are imports, smollm2, " in capsys.readouterr().err


def test_prompts_are_measured_as_training_asks_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    class Tokenizer:
        def __init__(self, source: str, **options: object) -> None:
            self.options = options

        def apply_chat_template(self, messages: list[dict[str, str]], **settings: object) -> str:
            given.append(self.options | settings)
            return "a prompt"

        def __call__(self, texts: list[str], *, add_special_tokens: bool) -> dict[str, list[range]]:
            assert set(texts) == {"a prompt"} and not add_special_tokens
            return {"input_ids": [range(100) for _ in texts]}

    tokenizers = SimpleNamespace(from_pretrained=Tokenizer)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoTokenizer=tokenizers))
    recipe = small(CPU, str(tmp_path))
    model = recipe.model.model_copy(update={"revision": "abc"})
    prompt = recipe.prompt.model_copy(update={"enable_thinking": False, "chat_template_kwargs": {"tone": "calm"}})
    recipe = with_real_prompts(recipe.model_copy(update={"model": model, "prompt": prompt}))
    assert recipe.data.max_prompt_tokens == 100
    asked = {"revision": "abc", "enable_thinking": False, "tone": "calm", "add_generation_prompt": True}
    assert given and all(asked.items() <= one.items() for one in given)


def test_with_a_gpu_all_are_done_where_vllm_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "unsloth", "vllm")
    monkeypatch.setattr(made, "no_room", lambda *_: "")
    found = list(trials(A100, tmp_path))
    assert len(found) == 5 and not any(trial.skipped for trial in found)
    assert [trial.recipe.model.fast_inference for trial in found] == [False, False, True, False, True]
    named(monkeypatch, "unsloth")
    assert [trial.skipped for trial in trials(A100, tmp_path)].count("vllm is not installed") == 2


def test_the_large_model_is_quantised_where_it_would_not_fit_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "unsloth")
    monkeypatch.setattr(made, "no_room", lambda *_: "")
    large = ARCHITECTURES["qwen3-4b"]
    wide, _ = random_weights(A100, large, tmp_path, vllm=False)
    narrow, skipped = random_weights(find_gpu("8gb"), large, tmp_path, vllm=False)
    assert not wide.model.load_in_4bit and narrow.model.load_in_4bit and not skipped
    _, skipped = random_weights(find_gpu("8gb"), ARCHITECTURES["qwen3-8b"], tmp_path, vllm=False)
    assert "not even in 4 bits" in skipped


def test_weights_are_not_written_to_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_model = ARCHITECTURES["smollm2-135m"]
    for free, full in ((1_000, True), (10**12, False)):
        monkeypatch.setattr(made.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        words = no_room(tmp_path, small_model)
        assert "are free in" in words if full else words == ""


# --- verdicts


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "run")
    metrics = MetricsWriter(folder, launch=0)
    for step, seconds in enumerate((30.0, 40.0, 52.0, 61.0), 1):
        metrics.write(step, {"elapsed_s": seconds, "grad_norm": 0.1})
    return folder


def finish(run: RunFolder, *, moved: bool = True) -> None:
    from safetensors.numpy import save_file

    run.adapter.mkdir(exist_ok=True)
    layer = "base_model.model.q_proj"
    weights = {f"{layer}.lora_A.weight": np.ones((2, 3)), f"{layer}.lora_B.weight": np.full((3, 2), float(moved))}
    save_file(weights, run.adapter / "adapter_model.safetensors")
    run.set_state("completed", step=4)


def test_a_run_counts_as_trained_only_when_it_is_whole(run: RunFolder) -> None:
    recipe = small(CPU)
    assert trained(recipe, run)[0] == "fail"
    finish(run, moved=False)
    assert trained(recipe, run)[:2] == ("fail", "4 of 4 steps, 4 of GRPO with a gradient; the adapter did not move")
    finish(run)
    assert trained(recipe, run)[0] == "pass"
    longer = recipe.model_copy(update={"grpo": recipe.grpo.model_copy(update={"max_steps": 5})})
    assert trained(longer, run)[0] == "fail"


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1 + CLOSE, "pass"), (1.3, "fail"), (0.7, "fail")])
def test_memory_passes_within_the_stated_share(factor: float, verdict: str) -> None:
    recipe = small(T4)
    predicted = memory(recipe, ARCHITECTURES["smollm2-135m"], T4).peak
    found, words, figures = memory_as_planned(recipe, Trial("", recipe), {"peak_bytes": predicted / factor}, T4)
    assert found == verdict and f"ratio {factor:.2f}" in words
    assert figures["predicted_bytes"] == predicted


def test_a_step_cannot_be_quicker_than_its_bound(run: RunFolder) -> None:
    recipe = small(T4)
    trial = Trial("", recipe)
    assert time_as_planned(recipe, trial, run, CPU)[0] == "skipped"
    assert time_as_planned(recipe, trial, run, T4)[::2] == (
        "pass",
        {
            "measured_s": 10.0,
            "bound_s": sum(phase.seconds for phase in phases(recipe, ARCHITECTURES["smollm2-135m"], T4)),
        },
    )
    run.metrics.unlink()
    assert time_as_planned(recipe, trial, run, T4)[0] == "fail"


def test_a_resume_does_not_count_as_a_step() -> None:
    assert step_seconds([10.0, 14.0, 3.0, 9.0]) == 5.0  # 4 and 6; 14 to 3 is another launch
    assert step_seconds([]) == 0.0


def test_a_setting_that_came_out_otherwise_is_named(run: RunFolder) -> None:
    run.effective.write_text(yaml.safe_dump({"differences": {}}))
    assert settings_as_written(run)[0] == "pass"
    run.effective.write_text(yaml.safe_dump({"differences": {"beta": {"recipe": 0.0, "effective": 0.001}}}))
    assert settings_as_written(run)[:2] == ("fail", "beta: 0.001 instead of 0.0")


@pytest.mark.slow
def test_traces_that_are_missing_fail(run: RunFolder) -> None:
    (run.path / "recipe.yaml").write_text(small(CPU).to_yaml())
    verdict, words, _ = traces_agree(small(CPU), run)
    assert verdict == "fail" and words.startswith("0 of 16 completions")


def test_the_table_counts() -> None:
    rows = [
        TrialFinding("a", "trained", "pass", "4 of 4 steps", {}),
        TrialFinding("b", "trained", "skipped", "no GPU", {}),
    ]
    assert table(rows).splitlines()[-1] == "  1 pass, 0 fail, 1 skipped"
    assert line(rows[1], 4) == "  skipped b   trained             no GPU"


def test_the_doctor_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr("socialr1_lite.gpu_check.__main__.main", lambda argv: given.append(argv) or 1)
    monkeypatch.setattr("sys.argv", ["doctor", "--gpu-check", "--out", "x.json"])
    assert doctor.main() == 1 and given == [["--out", "x.json"]]


# --- for real


@pytest.mark.slow
def test_a_random_model_decodes_every_word_it_can_say(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer

    from socialr1_lite.gpu_check.random_model import make_random_model
    from socialr1_lite.plan.architectures import Architecture, read_config

    wanted = Architecture("wanted", 50_000, 16, 1, 2, 1, 8, 32, tied=True, head_norms=True)
    make_random_model(tmp_path / "wanted", wanted)
    assert read_config(tmp_path / "wanted" / "config.json") == wanted
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "wanted")
    assert len(tokenizer) == 50_000 and tokenizer.decode([49_999]) == "<|unused_49999|>"
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False).endswith("<|im_end|>\n")
    assert AutoConfig.from_pretrained(tmp_path / "wanted").eos_token_id == tokenizer.eos_token_id
    in_a_process(
        "random_model", str(tmp_path / "wanted"), str(tmp_path / "again"), until=time.monotonic() + 300
    )  # as the check does
    assert read_config(tmp_path / "again" / "config.json") == replace(wanted, name="again")


@pytest.mark.slow
def test_the_whole_check_runs_on_a_tiny_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Killed, resumed, compared: every row but the memory's must pass (a tiny model is all libraries)."""
    monkeypatch.setattr(made, "PROMPT_TOKENS", 3900)  # it reads bytes
    out = tmp_path / "gpu-check.json"
    main(["--out", str(out), "--folder", str(tmp_path / "runs"), "--model", str(tiny_model)])
    output = json.loads(out.read_text())
    rows = {row["what"]: row for row in output["rows"] if row["trial"].startswith("smollm2")}
    assert list(rows) == [
        "killed",
        "trained",
        "memory",
        "step time",
        "effective settings",
        "traces",
        "resumed",
    ]
    assert {what: row["verdict"] for what, row in rows.items() if what != "memory"} == {
        "killed": "pass",
        "trained": "pass",
        "step time": "skipped",
        "effective settings": "pass",
        "traces": "pass",
        "resumed": "pass",
    }, rows
    assert output["machine"]["versions"]["trl"] and output["version"]
    assert [one["repository"] for one in output["environments"].values()] == [str(tiny_model)]
    assert capsys.readouterr().out.count("no GPU") == 4


def test_the_file_explains_a_trial_that_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(place: Path, until: float) -> None:
        RunFolder.create(place / "run").environment.write_text('{"repository": "unsloth/x-bnb-4bit"}')
        raise PolicyError("status 2: out of memory")

    monkeypatch.setattr(command_line, "train", broken)
    monkeypatch.setattr(command_line, "interrupt", lambda trial, *_: TrialFinding(trial.name, "killed", "pass", "", {}))
    monkeypatch.setattr(command_line, "with_real_prompts", lambda recipe: recipe)
    out = tmp_path / "gpu-check.json"
    assert main(["--out", str(out), "--folder", str(tmp_path / "runs"), "--only", "smollm2,qwen3-4b"]) == 1
    output = json.loads(out.read_text())
    assert output["environments"] == {"smollm2, 4-bit": {"repository": "unsloth/x-bnb-4bit"}}
    assert {"torch_cuda", "driver"} <= output["machine"].keys()


@pytest.mark.slow
def test_a_trial_that_breaks_is_a_row(tmp_path: Path) -> None:
    rows, _ = check(tmp_path, model=str(tmp_path / "nowhere"), only=PARTS[1:])
    assert rows[0].verdict == "fail" and "nowhere" in rows[0].told
    assert [row.verdict for row in rows[1:]] == ["skipped"] * 4
