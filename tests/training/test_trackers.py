"""Trackers through transformers' own callbacks, each against a fake of the tracker's module that records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from socialr1_lite.errors import RecipeError
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import RunFolder, read_metrics
from socialr1_lite.training.trackers import Trackers
from tests import fake_trackers, launches
from tests.hub_server import TOKEN, serving
from tests.tiny import make_tiny_model

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("wandb", "mlflow", "trackio")
SMALL = {"data": {"size": 40, "heldout": 4}, "evaluation": {"items": 4}}


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """The folder of the fakes, in front of whatever is installed."""
    fake_trackers.write(tmp_path / "fakes")
    monkeypatch.syspath_prepend(str(tmp_path / "fakes"))
    yield tmp_path / "fakes"
    for name in [name for name in sys.modules if name.partition(".")[0] in NAMES]:
        del sys.modules[name]


def recipe(*names: str) -> Recipe:
    return Recipe.model_validate(SMALL | {"logging": {"report_to": names}})


class Trainer:
    """What Trackers sees of transformers' trainer; arguments, configurations and callbacks are the real ones."""

    def __init__(self, tmp_path: Path, name: str) -> None:
        import peft
        import transformers
        from transformers.integrations.integration_utils import get_reporting_integration_callbacks
        from transformers.trainer_callback import CallbackHandler

        self.args = transformers.TrainingArguments(
            output_dir=str(tmp_path / "hidden-by-the-environment"),
            report_to=[name],
            run_name="tiny",
            use_cpu=True,
            hub_token=TOKEN,
            lr_scheduler_kwargs={"api_key": "a-key-in-the-arguments"},
        )
        config = transformers.LlamaConfig(api_key="a-key-of-the-model")
        lora = peft.LoraConfig(base_model_name_or_path=f"https://me:{TOKEN}@host/model")
        self.model = SimpleNamespace(config=config, peft_config={"default": lora}, num_parameters=lambda: 3)
        self.state, self.control = transformers.TrainerState(), transformers.TrainerControl()
        self.callbacks = CallbackHandler(get_reporting_integration_callbacks([name]), self.model, None, None, None)

    def pop_callback(self, kind: type) -> object:
        return self.callbacks.pop_callback(kind)


@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_is_told_everything_but_secrets(fakes, tmp_path, monkeypatch, name):
    monkeypatch.setenv("SOME_TOKEN", "hidden-by-the-environment")
    monkeypatch.setattr(sys, "argv", ["train", "judge.api_key=on-the-command-line"])
    trainer = Trainer(tmp_path, name)
    trackers = Trackers(trainer, recipe(name), tmp_path / "tensorboard", print)
    trackers.log({"reward": 0.5, "part/x": 1.0})
    trainer.state.global_step = 3
    trackers.log({"eval/accuracy": 0.25})
    trackers.close()
    rows = fake_trackers.told(fakes)
    assert [row["what"] for row in rows] == ["begin", "config", "log", "log", "end"]
    assert rows[0]["value"].get("name", rows[0]["value"].get("run_name")) == "tiny"
    config = rows[1]["value"]
    assert config["learning_rate"] == trainer.args.learning_rate and config["hidden_size"] == 4096
    first, second = (row["value"] for row in rows[2:4])
    reward, accuracy = ("reward", "eval_accuracy") if name == "mlflow" else ("train/reward", "eval/accuracy")
    assert first[reward] == 0.5 and second == {accuracy: 0.25, "train/global_step": 3}
    told = json.dumps(rows)
    for secret in (TOKEN, "a-key-in", "a-key-of", "on-the-command-line", "hidden-by-the-environment"):
        assert secret not in told
    # Training itself goes on with what it was given.
    assert sys.argv[1:] and trainer.args.hub_token == TOKEN and trainer.model.config.api_key == "a-key-of-the-model"
    assert trainer.args.report_to == [] and not trainer.callbacks.callbacks


def test_tensorboard_writes_beside_the_checkpoints_whose_folder_may_be_emptied(fakes, tmp_path, monkeypatch):
    told: list[object] = []

    class SummaryWriter:
        def __init__(self, log_dir: str) -> None:
            told.append(log_dir)

        def add_text(self, name: str, text: str) -> None:
            told.append(text)

        def add_scalar(self, *row: object) -> None:
            told.append(row)

        def flush(self) -> None: ...

        close = flush

    (fakes / "tensorboard").mkdir()
    (fakes / "tensorboard" / "__init__.py").write_text("")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=SummaryWriter))
    trackers = Trackers(Trainer(tmp_path, "tensorboard"), recipe("tensorboard"), tmp_path / "tensorboard", print)
    trackers.log({"eval/accuracy": 0.5})
    assert told[0] == str(tmp_path / "tensorboard") and told[-1] == ("eval/accuracy", 0.5, 0)
    assert len(told) == 4 and "a-key" not in str(told) and TOKEN not in str(told)


