"""What other people's errors say, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite.errors import PolicyError, first_line
from socialr1_lite.policy import model as policy_model


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("wrong"), "wrong"),
        (ValueError("\n  first \nsecond"), "first"),
        (OSError(), "OSError"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_an_error_is_one_line_and_never_nothing(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_an_adapter_that_fails_without_a_word_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')

    def fail(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(policy_model, "saved_adapter", fail)
    policy = policy_model.Policy(None, None, "transformers", "m", False)
    with pytest.raises(PolicyError, match="the adapter does not fit m: ValueError"):
        policy.add_adapter(tmp_path)


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_a_terminal_without_a_letter_gets_its_number(locale: dict[str, str]) -> None:
    code = "from socialr1_lite.errors import *\nprint(command(lambda: print('Zo\\xeb \\u2192') or 0))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | locale, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, r"Zo\xeb \u2192"), done.stderr
