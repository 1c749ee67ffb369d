"""Each script of benchmarks/ starts as its first lines say; what it measures it measures elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_starts_and_takes_what_its_first_lines_name(script: Path, tmp_path: Path) -> None:
    """From any folder, and without the tests on the path: they are no part of what is installed."""
    told = re.findall(r"^    python (benchmarks/\S+\.py) ?(.*)$", script.read_text(), re.MULTILINE)
    assert told and {name for name, _ in told} == {f"benchmarks/{script.name}"}
    ended = subprocess.run(
        [sys.executable, script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-300:]
    for option in re.findall(r"--[a-z][a-z-]*", " ".join(options for _, options in told)):
        assert option in ended.stdout, option
