"""Scoring a file of completions from the command line, and a run's own completions against what it logged."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from socialr1_lite import runlog, score, sip
from socialr1_lite.errors import DataError, JudgeError, RecipeError, RunLogError
from socialr1_lite.judges import Verdict
from socialr1_lite.recipe import Recipe, Rewards
from socialr1_lite.rewards import scoring
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import total_reward
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.scenario import Scenario
from tests.conftest import SCENARIO
from tests.runlogs import trace

ROOT = Path(__file__).resolve().parents[2]
STAGES = (
    "Mara puts the violin in the green trunk and leaves the attic.",
    "Mara did not see Tomas move the violin, so Mara believes that it is in the green trunk.",
    "Mara wants to play the violin that she had left there.",
    "She will look where she believes that it is: in the green trunk.",
)
HONEST = sip.reply_text(STAGES, "B")
ROW = {
    "id": "invented/0",
    "story": SCENARIO.story,
    "question": SCENARIO.question,
    "options": list(SCENARIO.options),
    "gold": "the green trunk",
    "completion": HONEST,
    "tokens": 90,
}


def run_score(tmp_path: Path, rows: Sequence[Any], *more: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and output rows of the command."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    status = score.main([str(source), "-o", str(target), *more])
    return status, [orjson.loads(line) for line in target.read_bytes().splitlines()]


class TestRows:
    def test_an_honest_reply_shows_every_part(self, tmp_path: Path) -> None:
        status, (row,) = run_score(tmp_path, [ROW])
        assert status == 0
        assert (row["id"], row["outcome"], row["answer"], row["tokens"], row["tau"]) == (
            "invented/0",
            "right",
            "B",
            90,
            1.0,
        )
        assert row["components"].keys() == {"format", "outcome", "structure", "content", "length"}
        assert row["components"]["format"] == row["components"]["outcome"] == row["components"]["structure"] == 1.0
        assert row["gates"] == {"format": 1.0, "length": row["components"]["length"]}
        assert {"structure.coverage", "content.cue_encoding", "length.window"} <= row["parts"].keys()
        assert set(row["stages"].values()) == {"present"}
        total = total_reward(row["components"], row["weights"], row["mode"], row["tau"])
        assert row["total"] == pytest.approx(total, abs=1e-9) and row["total"] > 1.5

    def test_it_says_what_the_stack_says(self, tmp_path: Path) -> None:
        scenario = Scenario("invented/0", SCENARIO.story, SCENARIO.question, SCENARIO.options, (1,))
        expected = RewardStack(Rewards()).score(sip.parse(HONEST, scenario.options), scenario, tokens=90)
        _, (row,) = run_score(tmp_path, [ROW])
        assert row["components"] == expected.components and row["notes"] == list(expected.notes)

    @pytest.mark.parametrize("gold", [1, "B", "the green trunk", [1]])
    def test_gold_in_every_form(self, tmp_path: Path, gold: Any) -> None:
        _, (row,) = run_score(tmp_path, [ROW | {"gold": gold}])
        assert row["outcome"] == "right"

    def test_a_prefilled_think_block(self, tmp_path: Path) -> None:
        inside = HONEST.removeprefix("<think>")
        _, (told, untold) = run_score(
            tmp_path, [ROW | {"completion": inside, "prefilled": True}, ROW | {"completion": inside}]
        )
        assert told["components"]["format"] == 1.0 and untold["components"]["format"] == 0.0

    def test_a_truncated_reply_is_noted(self, tmp_path: Path) -> None:
        cut = HONEST[: HONEST.index("wants to")]
        _, (row,) = run_score(tmp_path, [ROW | {"completion": cut, "finish": "length"}])
        assert row["stages"]["goal_clarification"] == "cut off" and row["stages"]["response_generation"] == "missing"
        assert row["outcome"] == "unreadable" and row["answer"] is None and row["total"] == 0.0
        assert any("truncated" in note for note in row["notes"])

    def test_tau_weighs_the_process(self, tmp_path: Path) -> None:
        _, (full, none) = run_score(tmp_path, [ROW, ROW | {"tau": 0.0}])
        assert none["total"] == pytest.approx(none["components"]["length"])
        assert full["total"] > none["total"]

    def test_facts_reach_the_facts_judge(self, tmp_path: Path) -> None:
        facts = ROW | {"facts": SCENARIO.to_row()["facts"]}
        pytest.importorskip("socialr1_lite.judges.facts")
        _, (row,) = run_score(tmp_path, [facts], "--judge", "facts")
        assert row["components"]["content"] is not None

    def test_open_ended(self, tmp_path: Path) -> None:
        reply = sip.reply_text(STAGES, "the green trunk")
        rows = [ROW | {"options": [], "completion": reply}, ROW | {"options": [], "completion": HONEST}]
        _, (right, wrong) = run_score(tmp_path, rows)
        assert (right["outcome"], wrong["outcome"]) == ("right", "wrong")

    def test_tokens_are_approximated_where_nobody_counted(self, tmp_path: Path) -> None:
        rows = [{key: value for key, value in ROW.items() if key != "tokens"} | {"completion": "Well, it's 3 words."}]
        _, (row,) = run_score(tmp_path, rows)
        assert row["tokens"] == 8  # Well , it ' s 3 words .


class TestBadRows:
    ROWS = (
        (ROW, None),
        ("{oops", "not JSON"),
        ("[1, 2]", "a JSON object is needed"),
        (ROW | {"completion": None}, "completion must be a text, not None"),
        (ROW | {"gold": "the garden"}, "names none of the options"),
        (ROW | {"options": ["only"], "gold": 0}, "1 options"),
        (ROW | {"tokens": "many"}, "tokens must be a whole number of at least 0, not 'many'"),
        (ROW | {"tokens": True}, "not True"),
        (ROW | {"tau": 2}, "tau must be between 0 and 1"),
        (ROW | {"finish": "eos"}, "finish must be stop or length"),
        ({"completion": "x"}, "no question"),
        (ROW, None),
    )

    def test_each_is_kept_reported_and_counted(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, told = run_score(tmp_path, [row for row, _ in self.ROWS])
        assert status == 2 and len(told) == len(self.ROWS)
        errors = capsys.readouterr().err.splitlines()
        for number, (row, (_, why)) in enumerate(zip(told, self.ROWS, strict=True), start=1):
            assert row["place"] == f"line {number}"
            assert ("error" in row) == (why is not None)
            if why is not None:
                assert why in row["error"]
                assert any(line.startswith(f"line {number}: ") and why in line for line in errors)
        assert errors[-1] == "2 completions scored, 10 bad rows"

    def test_blank_lines_are_no_rows(self, tmp_path: Path) -> None:
        status, told = run_score(tmp_path, ["", ROW, "   "])
        assert status == 0 and [row["place"] for row in told] == ["line 2"]


class ScriptedJudge:
    """Fails whenever a reply says so; otherwise everything is worth 0.5."""

    name = "scripted"

    def judge(self, replies: Sequence[sip.Reply], scenario: Scenario) -> list[Verdict]:
        return [
            Verdict(dict.fromkeys(sip.STAGES), ("down",), failed=True)
            if "DOWN" in reply.text
            else Verdict(dict.fromkeys(sip.STAGES, 0.5), ())
            for reply in replies
        ]


class TestGroups:
    def content(self, rows: Sequence[dict[str, Any]]) -> list[float | None]:
        recipe = Recipe.model_validate({"rewards": {"content": {"max_judge_failures": 1.0}}})
        stack = RewardStack(recipe.rewards, judge=ScriptedJudge())
        samples = scoring.file_samples(json.dumps(row).encode() for row in rows)
        return [row["components"]["content"] for row in scoring.score_samples(stack, samples)]

    def test_a_judges_failure_counts_for_the_whole_group_only(self) -> None:
        down = ROW | {"completion": HONEST.replace("She will", "DOWN She will")}
        other = ROW | {"id": "invented/1"}
        assert self.content([ROW, down, ROW, other]) == [None, None, None, 0.5]

    def test_rows_that_do_not_follow_each_other_are_no_group(self) -> None:
        down = ROW | {"completion": HONEST.replace("She will", "DOWN She will")}
        assert self.content([ROW, ROW | {"id": "invented/1"}, down]) == [0.5, 0.5, None]

    def test_a_judge_that_fails_too_often_stops_it_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(score, "RewardStack", lambda rewards: RewardStack(rewards, judge=ScriptedJudge()))
        rows = [ROW | {"id": str(n), "completion": HONEST + "DOWN"} for n in range(30)]
        with pytest.raises(JudgeError, match="scripted failed for"):
            run_score(tmp_path, rows)
        assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]

    def test_memory_does_not_grow_with_the_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rows come out long before the input has been read, even where all of it is one group."""
        monkeypatch.setattr(scoring, "GROUP_LIMIT", 16)
        read = 0

        def endless() -> Any:
            nonlocal read
            while True:
                read += 1
                yield json.dumps(ROW).encode()

        rows = scoring.score_samples(RewardStack(Rewards()), scoring.file_samples(endless()))
        for _ in range(5):
            next(rows)
        assert read <= 17


