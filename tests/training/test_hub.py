"""Pushing to the hub through the real huggingface_hub, against a hub on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from socialr1_lite.errors import PolicyError, RecipeError
from socialr1_lite.evaluation.target import Target
from socialr1_lite.export import artefacts
from socialr1_lite.export.__main__ import main as export
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.recipe import Recipe
from socialr1_lite.recipe.schema import hub_name
from socialr1_lite.runlog import MetricsWriter, RunFolder
from socialr1_lite.training import hub as pushing
from socialr1_lite.training.hub import HubPushes
from socialr1_lite.training.ranks import Ranks
from tests.hub_server import TOKEN, Hub, Repository, serving

REPO = "me/mine"


def recipe(**run) -> Recipe:
    data = {"data": {"size": 40, "heldout": 4}, "evaluation": {"items": 4}}
    return Recipe.model_validate(data | {"run": {"name": "tiny", "push_to_hub": REPO} | run})


@pytest.fixture
def hub(monkeypatch):
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # CI's longer tests set it
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path / "run")
    MetricsWriter(run).write(2, {"reward": 0.5})
    with run.metrics.open("a") as file:
        file.write('{"half": ')
    return run


def checkpoint(run: RunFolder, step: int) -> Path:
    """A checkpoint's folder: an adapter, what belongs to it, and what only a resume needs."""
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json", "optimizer.pt", "rng_state.pth", "README.md"):
        (folder / name).write_text(f"{name} of step {step}")
    (folder / "tokenizer_config.json").write_text(f'{{"eos_token": "</s>", "token": "{TOKEN}"}}')
    return folder


def pushes(run: RunFolder, said: list[str], *, rank: int = 0, **more) -> HubPushes:
    return HubPushes(recipe(**more), run, Ranks(rank, 2), said.append)


def test_a_checkpoint_goes_to_a_private_repository_without_optimizer_and_without_the_token(hub: Hub, run: RunFolder):
    said: list[str] = []
    with pushes(run, said) as thread:
        thread.push(checkpoint(run, 2), 2)
    there = hub.repositories[REPO]
    assert there.private and there.commits == ["Step 2 of 20"]
    assert there.files.keys() == {
        *("adapter_model.safetensors", "adapter_config.json", "tokenizer_config.json"),
        *("README.md", "recipe.yaml", "metrics.jsonl"),
    }
    assert there.files["adapter_model.safetensors"] == b"adapter_model.safetensors of step 2"
    assert there.files["tokenizer_config.json"] == b'{"eos_token": "</s>", "token": "***"}'
    assert b"2 of 20 steps" in there.files["README.md"] and b"push_to_hub: me/mine" in there.files["recipe.yaml"]
    assert there.files["metrics.jsonl"].count(b"\n") == 1 and b"half" not in there.files["metrics.jsonl"]
    assert not any(TOKEN.encode() in held for held in there.files.values())
    assert f"each checkpoint's adapter goes to {hub.address}/{REPO} (private)" in said
    assert said[-1] == f"adapter of step 2 at {hub.address}/{REPO}"


def test_a_resume_goes_on_pushing_to_the_same_repository(hub: Hub, run: RunFolder):
    for step in (2, 4):
        with pushes(run, []) as thread:
            thread.push(checkpoint(run, step), step)
    assert hub.repositories[REPO].commits == ["Step 2 of 20", "Step 4 of 20"]


def test_a_merged_cold_start_goes_along(hub: Hub, run: RunFolder):
    checkpoint(run, 2).rename(run.path / "cold_start")
    told = Recipe.model_validate({"warmup": {"steps": 2, "merge": True}, "run": {"push_to_hub": REPO}})
    with HubPushes(told, run, Ranks(0, 1), print) as thread:
        thread.push(checkpoint(run, 4), 4)
    files = hub.repositories[REPO].files
    assert files["cold_start/adapter_model.safetensors"].endswith(b"step 2") and "cold_start/optimizer.pt" not in files
    assert b"cold_start/" in files["README.md"]


