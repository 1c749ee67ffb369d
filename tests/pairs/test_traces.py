"""Pairs of a run's own completions, ranked by a judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from socialr1_lite.errors import DataError, JudgeError
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.pairs import read_pairs
from socialr1_lite.pairs.__main__ import main
from socialr1_lite.pairs.traces import run_pairs
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.stories import generate, gold_reply
from tests.runlogs import trace


def a_run(folder: Path, *completions: str, scenario: Scenario) -> RunFolder:
    run = RunFolder.create(folder)
    run.add_scenarios([scenario])
    with TraceWriter(run) as writer:
        writer.write([trace(scenario=scenario.id, index=i, completion=one) for i, one in enumerate(completions)])
    return run


def test_siblings_become_pairs_that_differ_in_one_stage(tmp_path: Path) -> None:
    scenario = next(iter(generate(1, seed=3)))
    gold = parse(gold_reply(scenario), scenario.options)
    stages = {stage: gold.stage_text(stage) for stage in STAGES}
    worse = reply_text({**stages, "cue_interpretation": "Nobody can tell what anybody thinks here at all."}, "A")
    shorter = reply_text({**stages, "cue_interpretation": "Nobody thinks."}, "A")
    run = a_run(tmp_path / "run", worse, gold.text, shorter, "no stages at all", scenario=scenario)
    (pair,) = run_pairs(run, FactsJudge())
    assert (pair.stage, pair.chosen) == ("cue_interpretation", stages["cue_interpretation"])
    assert pair.rejected == "Nobody can tell what anybody thinks here at all."  # the nearer one in length
    assert pair.context == {stage: text for stage, text in stages.items() if stage != "cue_interpretation"}
    assert (pair.kind, pair.source) == ("trace", "run, ranked by facts") and pair.answer in scenario.options


def test_the_command_makes_a_file_of_a_run_that_loads_again(tmp_path: Path) -> None:
    scenario = next(iter(generate(1, seed=3)))
    bad = reply_text({stage: "Nobody can tell what anybody thinks here at all." for stage in STAGES}, "A")
    run, path = a_run(tmp_path / "run", gold_reply(scenario), bad, scenario=scenario), tmp_path / "pairs.jsonl"
    assert main(["--from-run", str(run.path), "-o", str(path)]) == 0
    assert [pair.stage for pair in read_pairs(path)] == list(STAGES)
    with pytest.raises(DataError, match=r"no group has two texts for a stage that facts scores 1\.5 apart"):
        main(["--from-run", str(run.path), "--margin", "1.5", "-o", str(path)])
    with pytest.raises(JudgeError, match="unknown judge"):
        main(["--from-run", str(run.path), "--judge", "fax", "-o", str(path)])


def test_a_judge_that_cannot_tell_ranks_nothing(tmp_path: Path) -> None:
    scenario = replace(next(iter(generate(1, seed=3))), facts=None)
    run = a_run(tmp_path / "run", *(reply_text({STAGES[0]: text}, "A") for text in ("One thing.", "Two.")),
                scenario=scenario)  # fmt: skip
    with pytest.raises(DataError, match="no group has two texts"):
        run_pairs(run, FactsJudge())
