"""A run that climbs a ladder with both of a pair in each step, stopped on the way: what it asks, checks and prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.training import session
from tests import launches

pytestmark = pytest.mark.slow

LADDER = [{"until": 0.5, "perturbations": {"include": ["left earlier", "left later"]}, "objects": {"places": [2]}}]
TRANSFER = [{"name": "peeping", "perturbations": {"include": ["peeked"]}, "items": 2}]


def climbing(model: Path, **run: object) -> Recipe:
    tree = launches.recipe(str(model)).model_dump(mode="json")
    tree["data"] |= {"difficulty": LADDER, "transfer": TRANSFER, "twins": "together"}
    tree["data"] |= {"perturbations": {"exclude": ["peeked"]}}
    tree["warmup"] |= {"batch_size": 2}
    tree["run"] |= run
    return Recipe.model_validate(tree)


def test_it_climbs_in_pairs_and_goes_on_after_a_stop(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, folder = climbing(tiny_model), tmp_path / "run"
    monkeypatch.setattr(session.Deadline, "stops_after", lambda self, step, check_s: step == 2)
    session.run_recipe(whole, run_dir=folder, strict=False, progress=Progress(quiet=True))
    run = RunFolder.open(folder)
    order, stopped = (folder / "order.json").read_bytes(), list(read_traces(run))
    assert run.state()["step"] == 2 and {trace.step for trace in stopped if trace.phase == "train"} == {0, 1}
    monkeypatch.undo()
    session.run_recipe(whole, run_dir=folder, strict=False, progress=Progress())

    assert (folder / "order.json").read_bytes() == order
    there = {one.id: one for one in run.read_scenarios()}
    by_step: dict[int, set[str]] = {}
    for trace in read_traces(run):
        if trace.phase == "train":
            by_step.setdefault(trace.step, set()).add(trace.scenario)
    assert sorted(by_step) == list(range(launches.STEPS))
    for step, asked in by_step.items():
        one, other = (there[name] for name in sorted(asked))
        assert one.twins == (other.id,) and one.gold != other.gold
        assert one.meta["stage"] == (0 if step < launches.STEPS / 2 else 1)
        assert one.meta["perturbation"] in ("left earlier", "left later") or step >= launches.STEPS / 2

    checks = json.loads((folder / "summary.json").read_text())["checks"]
    for check in (checks[0], checks[-1]):
        assert check["twins"]["families"] == 1 and check["twins"]["accuracy"] in (0, 1)
        assert [(row["label"], row["n"], row["twins"]["families"]) for row in check["transfer"]] == [("peeping", 2, 1)]
    assert "eval/twin_accuracy" in {name for row in read_metrics(run) for name in row}
    printed = capsys.readouterr().out
    assert "both twins" in printed and "peeping" in printed