def test_a_slow_hub_delays_no_step_and_gets_only_the_newest(hub: Hub, run: RunFolder):
    said: list[str] = []
    hub.held.clear()
    with pushes(run, said) as thread:
        while not hub.asked:  # for the repository
            time.sleep(0.01)
        for step in (2, 4, 6):
            thread.push(checkpoint(run, step), step)  # returns, or this test would never end
        assert not hub.repositories and said == []
        hub.held.set()
    assert hub.repositories[REPO].commits == ["Step 6 of 20"]
    assert said[-1] == f"adapter of step 6 at {hub.address}/{REPO}"


def test_a_hub_that_never_answers_is_not_waited_for_for_ever(hub: Hub, run: RunFolder, monkeypatch):
    monkeypatch.setattr(pushing, "WAIT_S", 0.1)
    said: list[str] = []
    hub.held.clear()
    with pushes(run, said) as thread:
        thread.push(checkpoint(run, 2), 2)
    by_hand = f"python -m socialr1_lite.export {run.path} --to hub --repo {REPO}"
    assert said[-1] == f"warning: the adapter of step 2 is not at {REPO}; to push it: {by_hand}"


@pytest.mark.slow
def test_a_push_that_hangs_keeps_no_process_alive(hub: Hub, run: RunFolder):
    checkpoint(run, 2)
    hub.held.clear()
    code = f"""
from pathlib import Path
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import RunFolder
from socialr1_lite.training import hub
from socialr1_lite.training.ranks import Ranks
hub.WAIT_S = 1.0
run = RunFolder.open({str(run.path)!r})
recipe = Recipe.model_validate({{"run": {{"push_to_hub": {REPO!r}}}}})
with hub.HubPushes(recipe, run, Ranks(0, 1), print) as pushes:
    pushes.push(run.checkpoints / "checkpoint-2", 2)
    input()
"""
    environment = {"HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        while not hub.asked and process.poll() is None:
            time.sleep(0.01)
        out, errors = process.communicate("go on\n", timeout=120)
    assert process.returncode == 0 and "is not at me/mine" in out, errors


def test_a_failure_is_told_once_and_the_next_checkpoint_gets_there(hub: Hub, run: RunFolder):
    said: list[str] = []
    hub.refuse = 403
    with pushes(run, said) as thread:
        for step in (2, 4):
            thread.push(checkpoint(run, step), step)
            while thread._jobs.qsize() or len(said) < 1:
                time.sleep(0.01)
        hub.refuse = 0
        thread.push(checkpoint(run, 6), 6)
    notes = [line for line in said if line.startswith("note")]
    assert len(notes) == 1 and "no right to write" in notes[0] and "so it says" in notes[0] and TOKEN not in notes[0]
    assert hub.repositories[REPO].commits[-1] == "Step 6 of 20"


def test_a_checkpoint_that_is_gone_does_not_end_the_training(hub: Hub, run: RunFolder):
    said: list[str] = []
    with pushes(run, said) as thread:
        thread.push(run.checkpoints / "checkpoint-9", 9)
    assert any("No such file" in line for line in said) and said[-1].startswith("warning: the adapter of step 9")


def test_only_the_first_process_pushes(hub: Hub, run: RunFolder):
    with pushes(run, [], rank=1) as thread:
        thread.push(checkpoint(run, 2), 2)
    assert hub.asked == 0


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (Repository(private=False), "is there and public"),
        (Repository(private=True, files={"model.safetensors": b""}), "the name is taken by a repository"),
    ],
)
def test_no_repository_of_another_kind_is_written_to(hub: Hub, run: RunFolder, there: Repository, message: str):
    hub.repositories[REPO] = there
    said: list[str] = []
    with pushes(run, said) as thread:
        thread.push(checkpoint(run, 2), 2)
    assert message in said[0] or message in said[1]
    assert there.commits == []


# --- before a training begins