class TestCommand:
    def test_standard_input_to_standard_output(self) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "socialr1_lite.score", "-"],
            cwd=ROOT,
            input=json.dumps(ROW) + "\nnonsense\n",
            capture_output=True,
            text=True,
        )
        rows = [json.loads(line) for line in told.stdout.splitlines()]
        assert told.returncode == 2 and [("error" in row) for row in rows] == [False, True]
        assert "line 2: not JSON" in told.stderr and "Traceback" not in told.stderr

    def test_a_failure_leaves_the_old_output(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "out.jsonl").write_text("old")
        monkeypatch.setattr(score, "file_samples", lambda *_: iter((_ for _ in ()).throw(KeyboardInterrupt)))  # type: ignore[misc]
        with pytest.raises(KeyboardInterrupt):
            run_score(tmp_path, [ROW])
        assert (tmp_path / "out.jsonl").read_text() == "old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]

    @pytest.mark.parametrize(
        ("arguments", "kind", "why"),
        [
            (["nowhere.jsonl"], DataError, "there is no such file"),
            (["."], RunLogError, "is not a run folder"),
            (["-", "--judge", "oracle"], JudgeError, "unknown judge 'oracle'; known: facts"),
            (["-", "--recipe", "nowhere.yaml"], RecipeError, "nowhere.yaml"),
            (["-", "-o", "nowhere/out.jsonl"], DataError, "there is no folder nowhere"),
        ],
    )
    def test_what_cannot_be_done_is_one_clear_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], kind: type[Exception], why: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        with pytest.raises(kind, match=why):
            score.main(arguments)

    def test_a_recipes_rewards_are_used(self, tmp_path: Path) -> None:
        recipe = tmp_path / "mine.yaml"
        recipe.write_text("rewards: {mode: additive, weights: {format: 3.0}}\n")
        _, (row,) = run_score(tmp_path, [ROW], "--recipe", str(recipe))
        assert row["mode"] == "additive" and row["weights"]["format"] == 3.0 and row["gates"] == {}