def test_two_runs_of_one_process_are_two_runs_of_the_tracker(fakes, tmp_path):
    for _ in range(2):
        Trackers(Trainer(tmp_path, "wandb"), recipe("wandb"), tmp_path / "tensorboard", print).close()
    assert [row["what"] for row in fake_trackers.told(fakes)].count("begin") == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_that_cannot_begin_is_one_line(fakes, tmp_path, monkeypatch, name):
    monkeypatch.setenv("TRACKER_FAILS", "begin")
    with pytest.raises(RecipeError, match=f"logging.report_to: {name} did not begin: it is away") as told:
        Trackers(Trainer(tmp_path, name), recipe(name), tmp_path / "tensorboard", print)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("what", ["log", "end"])
def test_a_tracker_that_goes_away_ends_no_training_and_is_told_once(fakes, tmp_path, monkeypatch, what):
    monkeypatch.setenv("TRACKER_FAILS", what)
    said: list[str] = []
    trackers = Trackers(Trainer(tmp_path, "trackio"), recipe("trackio"), tmp_path / "tensorboard", said.append)
    trackers.log({"reward": 1.0})
    trackers.log({"reward": 2.0})
    trackers.close()
    assert said == ["note: logging.report_to: trackio is told nothing more: it is away"]


# --- before a training begins


def missing(name: str, monkeypatch) -> None:
    from socialr1_lite.plan import checking

    found = checking.find_spec
    monkeypatch.setattr(checking, "find_spec", lambda asked: None if asked == name else found(asked))


@pytest.mark.parametrize("name", [*NAMES, "tensorboard"])
def test_a_tracker_that_is_not_installed_is_refused_with_the_line_to_type(monkeypatch, name):
    missing(name, monkeypatch)
    with pytest.raises(RecipeError, match=rf"logging\.report_to\[0\]: {name} is not installed: pip install {name}"):
        check_recipe(recipe(name))


def test_the_folder_that_wandb_leaves_is_not_taken_for_wandb(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "wandb" / "offline-run-1").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(RecipeError, match="wandb is not installed"):
        check_recipe(recipe("wandb"))


def test_trackers_that_are_there_are_taken(fakes):
    check_recipe(recipe(*NAMES))


def test_an_unknown_tracker_is_refused_at_check_and_at_the_start(tmp_path):
    for more in (["--check"], []):
        command = [
            sys.executable,
            "-m",
            "socialr1_lite.train",
            "recipes/cpu_smollm2.yaml",
            "logging.report_to=[wandbb]",
        ]
        done = subprocess.run([*command, *more], cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "logging.report_to[0]" in done.stderr and "did you mean wandb?" in done.stderr


# --- a whole training


@pytest.mark.slow
def test_a_training_reaches_tracker_and_hub_and_a_resume_goes_on(tmp_path):
    fake_trackers.write(tmp_path / "fakes", "wandb")
    settings = launches.recipe(str(make_tiny_model(tmp_path / "model", ends=60))).model_dump(mode="json")
    settings["model"] |= {"backend": "transformers", "dtype": "float32"}
    settings["evaluation"]["every"] = 0
    settings["grpo"]["max_steps"] = 4
    settings["logging"]["report_to"] = ["wandb"]
    settings["run"] |= {"push_to_hub": "me/mine"}
    path = tmp_path / "recipe.yaml"
    command = [sys.executable, "-m", "socialr1_lite.train", path, "--run-dir", tmp_path / "run"]
    with serving() as hub:
        environment = {"PYTHONPATH": str(tmp_path / "fakes"), "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN}
        environment["HF_HUB_OFFLINE"] = "0"  # CI's longer tests set it
        for hours in (0.0001, None):  # stopped after the first step, then to the end
            path.write_text(json.dumps(settings | {"run": settings["run"] | {"max_hours": hours}}))
            done = subprocess.run(
                command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr[-3000:]
            assert f"at {hub.address}/me/mine" in done.stdout
    there = hub.repositories["me/mine"]
    assert there.private and there.commits[0] == "Step 1 of 4" and there.commits[-1] == "Step 4 of 4"
    run = RunFolder.open(tmp_path / "run")
    assert there.files["adapter_model.safetensors"] == (run.adapter / "adapter_model.safetensors").read_bytes()
    rows = fake_trackers.told(tmp_path / "fakes")
    assert [row["what"] for row in rows].count("begin") == [row["what"] for row in rows].count("end") == 2
    logged = [row["value"] for row in rows if row["what"] == "log"]
    rewards = {row["train/global_step"]: row["train/reward"] for row in logged if "train/reward" in row}
    assert rewards == {int(row["step"]): row["reward"] for row in read_metrics(run) if "reward" in row}
    checks = [row["train/global_step"] for row in logged if "eval/accuracy" in row]
    assert checks[0] == 0 and checks[-1] == 4
    written = [file for file in run.path.rglob("*") if file.is_file()]
    assert not any(TOKEN.encode() in file.read_bytes() for file in written)
