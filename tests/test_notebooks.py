"""The notebooks: clean as they lie in the repository, and every cell runs on the smoke settings."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
BY_NAME = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
COLAB = "google.colab"


def read(path: Path):
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_both_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["colab_t4", "quickstart_cpu"]


@BY_NAME
def test_nothing_of_a_run_is_kept_in_it(path: Path) -> None:
    for cell in read(path).cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


@BY_NAME
def test_what_only_colab_has_is_imported_inside_a_try(path: Path) -> None:
    for source in code(read(path)):
        tree = ast.parse(source)  # no shell escapes either: a failing one would not stop the notebook
        tried = {node for one in ast.walk(tree) if isinstance(one, ast.Try) for node in ast.walk(one)}
        colab = [
            node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and str(node.module).startswith(COLAB)
        ]
        assert set(colab) <= tried


def output(cell) -> str:
    return "".join(told.get("text", "") for told in cell.outputs)


@pytest.fixture
def executed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The notebook after all its cells, and then the training cell once more."""
    nbclient = pytest.importorskip("nbclient")
    for name, value in {"SMOKE": "1", "ROOT": str(tmp_path)}.items():
        monkeypatch.setenv(f"SOCIALR1_{name}", value)
    if recipe := os.environ.get("SOCIALR1_TEST_RECIPE"):  # a quicker one, while the notebooks are worked on
        monkeypatch.setenv("SOCIALR1_RECIPE", recipe)
        monkeypatch.setenv("SOCIALR1_SMOKE", "0")
    notebook = read(path)
    [training] = [cell for cell in notebook.cells if cell.cell_type == "code" and '"--run-dir", RUN' in cell.source]
    notebook.cells.append(training.copy())
    client = nbclient.NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    return notebook


@pytest.mark.slow
@BY_NAME
def test_every_cell_runs_and_training_again_has_nothing_to_do(path: Path, executed, tmp_path: Path) -> None:
    told = [output(cell) for cell in executed.cells if cell.cell_type == "code"]
    assert "is complete" in told[-1] and "nothing to do" in told[-1]
    assert any(" usable: " in one for one in told), "the plan was not shown"
    assert any("<iframe" in str(cell.outputs) for cell in executed.cells if cell.cell_type == "code"), "no viewer"
    assert list(tmp_path.glob("*/adapter/adapter_model.safetensors"))
    if path.stem == "colab_t4":
        assert list(tmp_path.glob("*-adapter/adapter_model.safetensors")), "nothing was exported"
        assert list(tmp_path.glob("*/evaluation/stories.json")), "nothing was evaluated"
