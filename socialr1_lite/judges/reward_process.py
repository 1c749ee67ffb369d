"""A reward model in a process of its own: a line of JSON in, a line of JSON out.

Unsloth replaces attention and forward passes of whole architectures in the process that imports it. A classifier of the
policy's architecture would then fail there or score otherwise, so a training asks for its scores through a pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from weakref import finalize

from socialr1_lite.errors import JudgeError, first_line
from socialr1_lite.judges.classifier import load_judge, logits, read_record

ROOT = Path(__file__).resolve().parents[2]  # what Python finds the package in
GRACE_S = 10.0  # to end by itself once nobody asks any more


class RewardProcess:
    """The other side of the pipe. It ends with this object, and with this process."""

    def __init__(self, folder: Path, *, device: str, batch_tokens: int) -> None:
        """Start it; the judge is loaded when first asked. device: as torch names it."""
        self._errors = TemporaryFile()  # noqa: SIM115  (read when the process has ended)
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder), device, str(batch_tokens)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # a Ctrl-C is the training's, which may want to finish its step
        )
        self.close = finalize(self, _end, self._process, self._errors)

    def logits(self, texts: Sequence[str]) -> list[float]:
        """Score each text. Raises JudgeError with the process's own words, or its last ones."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests and answers
        try:
            requests.write(json.dumps(list(texts)) + "\n")
            requests.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise JudgeError(f"reward_model: its process ended ({self._last_words()}); start the same command again")
        found = json.loads(answer)
        if "error" in found:
            raise JudgeError(found["error"])
        return list(map(float, found["logits"]))

    def _last_words(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return ": ".join((f"status {status}", *words[-1:]))


def _end(process: subprocess.Popen[str], errors: IO[bytes]) -> None:
    """Close the pipe, which ends the loop below, and do not wait for long."""
    assert process.stdin and process.stdout
    with contextlib.suppress(BrokenPipeError):  # it was killed, and what it was last asked is still in the pipe
        process.stdin.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    errors.close()


def main() -> None:
    """Answer lines until there are none. A mistake comes in the answer, on one line."""
    folder, device, batch_tokens = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    judge = None
    answer: dict[str, str | list[float]]
    for line in sys.stdin:
        try:
            judge = judge or load_judge(folder, device=device)
            length = read_record(folder)["max_length"]
            answer = {"logits": logits(*judge, json.loads(line), max_length=length, batch_tokens=batch_tokens)}
        except JudgeError as error:
            answer = {"error": str(error)}
        except RuntimeError as error:  # a device that is not there, or has no memory left
            answer = {"error": f"reward_model: on {device}: {first_line(error)}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
