"""What a launch refuses before it loads a weight, and what it leaves in the folder when it fails before its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from socialr1_lite.errors import MachineError, PolicyError, RecipeError, RunLogError
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import MetricsWriter, Newest, RunFolder, TraceWriter, mark_complete, read_traces, write_json
from socialr1_lite.scenario import Scenario
from socialr1_lite.train import run_recipe
from socialr1_lite.training import folder, session
from socialr1_lite.training.heldout import COLD_START, UNTRAINED, HeldoutChecks
from socialr1_lite.training.ranks import LAUNCHED, Ranks
from socialr1_lite.training.session import Training
from tests.conftest import SCENARIO
from tests.runlogs import trace


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """A run folder in which the default recipe has made a step."""
    run = RunFolder.create(tmp_path / "begun")
    run.recipe.write_text(Recipe().to_yaml())
    MetricsWriter(run).write(1, {"reward": 0.1})
    return run.path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grpo": {"beta": 0.1}}, "differs in: grpo.beta"),
        ({"run": {"seed": 1}}, "differs in: run.seed"),
        ({"run": {"save_steps": 5}}, "differs in: run.save_steps"),
        ({"run": {"resume": "never"}}, "run.resume: never, and"),
        ({"run": {"processes": 4}}, "torchrun --nproc_per_node 4"),
    ],
)
def test_a_launch_that_does_not_fit_the_folder_is_refused(started: Path, change: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        run_recipe(Recipe.model_validate(change), run_dir=started)


def test_a_root_below_the_home_folder_makes_no_folder_named_tilde(started: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(started.parents[1]))
    root = f"~/{started.parent.name}"
    with pytest.raises(RecipeError, match=rf"^{started} holds a run of another recipe"):
        run_recipe(Recipe.model_validate({"run": {"root": root, "name": started.name, "seed": 1}}))


@pytest.mark.parametrize("name, value", [("ACCELERATE_USE_FSDP", "true"), ("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")])
def test_weights_shared_out_over_processes_are_refused(started: Path, monkeypatch, name: str, value: str) -> None:
    """The first process would wait for the others at its held-out check, for ever."""
    monkeypatch.setenv(name, value)
    with pytest.raises(RecipeError, match="share the weights out"):
        run_recipe(Recipe(), run_dir=started)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"WORLD_SIZE": "2"}, r"^WORLD_SIZE: left over .* \(RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT not set"),
        ({"LOCAL_RANK": "0"}, "`unset LOCAL_RANK`"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "`unset RANK WORLD_SIZE`, or for several processes torchrun"),
        ({"WORLD_SIZE": "two"}, "^WORLD_SIZE: left over"),
        (dict.fromkeys(LAUNCHED, "3"), r"\(RANK=3, WORLD_SIZE=3\)"),
        (dict.fromkeys(LAUNCHED, "x"), r"\(RANK=x, WORLD_SIZE=x\)"),
    ],
)
def test_what_a_launcher_left_over_is_refused(started: Path, monkeypatch, left: dict[str, str], said: str) -> None:
    """This process would wait three hours for others that nobody starts, or fail in some library."""
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RecipeError, match=said):
        run_recipe(Recipe(), run_dir=started)


def test_one_process_of_its_own_is_not_refused(started: Path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(RecipeError, match=r"differs in: run\.seed"):
        run_recipe(Recipe.model_validate({"run": {"seed": 1}}), run_dir=started)


def test_deepspeed_that_keeps_weights_whole_is_not_refused(started: Path, monkeypatch) -> None:
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    with pytest.raises(RecipeError, match=r"differs in: run\.seed"):
        run_recipe(Recipe.model_validate({"run": {"seed": 1}}), run_dir=started)


def attempted(path: Path, scenario: Scenario) -> RunFolder:
    """What a launch leaves that is refused by its preflight: the recipe, the data, a held-out check."""
    run = RunFolder.create(path)
    folder.write_recipe(run, Recipe(), [scenario])
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as traces:
        traces.write([trace(phase="eval", benchmark="heldout: untrained"), trace(step=0)])
    write_json(run.path / "summary.json", {"version": 1, "checks": []})
    return run


OTHER = Recipe.model_validate({"run": {"seed": 1}})


@pytest.mark.parametrize("below", [".", ".."])
def test_a_scratch_folder_that_holds_something_else_loses_nothing(tmp_path, below) -> None:
    run = RunFolder.create(tmp_path / "runs" / "mine")
    recipe = Recipe.model_validate({"run": {"scratch": str(run.path.parent / below)}})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    folder.write_recipe(run, recipe, [SCENARIO])
    assert run.recipe.is_file() and (tmp_path / "mine" / "thesis.tex").is_file()


def test_each_run_makes_its_checkpoints_in_a_folder_of_its_own(tmp_path) -> None:
    recipe = Recipe.model_validate({"run": {"scratch": str(tmp_path)}})
    one, other = (folder.made_in(RunFolder(tmp_path / root / "mine"), recipe) for root in "ab")
    assert one != other and one.parent == other.parent == tmp_path


def test_a_corrected_recipe_begins_anew_where_no_work_would_be_lost(tmp_path: Path, scenario: Scenario) -> None:
    run = attempted(tmp_path / "run", scenario)
    folder.refuse_another_recipe(run, OTHER)
    folder.write_recipe(run, OTHER, [Scenario.from_row(scenario.to_row() | {"question": "Another question?"})])
    assert load_recipe(run.recipe).digest == OTHER.digest
    assert [one.question for one in run.read_scenarios()] == ["Another question?"]
    assert list(read_traces(run)) == [] and run.launches() == []
    assert not (run.path / "summary.json").exists()


def test_corrected_data_begin_anew_where_no_work_would_be_lost(tmp_path: Path, scenario: Scenario) -> None:
    run = attempted(tmp_path / "run", scenario)
    changed = Scenario.from_row(scenario.to_row() | {"question": "Another question?"})
    folder.write_recipe(run, Recipe(), [changed])
    assert list(run.read_scenarios()) == [changed]
    assert load_recipe(run.recipe).digest == Recipe().digest


def test_the_same_recipe_goes_on_with_what_was_checked(tmp_path: Path, scenario: Scenario) -> None:
    run = attempted(tmp_path / "run", scenario)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    folder.write_recipe(run, Recipe(), [scenario])
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def a_file(name: str) -> Callable[[RunFolder], None]:
    def write(run: RunFolder) -> None:
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_text("{}")

    return write


def a_checkpoint(run: RunFolder) -> None:
    a_file("checkpoints/checkpoint-1/trainer_state.json")(run)
    mark_complete(run, run.checkpoints / "checkpoint-1")


def a_later_completion(run: RunFolder) -> None:
    with TraceWriter(run) as traces:
        traces.write([trace(step=1)])


WORK = {
    "a cold start": a_file("cold_start/adapter_config.json"),
    "an adapter": a_file("adapter/adapter_config.json"),
    "labels": a_file("labels/me.jsonl"),
    "a logged step": lambda run: MetricsWriter(run).write(1, {"reward": 0.1}),
    "a checkpoint": a_checkpoint,
    "a step that was not logged": a_later_completion,
}


@pytest.mark.parametrize("work", WORK)
def test_another_recipe_or_other_data_are_refused_where_work_would_be_lost(
    tmp_path: Path, scenario: Scenario, work: str
) -> None:
    run = attempted(tmp_path / "run", scenario)
    WORK[work](run)
    with pytest.raises(RecipeError, match=r"another recipe \(differs in: run\.seed\)"):
        folder.refuse_another_recipe(run, OTHER)
    with pytest.raises(RunLogError, match="other content"):
        folder.write_recipe(run, Recipe(), [Scenario.from_row(scenario.to_row() | {"question": "Another?"})])


def test_a_mistake_that_only_data_or_model_show_leaves_no_recipe(tiny_model: Path, tmp_path: Path) -> None:
    def recipe(model: object, **data: object) -> Recipe:
        return Recipe.model_validate(
            {
                "model": {"name": str(model), "backend": "transformers", "max_seq_length": 4000},
                "data": {"size": 2, "heldout": 0, "orders": [1], "dimensions": ["belief"], **data},
                "grpo": {"max_steps": 1, "num_generations": 2, "per_device_train_batch_size": 2},
                "evaluation": {"items": 0},
            }
        )

    (tmp_path / "no-model").mkdir()
    with pytest.raises(PolicyError, match=r"model\.name: cannot load"):
        run_recipe(recipe(tmp_path / "no-model"), run_dir=tmp_path / "run")
    with pytest.raises(RecipeError, match="fewer than the shortest of 2 prompts"):
        run_recipe(recipe(tiny_model, max_prompt_tokens=9), run_dir=tmp_path / "run")
    assert not RunFolder.open(tmp_path / "run").recipe.exists()


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        (0, ["preflight", "trainer", UNTRAINED]),  # the trainer's engine samples, where it has one
        (
            5,
            [UNTRAINED, "cold start", "preflight", "trainer", COLD_START],
        ),  # untrained, it would say what the cold start mends
    ],
)
def test_the_preflight_comes_before_a_check_that_it_may_make_needless(
    tmp_path: Path, monkeypatch, steps: int, order: list[str]
) -> None:
    made: list[str] = []
    recipe = Recipe.model_validate({"warmup": {"steps": steps}})
    monkeypatch.setattr(Training, "_preflight", lambda *_: made.append("preflight"))
    monkeypatch.setattr(Training, "_cold_start", lambda *_: made.append("cold start"))
    checks = HeldoutChecks(None, recipe, None, Progress(), ())
    monkeypatch.setattr(HeldoutChecks, "make", lambda _self, _policy, label, _step, _traces: made.append(label))
    launch = Training(recipe, RunFolder.create(tmp_path / "run"), RewardStack(recipe.rewards), Progress(), Ranks(0, 1))
    launch._before_grpo(None, [], checks, None)
    monkeypatch.setattr("socialr1_lite.data.asked.planned", lambda *_: [])
    monkeypatch.setattr(Training, "_trainer", lambda *_: made.append("trainer"))
    quiet = SimpleNamespace(log=lambda _check: None)
    monkeypatch.setattr("socialr1_lite.training.session.Trackers", lambda *_: quiet)
    with pytest.raises(AttributeError):  # there is none
        launch._grpo(None, [], Newest(None, 0), checks, None, 0)
    assert made == order


def test_a_command_line_that_is_no_utf_8_is_kept_readably(tmp_path: Path, monkeypatch) -> None:
    """The file of a recipe may have any bytes in its name; the launch failed once the model was loaded."""
    monkeypatch.setattr("sys.argv", ["train", "odd\udcff.yaml"])
    monkeypatch.setattr(Training, "_train", lambda launch: launch.run.begin_launch(0, session._command()))
    recipe, run = Recipe(), RunFolder.create(tmp_path / "run")
    launch = Training(recipe, run, RewardStack(recipe.rewards), Progress(), Ranks(0, 1))
    launch.train()
    assert [one.command for one in run.launches()] == [("train", "odd\ufffd.yaml")]

    def fail(_: Training) -> None:
        raise OSError(28, "No space left on device", "odd\udcff.yaml")

    monkeypatch.setattr(Training, "_train", fail)
    with pytest.raises(MachineError):
        launch.train()
    assert run.state()["status"] == "failed" and "odd\ufffd.yaml: No space left" in run.state()["error"]
