"""A run begun by the code of 22 November 2026 resumes, opens, scores, evaluates and exports (tests/fixtures/README.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from socialr1_lite import score
from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.runlog import RunFolder, TraceIndex, read_traces

FIXTURES = Path(__file__).parent / "fixtures"
UNFINISHED = FIXTURES / "run_2026_11_22"
EMBEDDED = FIXTURES / "run_2026_11_22_embedded"


@pytest.fixture
def unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the unfinished run, beside its model, where its recipe looks for it."""
    shutil.copytree(UNFINISHED, tmp_path / "tests" / "fixtures" / UNFINISHED.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "tests" / "fixtures" / UNFINISHED.name / "run"


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED, tmp_path / "run"))


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_it_opens_with_every_completion_of_its_finished_steps(unfinished: Path, tmp_path: Path) -> None:
    with TraceIndex(RunFolder.open(unfinished), cache=tmp_path) as index:
        assert index.refresh() == 22
        assert index.count({"phase": "train"}) == 16
        assert index.get(1).completion.text
        assert not index.notices()


def test_its_scores_come_out_as_logged(embedded: Path, tmp_path: Path) -> None:
    assert score.main([str(embedded), "-o", str(tmp_path / "out.jsonl")]) == 0
    assert all(row["differs"] is False for row in rows_of(tmp_path / "out.jsonl"))


@pytest.mark.parametrize(("name", "arguments"), [("own", []), ("mix", ["--recipe", str(EMBEDDED / "mix.yaml")])])
def test_each_part_of_a_score_is_what_it_was(name: str, arguments: list[str], embedded: Path, tmp_path: Path) -> None:
    """Where a rule is changed on purpose, its version changes with it, and this test leaves its component out."""
    score.main([str(embedded), "-o", str(tmp_path / "out.jsonl"), *arguments])
    for now, golden in zip(rows_of(tmp_path / "out.jsonl"), rows_of(EMBEDDED / f"golden-{name}.jsonl"), strict=True):
        for key in ("weights", "mode", "tau", "outcome", "answer"):
            assert now[key] == golden[key], (now["place"], key)
        kept = COMPONENTS.keys() - now["changed_rules"].keys()
        assert kept == COMPONENTS.keys() - {"structure", "content"}
        for key in ("components", "parts"):
            assert _of(now[key], kept) == _of(golden[key], kept), (now["place"], key)


def _of(values: dict[str, float | None], kept: set[str]) -> dict[str, float | None]:
    return {name: value for name, value in values.items() if name.split(".")[0] in kept}


@pytest.mark.slow
@pytest.mark.essential
def test_it_resumes_to_its_end_and_is_evaluated_and_exported(unfinished: Path) -> None:
    from socialr1_lite import evaluate, train
    from socialr1_lite.export.__main__ import main as export
    from socialr1_lite.recipe import load_recipe

    before = (unfinished / "traces" / "rank00000-0000.jsonl").read_bytes()
    assert train.run_recipe(load_recipe(unfinished / "recipe.yaml"), run_dir=unfinished, strict=False) == unfinished
    run = RunFolder.open(unfinished)
    assert run.state()["status"] == "completed" and run.state()["step"] == 6
    assert (unfinished / "traces" / "rank00000-0000.jsonl").read_bytes().startswith(before)
    trained = [row for row in read_traces(run) if row.phase == "train"]
    assert len(trained) == 24 and {row.step for row in trained} == set(range(6))
    assert export([str(unfinished), "--to", "adapter", "-o", "exported"]) in (0, None)
    assert (Path("exported") / "adapter_model.safetensors").is_file()
    arguments = [str(unfinished), "--benchmarks", "stories", "--limit", "2", "--max-new-tokens", "8"]
    assert evaluate.main(arguments) in (0, None)
    assert score.main([str(unfinished), "-o", "scored.jsonl"]) == 0
