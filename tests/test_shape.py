"""The shape of the package: small pieces, few modules on its top level, types instead of Any."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import socialr1_lite

ROOT = Path(socialr1_lite.__file__).resolve().parent
FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_over_60_lines_and_no_class_over_250(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= (250 if isinstance(node, ast.ClassDef) else 60), f"{node.name} has {lines} lines"


def test_few_modules_on_the_top_level() -> None:
    assert len(list(ROOT.glob("*.py"))) <= 12


def test_few_lines_name_any() -> None:
    lines = [line for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum(bool(re.search(r"\bAny\b", line)) for line in lines) <= 190
