"""README's "Add something", followed to the letter in a copy of the package: a toy reward, judge, benchmark and recipe.

Nothing but the steps that README names is done here; what else had to be touched would make this fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

REWARD = '''
"""Mine: does the reply name somebody of the story?"""

from socialr1_lite.rewards.component import Component
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply


def mine(reply: Reply, scenario: Scenario, *, names: int = 1) -> Component:
    """Return the share of `names` that the reply reaches, in [0, 1] [ours]."""
    people = scenario.facts.people if scenario.facts else ()
    found = sum(person in reply.text for person in people)
    value = min(1.0, found / names)
    return Component(value, {"mine.found": value}, () if value == 1 else (f"mine: {found} of {names} people named",))
'''

JUDGE = '''
"""Mine: a judge that likes every stage a little."""

from socialr1_lite.judges.base import Verdict
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply


class MineJudge:
    """Scores each stage with the same figure."""

    name = "mine"
    version = 4
    offline = True
    audit_floor = 0.0

    def __init__(self, like: float = 0.5) -> None:
        """Like every stage that much."""
        self._like = like

    def judge(self, replies: list[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict a reply."""
        return [Verdict(dict.fromkeys(STAGES, self._like)) for _ in replies]
'''

BENCHMARK = '''
"""Mine: three questions about who has it."""

from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.benchmarks.base import Answer, Benchmark, Item, Loaded, Permission, Scores, accuracy
from socialr1_lite.benchmarks.files import make_scenario, official_files, read_jsonl


def load(folder: Path) -> Loaded:
    """Load mine*.jsonl."""
    items, sources = [], []
    for path in official_files(folder, "Mine", ["mine*.jsonl"], "nowhere"):
        rows, file = read_jsonl(path)
        sources.append(file)
        for number, row in enumerate(rows):
            scenario = make_scenario(
                row,
                id=f"mine/{number}",
                story=row.text("story"),
                question=row.text("question"),
                options=("yes", "no"),
                gold=(int(row.text("gold")),),
                source="mine",
            )
            items.append(Item(scenario))
    return Loaded(tuple(items), tuple(sources), ())


def score(answers: Sequence[Answer]) -> Scores:
    """Score accuracy."""
    return accuracy(answers)


