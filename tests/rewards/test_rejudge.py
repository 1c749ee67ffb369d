"""`score RUN --rejudge` keeps new verdicts beside the old ones, and `score` tells changed rules apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from socialr1_lite import score
from socialr1_lite.errors import JudgeError, SocialR1Error
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.rewards import structure
from socialr1_lite.rewards.scoring import changed_rules
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.runlog.rejudged import read_verdicts
from tests.runlogs import trace

EMBEDDED = Path(__file__).parents[1] / "fixtures" / "run_2026_11_22_embedded"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED, tmp_path / "run"))


def test_new_verdicts_stand_beside_the_old_ones(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert score.main([str(run), "--rejudge", "rules"]) == 0
    folder = RunFolder.open(run)
    found = [read_verdicts(folder, one) for one in read_traces(folder)]
    assert all(len(one) == 1 and one[0].judge == "rules" for one in found)
    assert len({tuple(one[0].scores.values()) for one in found}) > 5
    assert {path: path.read_bytes() for path in before} == before
    assert [path.name for path in (run / "rejudged").iterdir()] == [f"rules-v{found[0][0].judge_version}.jsonl"]


def test_the_same_judge_again_says_what_it_says_in_the_reward(run: Path, tmp_path: Path) -> None:
    """The rows hold what an older version said, so `score` of today is asked for the same."""
    score.main([str(run), "--rejudge", "facts"])
    score.main([str(run), "-o", str(tmp_path / "now.jsonl")])
    folder = RunFolder.open(run)
    rows = [orjson.loads(line) for line in (tmp_path / "now.jsonl").read_bytes().splitlines()]
    compared = 0
    for one, row in zip(read_traces(folder), rows, strict=True):
        (verdict,) = read_verdicts(folder, one)
        for stage, value in verdict.scores.items():
            if row["stages"][stage] == "present" and row["parts"][f"content.{stage}"]:
                assert value == pytest.approx(row["parts"][f"content.{stage}"])
                compared += 1
    assert compared > 50


def test_asked_twice_it_replaces_its_own_file_and_keeps_the_others(run: Path) -> None:
    for judge in ("rules", "facts", "rules"):
        score.main([str(run), "--rejudge", judge])
    folder = RunFolder.open(run)
    first = next(read_traces(folder))
    assert [verdict.judge for verdict in read_verdicts(folder, first)] == ["facts", "rules"]


@pytest.mark.parametrize(
    ("arguments", "kind", "why"),
    [
        (["--rejudge", "jury"], JudgeError, "unknown judge 'jury'; known: "),
        (["--rejudge", "rules", "--setting", "strict"], SocialR1Error, "KEY=VALUE"),
    ],
)
def test_a_wrong_judge_leaves_nothing(run: Path, arguments: list[str], kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why):
        score.main([str(run), *arguments])
    assert not (run / "rejudged").exists()


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("{}")
    with pytest.raises(SocialR1Error, match="needs a run folder"):
        score.main([str(tmp_path / "in.jsonl"), "--rejudge", "rules"])


def test_a_changed_rule_is_told_apart_and_is_no_failure(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(structure, "VERSION", 2, raising=False)
    monkeypatch.setattr(structure, "coverage", lambda reply, **_: structure.Component(0.25, {}))
    assert score.main([str(run), "-o", str(tmp_path / "out.jsonl")]) == 0
    rows = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    changed = {"content": [1, FactsJudge.version], "structure": [1, 2]}  # this run's content judge has changed since
    assert all(row["changed_rules"] == changed and row["differs"] is False for row in rows)
    assert "structure 1 -> 2 in 48" in capsys.readouterr().err


def test_a_changed_rule_does_not_hide_what_differs_by_the_same_rules(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure, "VERSION", 2, raising=False)
    shard = run / "traces" / "rank00000-0000.jsonl"
    rows = [orjson.loads(line) for line in shard.read_bytes().splitlines()]
    rows[0]["components"]["length"] -= 1e-6
    shard.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    assert score.main([str(run), "-o", str(tmp_path / "out.jsonl")]) == 1


def test_content_is_by_other_rules_where_a_judge_is() -> None:
    then = trace(versions={"content": 1, "judge.facts": 1}).score
    now = trace(versions={"content": 1, "judge.facts": 3}).score
    assert changed_rules(then, now) == {"content": [1, 3]}
    assert changed_rules(then, then) == {}
    assert (
        changed_rules(then, trace(versions={"content": 1, "judge.llm": 4}).score) == {}
    )  # another judge, not another rule