@pytest.mark.parametrize(
    "name", ["me/mine", "me", "a/b/c", "me/", "/mine", "me/mi ne", "me/a--b", "me/a..b", "me/a.git", "-me/x", "me/x."]
)
def test_a_name_is_taken_when_the_hubs_library_takes_it_and_it_has_an_owner(name: str):
    try:
        validate_repo_id(name)
        known = "/" in name
    except HFValidationError:
        known = False
    try:
        assert hub_name(name) == name and known
    except ValueError:
        assert not known


def test_a_bad_name_in_a_recipe_is_told_with_what_is_allowed():
    with pytest.raises(ValueError, match="owner/name"):
        recipe(push_to_hub="mine")


def test_a_recipe_that_pushes_needs_a_token_and_the_network_switched_on(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(RecipeError, match=r"run\.push_to_hub: there is no token for the hub: type `hf auth login`"):
        check_recipe(recipe())
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: TOKEN)
    check_recipe(recipe())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RecipeError, match="HF_HUB_OFFLINE is set"):
        check_recipe(recipe())


def test_a_smoke_run_pushes_nothing_and_a_resume_may_push_elsewhere():
    assert smoke(recipe()).run.push_to_hub is None
    assert recipe().digest == recipe(push_to_hub=None).digest


# --- export --to hub


@pytest.fixture
def exported(run: RunFolder, monkeypatch) -> RunFolder:
    """A finished run whose adapter is exported without a model: what is said of the hub is what is tried."""
    checkpoint(run, 4).rename(run.adapter)
    run.recipe.write_text(recipe().to_yaml())
    run.set_state("completed", step=4)

    def unchecked(target: Target, out: Path, say) -> Path:
        out.mkdir()
        (out / "adapter_model.safetensors").write_bytes(b"weights")
        (out / "tokenizer_config.json").write_text(TOKEN)
        artefacts._describe(target, "LoRA adapter", out)
        return out

    monkeypatch.setattr(artefacts, "export_adapter", unchecked)
    return run


@pytest.mark.parametrize(("asked", "private"), [((), True), (("--private",), True), (("--public",), False)])
def test_an_export_is_private_unless_asked_and_may_be_repeated(hub: Hub, exported, capsys, asked, private):
    for _ in range(2):
        assert export([str(exported.path), "--to", "hub", "--repo", REPO, *asked]) == 0
    there = hub.repositories[REPO]
    assert there.private is private and len(there.commits) == 2
    assert there.files["tokenizer_config.json"] == b"***"
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.address}/{REPO}"


@pytest.mark.parametrize(
    ("repo", "change", "message"),
    [
        ("mine", {}, "owner/name"),
        (REPO, {"token": None}, "there is no token for the hub"),
        (REPO, {"token": "hf_" + "x" * 30}, "the hub does not know the token"),
        (REPO, {"refuse": 403}, "no right to write there"),
        (REPO, {"refuse": 402}, "asks for payment"),
        (REPO, {"refuse": 409}, "the name is taken"),
        (REPO, {"refuse": 500}, "500"),
        (REPO, {"address": "http://127.0.0.1:9"}, "no connection to the hub"),
        (REPO, {"there": Repository(private=False)}, "is there and public"),
        (REPO, {"there": Repository(private=True, files={"x": b""})}, "name is taken"),
    ],
)
def test_what_the_hub_refuses_is_one_line(hub: Hub, exported, monkeypatch, repo, change, message):
    hub.refuse = change.get("refuse", 0)
    if "there" in change:
        hub.repositories[REPO] = change["there"]
    if "token" in change:
        monkeypatch.setenv("HF_TOKEN", change["token"] or "")
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    if "address" in change:
        monkeypatch.setattr(constants, "ENDPOINT", change["address"])
    with pytest.raises(PolicyError, match=message) as told:
        export([str(exported.path), "--to", "hub", "--repo", repo])
    assert "\n" not in str(told.value) and TOKEN not in str(told.value)
    assert not any(one.commits for one in hub.repositories.values())