BENCHMARK = Benchmark(
    name="mine",
    title="Mine",
    source="nowhere",
    licence="mine",
    training={"test": Permission(False, "(it is a test)")},
    load=load,
    score=score,
)
'''

RECIPE = """
# python -m socialr1_lite.train recipes/mine.yaml   CPU, seconds, a test
model: {name: MODEL, max_seq_length: 4000, lora: {r: 4}}
data: {size: 8, heldout: 2, max_prompt_tokens: 3900, orders: [1], dimensions: [belief]}
rewards:
  mode: additive
  weights: {mine: 0.75}
  mine: {names: 2}
  length: {min_tokens: 3, max_tokens: 12, k: 4}
  content: {judges: [{name: mine, settings: {like: 0.25}}]}
grpo:
  max_steps: 2
  num_generations: 2
  per_device_train_batch_size: 4
  gradient_accumulation_steps: 1
  max_completion_length: 12
evaluation: {items: 2}
run: {save_steps: 2}
"""


def after(path: Path, line: str, new: str) -> None:
    """Add a line behind the first line that holds `line`."""
    before = path.read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(i for i, one in enumerate(before) if line in one)
    path.write_text("".join([*before[: place + 1], new + "\n", *before[place + 1 :]]), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with README's steps done."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        REPOSITORY / "socialr1_lite", folder / "socialr1_lite", ignore=shutil.ignore_patterns("__pycache__")
    )
    package = folder / "socialr1_lite"
    # A reward: its file, its line in the table, its settings, its weight.
    (package / "rewards" / "mine.py").write_text(REWARD.lstrip())
    after(
        package / "rollouts" / "reward.py",
        '"content": ComponentInfo(',
        '        "mine": ComponentInfo("term", "Mine"),',
    )
    schema = package / "recipe" / "schema.py"
    after(schema, "    length: NotNegative = 0.2", "    mine: NotNegative = 0.5")
    after(schema, "    length: LengthReward = LengthReward()", "    mine: MineReward = MineReward()")
    schema.write_text(
        schema.read_text().replace(
            "class Curriculum(Section):",
            'class MineReward(Section):\n    """Mine."""\n\n    names: Count = 1\n\n\nclass Curriculum(Section):',
        )
    )
    # A benchmark: its file, its line and three invented rows.
    (package / "benchmarks" / "mine.py").write_text(BENCHMARK.lstrip())
    after(package / "benchmarks" / "__init__.py", '    "stories",', '    "mine",')
    rows = [{"story": f"Ann has {n} keys.", "question": "Has Ann a key?", "gold": "0"} for n in (1, 2, 3)]
    (folder / "data" / "Mine").mkdir(parents=True)
    (folder / "data" / "Mine" / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # A judge: its file and its line.
    (package / "judges" / "mine.py").write_text(JUDGE.lstrip())
    after(package / "judges" / "__init__.py", '    "rules": ', '    "mine": JudgeClass("mine", "MineJudge"),')
    return folder


def python(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder), "SOCIALR1_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(copy: Path, tiny_model: Path) -> Path:
    """A short training with the toy reward and the toy judge."""
    (copy / "recipes").mkdir()
    (copy / "recipes" / "mine.yaml").write_text(RECIPE.replace("MODEL", str(tiny_model)))
    assert "fine" in python(copy, "-m", "socialr1_lite.train", "recipes/mine.yaml", "--check")
    code = (
        "from socialr1_lite import load_recipe, run_recipe; "
        "run_recipe(load_recipe('recipes/mine.yaml'), strict=False)"  # random weights: nothing for a preflight to like
    )
    python(copy, "-c", code)
    return copy / "runs" / "mine"


@pytest.mark.slow
@pytest.mark.essential
class TestSteps:
    def test_every_completion_is_scored_and_stored_by_both(self, run: Path) -> None:
        rows = [json.loads(line) for line in (run / "traces" / "rank00000-0000.jsonl").read_text().splitlines()]
        trained = [row for row in rows if row["phase"] == "train"]
        assert len(trained) == 8
        assert all(row["components"]["mine"] is not None and row["weights"]["mine"] == 0.75 for row in rows)
        assert all(row["judges"] == ["mine"] and row["versions"]["judge.mine"] == 4 for row in rows)
        metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert any("reward/mine" in line for line in metrics)

    def test_score_gives_the_logged_numbers(self, copy: Path, run: Path) -> None:
        said = python(copy, "-m", "socialr1_lite.score", str(run), "-o", "again.jsonl")
        assert "12 of 12 totals equal" in said

    def test_the_viewer_shows_it(self, copy: Path, run: Path) -> None:
        code = (
            "import json; from pathlib import Path; from socialr1_lite.runlog import TraceIndex; "
            "from socialr1_lite.viewer.stage import stage_view; "
            f"index = TraceIndex({str(run)!r}); index.refresh(); trace = index.get(1); "
            "view = stage_view(trace, index.scenario(trace.scenario), []); "
            "print(json.dumps([row['title'] for row in view['ledger']['rows']])); print(json.dumps(view['facts'])); "
            "print(index.figures.series('reward.mine'))"
        )
        said = python(copy, "-c", code)
        assert '"Mine"' in said and '["judge", "mine' in said and "'mean'" in said

    def test_the_audit_runs_with_the_judge(self, copy: Path) -> None:
        """A judge that likes every hack as much loses each row; that it passes all the same is its own audit_floor."""
        said = python(copy, "-m", "socialr1_lite.judges", "audit", "--judge", "mine", "--n", "4")
        assert "answer first" in said and "0.0% [0.0%, 49.0%]" in said

    def test_a_smoke_run_keeps_a_judge_that_works_offline(self, copy: Path, run: Path) -> None:
        code = (
            "from socialr1_lite import load_recipe, smoke; "
            "print([j.name for j in smoke(load_recipe('recipes/mine.yaml')).rewards.content.judges])"
        )
        assert "['mine']" in python(copy, "-c", code)

    def test_the_benchmark_is_asked(self, copy: Path, run: Path) -> None:
        arguments = ("--benchmarks", "mine", "--data", "data", "--max-new-tokens", "4", "-o", "report")
        python(copy, "-m", "socialr1_lite.evaluate", str(run), *arguments)
        report = json.loads(next((copy / "report").rglob("mine.json")).read_text())
        assert report["benchmark"] == "mine" and report["n"] == 3
