"""The command that trains a judge: what it prints beside the figures on held-out pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from socialr1_lite import train_judge
from socialr1_lite.judges import Verdict
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply

RECIPE = "recipes/judges/judge_smollm2.yaml"


class Halves:
    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        return [Verdict(dict.fromkeys(STAGES, 0.5)) for _ in replies]


@pytest.mark.parametrize(("source", "told"), [("gold", False), ("mine.jsonl", True)])
def test_the_labelled_train_part_is_measured_by_whoever_was_not_trained_on_it(
    source: str, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_judge, "train_judge", lambda recipe, folder: {"accuracy": 1.0})
    monkeypatch.setattr(train_judge, "check_judge_recipe", lambda *_: None)
    monkeypatch.setattr(train_judge, "build_judge", lambda name, settings: Halves())
    recipe = Path(__file__).resolve().parents[1] / RECIPE
    assert train_judge.main([str(recipe), f"pairs.source={source}"]) == 0
    out = capsys.readouterr()
    assert '"accuracy": 1.0' in out.out and ("honest against a wrong answer" in out.err) == told
