"""The set-up on a machine with an NVIDIA driver, which is faked here: what it says before anything is installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def setup(tmp_path: Path, driver: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make setup` into a scratch environment whose pip only says what it is asked for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvidia-smi").write_text(f"#!/bin/sh\necho {driver}\n")
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").write_text("#!/bin/sh\n")
    (tmp_path / "venv" / "bin" / "python").chmod(0o755)
    command = ["make", "setup", f"VENV={tmp_path / 'venv'}", "PIP=echo PIP", *arguments]
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_an_old_driver_stops_it_before_anything_is_installed(tmp_path: Path) -> None:
    done = setup(tmp_path, "550.90.07")
    assert done.returncode == 2 and "PIP" not in done.stdout
    assert "driver 550.90.07" in done.stdout and "make TORCH_INDEX=https://" in done.stdout
    assert not (tmp_path / "venv" / ".complete").exists()


@pytest.mark.parametrize(("driver", "arguments"), [("580.65.06", []), ("550.90.07", ["TORCH_INDEX=https://x/cu126"])])
def test_a_new_driver_or_a_named_index_goes_on(tmp_path: Path, driver: str, arguments: list[str]) -> None:
    done = setup(tmp_path, driver, *arguments)
    assert done.returncode == 0 and (tmp_path / "venv" / ".complete").exists()
    assert ("--index-url https://x/cu126" in done.stdout) is bool(arguments)
