"""Out of memory, wherever it is: one line, whose remedies the same folder takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from socialr1_lite.errors import MachineError, lack_of, machine_errors, ran_out_of_memory
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import MetricsWriter, RunFolder
from socialr1_lite.training import folder, session, shortage
from socialr1_lite.training.heldout import HeldoutChecks
from socialr1_lite.training.ranks import Ranks
from tests.conftest import SCENARIO

WORDS = [  # of libraries that have none of the standard errors for it
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    ),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    RuntimeError("unable to mmap 8 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
    MemoryError(),
    OSError(12, "Cannot allocate memory"),
    RuntimeError("std::bad_alloc"),
]


def allocate(*_: object, **__: object) -> None:
    """Ask for more than any machine has: torch's own error, in its own words."""
    torch.empty(1 << 50, dtype=torch.uint8)


@pytest.mark.parametrize("error", WORDS, ids=str)
def test_it_is_recognised_in_every_librarys_words(error: Exception) -> None:
    assert ran_out_of_memory(error)
    assert lack_of(error).startswith("out of memory (") and "\n" not in lack_of(error)


def test_torch_on_this_machine_says_it_in_one_of_these_words() -> None:
    with pytest.raises(MachineError, match=r"^out of memory \("), machine_errors():
        allocate()


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), OSError("no such host"), ValueError("memory")])
def test_what_is_no_lack_stays_what_it_is(error: Exception) -> None:
    assert not ran_out_of_memory(error) and lack_of(error) == ""
    with pytest.raises(type(error)) as kept, machine_errors():
        raise error
    assert kept.value is error


def recipe(**settings: dict) -> Recipe:
    tree = {"warmup": {"steps": 2, "batch_size": 4}, "evaluation": {"items": 1}, "data": {"heldout": 1}}
    return Recipe.model_validate(tree | settings)


def remedies(text: str) -> tuple[list[str], list[str]]:
    """The overrides of each remedy for this run, and of each for a new one."""
    here, _, anew = text.partition("in a new run (run.name=ANOTHER)")
    return [re.findall(r"[a-z]+\.\w+=\S+", part) for part in (here, anew)]


def worked(path: Path, settings: Recipe) -> RunFolder:
    """A run that would lose a step were it begun anew."""
    run = RunFolder.create(path)
    run.recipe.write_text(settings.to_yaml())
    MetricsWriter(run).write(1, {"reward": 0.1})
    return run


PLACES = ("MODEL", "COLD_START", "CHECK", "SAMPLING", "STEP")
SETTINGS = [
    {},
    {"grpo": {"per_device_train_batch_size": 7, "num_generations": 7, "gradient_accumulation_steps": 1}},
    {"grpo": {"per_device_train_batch_size": 1, "num_generations": 2, "gradient_accumulation_steps": 2}},
    {
        "grpo": {"per_device_train_batch_size": 6, "num_generations": 4, "steps_per_generation": 4},
        "run": {"save_steps": 4},
    },
    {"warmup": {"steps": 2, "merge": True, "batch_size": 1}, "evaluation": {"items": 1, "batch_size": 1}},
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_each_remedy_is_one_that_the_same_folder_takes(tmp_path: Path, place: str, settings: dict) -> None:
    """Halving a batch was refused as another recipe, or was no half: 7 became 3 and twice the steps of it 6."""
    mine = recipe(**settings)
    run = worked(tmp_path / "run", mine)
    (tmp_path / "mine.yaml").write_text(mine.to_yaml())
    said = shortage.remedy(mine, run, getattr(shortage, place))
    here, anew = remedies(said)
    assert here or anew or said == "a smaller model or a larger machine is needed"
    for override in anew:  # holds together, and is another training
        assert load_recipe(tmp_path / "mine.yaml", [override]).digest != mine.digest
    if here:
        for wanted in [one for one in here if not one.startswith("grpo.")]:
            folder.refuse_another_recipe(run, load_recipe(tmp_path / "mine.yaml", [wanted]))
        changed = load_recipe(tmp_path / "mine.yaml", here)
        folder.refuse_another_recipe(run, changed)
        folder.write_recipe(run, changed, [SCENARIO])
        assert run.recipe.read_text() == mine.to_yaml()
        assert changed.completions_per_step == mine.completions_per_step
        assert changed.groups_per_generation == mine.groups_per_generation


def test_a_folder_without_work_takes_every_remedy(tmp_path: Path) -> None:
    here, anew = remedies(shortage.remedy(recipe(), RunFolder.create(tmp_path / "run"), shortage.COLD_START))
    assert "warmup.batch_size=2" in here and not anew


STAGES = {
    "while the model was loaded": ("load_policy", lambda launch: launch._load_policy()),
    "in the cold start": ("sft.cold_start", lambda launch: launch._cold_start(None, [])),
    "in the preflight": ("preflight", lambda launch: launch._preflight(None, [])),
}


@pytest.mark.parametrize("where", STAGES)
def test_every_stage_says_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    name, stage = STAGES[where]
    monkeypatch.setattr(f"socialr1_lite.training.session.{name}", allocate)
    mine = recipe()
    launch = session.Training(
        mine, RunFolder.create(tmp_path / "run"), RewardStack(mine.rewards), Progress(), Ranks(0, 1)
    )
    with pytest.raises(MachineError, match=rf"^out of memory {where} \(.*; write .* and start again") as refused:
        stage(launch)
    assert "\n" not in str(refused.value)


def test_a_held_out_check_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socialr1_lite.training.heldout.check_heldout", allocate)
    mine = recipe()
    checks = HeldoutChecks(RunFolder.create(tmp_path / "run"), mine, RewardStack(mine.rewards), Progress(), [SCENARIO])
    with pytest.raises(
        MachineError, match=r"^out of memory in the held-out check, step 2 \(.*evaluation\.batch_size=16"
    ):
        checks.make(None, "step 2", 2, None)


def test_what_the_machine_lacked_is_written_into_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.Training, "_train", allocate)
    mine = recipe()
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(MachineError):
        session.Training(mine, run, RewardStack(mine.rewards), Progress(), Ranks(0, 1)).train()
    assert run.state()["status"] == "failed" and "out of memory" in run.state()["error"]
