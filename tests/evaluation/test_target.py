"""What is evaluated: what loading changed is said wherever a target is loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from socialr1_lite.evaluation import target


def test_what_loading_changed_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    policy = SimpleNamespace(notes=("model.dtype: float16 instead", "model.revision: r1 was not honoured"))
    monkeypatch.setattr(target, "load_policy", lambda model, adapter: policy)
    assert target.find("smollm2-135m").load() is policy
    said = capsys.readouterr()
    assert said.err == (
        "smollm2-135m: model.dtype: float16 instead\nsmollm2-135m: model.revision: r1 was not honoured\n"
    )
    assert said.out == ""