class TestRunFolder:
    @pytest.fixture
    def run(self, tmp_path: Path) -> runlog.RunFolder:
        """A run of two groups and one evaluation, each row scored by the stack as training does."""
        run = runlog.RunFolder.create(tmp_path / "run")
        recipe = Recipe.model_validate({"rewards": {"mode": "gated", "weights": {"structure": 0.7}}})
        run.recipe.write_text(recipe.to_yaml(), encoding="utf-8")
        run.add_scenarios([SCENARIO])
        stack = RewardStack(recipe.rewards)
        texts = [HONEST, HONEST.replace(">B<", ">A<"), HONEST[:60], sip.reply_text(STAGES[::-1], "B")]
        with runlog.TraceWriter(run, launch=run.begin_launch(0, [])) as writer:
            for step, tau in ((0, 0.2), (1, 0.47)):
                writer.write(self.rows(stack, texts, step, tau))
            for index, text in enumerate(texts):
                writer.write([replace(row, phase="eval", group=index) for row in self.rows(stack, [text], 2, 1.0)])
        return run

    def rows(self, stack: RewardStack, texts: Sequence[str], step: int, tau: float) -> list[Trace]:
        completions = [Completion(text, 80 + len(texts), "length" if text == HONEST[:60] else "stop") for text in texts]
        return [
            Trace.of(one, phase="train", step=step, scenario=SCENARIO.id, group=step, index=index, prompt=[])
            for index, one in enumerate(stack.score(completions, SCENARIO, tau=tau))
        ]

    def test_its_own_completions_give_the_logged_numbers(
        self, run: runlog.RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "again.jsonl"
        assert score.main([str(run.path), "-o", str(target)]) == 0
        told = [orjson.loads(line) for line in target.read_bytes().splitlines()]
        logged = list(runlog.read_traces(run))
        assert len(told) == len(logged) == 12
        for again, before in zip(told, logged, strict=True):
            assert again["components"] == pytest.approx(before.score.components, abs=1e-12)
            assert again["total"] == pytest.approx(before.total, abs=1e-9)
            assert (again["step"], again["index"], again["differs"]) == (before.step, before.index, False)
        assert len({round(row["total"], 6) for row in told}) > 3
        assert "12 completions scored, 12 of 12 totals equal to the logged ones" in capsys.readouterr().err

    def test_a_changed_figure_is_found(
        self, run: runlog.RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (shard,) = runlog.shard_paths(run)
        rows = [orjson.loads(line) for line in shard.read_bytes().splitlines()]
        rows[5]["components"]["length"] -= 1e-6
        rows[4]["components"]["length"] -= 1e-6
        shard.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        assert score.main([str(run.path), "-o", str(tmp_path / "again.jsonl")]) == 1
        told = capsys.readouterr().err
        assert "phase train, step 1, group 1, index 0, segment 0: logged total" in told
        assert "10 of 12 totals equal" in told

    def test_a_missing_scenario_is_a_bad_row(self, run: runlog.RunFolder, tmp_path: Path) -> None:
        run.scenarios.unlink()
        assert score.main([str(run.path), "-o", str(tmp_path / "again.jsonl")]) == 2

    def test_without_its_recipe_one_must_be_named(self, run: runlog.RunFolder) -> None:
        run.recipe.unlink()
        with pytest.raises(RunLogError, match="--recipe"):
            score.main([str(run.path)])

    def test_completions_without_a_reward_are_left_out(self, run: runlog.RunFolder, tmp_path: Path) -> None:
        with runlog.TraceWriter(run) as writer:
            writer.write([trace(2, phase="eval", benchmark="tombench", scenario="tombench/1", components={}, parts={})])
        assert score.main([str(run.path), "-o", str(tmp_path / "again.jsonl")]) == 0
