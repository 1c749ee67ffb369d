"""A disk that fills up at any file of a run, or that nobody may write: one line, and the run goes on afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite.errors import MachineError, command, lack_of, machine_errors
from tests.tiny import make_tiny_model

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS = [  # of libraries that hand on no number of the system's
    Exception("No space left on device (os error 28)"),
    RuntimeError("basic_ios::clear: iostream error"),
    RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
    OSError(28, "No space left on device"),
    OSError(27, "File too large"),
    Exception("Error while serializing: I/O error: File too large (os error 27)"),
    FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']"),
    OSError(30, "Read-only file system", "/mnt/run/state.json"),
    PermissionError(13, "Permission denied", "/mnt/run"),
    FileNotFoundError(2, "No such file or directory", "/proc/nohome"),
]


@pytest.mark.parametrize("error", WORDS, ids=str)
def test_it_is_said_in_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> int:
        raise error

    with pytest.raises(SystemExit) as ended:
        command(write)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1


def test_the_place_is_named_as_well_as_it_is_known() -> None:
    with (
        pytest.raises(MachineError, match=r"^/mnt/run could not be written \(.*; free some space"),
        machine_errors("/mnt/run"),
    ):
        raise RuntimeError("basic_ios::clear: iostream error")
    assert lack_of(PermissionError(13, "Permission denied", "/mnt/x")).startswith("/mnt/x: Permission denied; mend its")


def test_what_an_error_came_from_is_looked_at_too() -> None:
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError:
            raise ValueError("while the file was closed")  # noqa: B904
    except ValueError as error:
        assert "No space left" in lack_of(error)


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    def wrong() -> int:
        return {}["key"]

    with pytest.raises(KeyError):
        command(wrong)


LIMITS = {  # bytes that one file may have, and the largest that is written before this is met
    100: "state.json",
    2_000: "recipe.yaml",
    5_500: "the tokenizer of the cold start",
    10_000: "metrics.jsonl",
    14_300: "the random state of a checkpoint",
    18_000: "an adapter",
    30_000: "scenarios.jsonl",
    50_000: "the optimizer's state of a checkpoint",
    70_000: "traces",
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict]]]:
    root, model = tmp_path_factory.mktemp("full"), make_tiny_model(tmp_path_factory.mktemp("restless"), ends=60)
    command = [sys.executable, "-m", "tests.full_disk", str(root), str(model), *map(str, LIMITS)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=7200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
def test_a_launch_ends_in_one_line_and_the_next_goes_on(launched, limit: int) -> None:
    root, found = launched
    full, free = found[str(limit)]
    assert full["status"] == 2 and len(full["said"]) == 1 and full["said"][0].startswith("error: "), full
    assert "free some space" in full["said"][0]
    assert free == {"status": 0, "said": []}
    adapter = "adapter/adapter_model.safetensors"
    assert (root / str(limit) / adapter).read_bytes() == (root / "undisturbed" / adapter).read_bytes()
