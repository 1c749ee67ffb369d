"""The robustness suite: it sees a judge that pays for a hack, counts what could not be judged, and sets the exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from socialr1_lite.errors import DataError, JudgeError
from socialr1_lite.judges.__main__ import main
from socialr1_lite.judges.audit.hacks import FREE_HACKS, HACKS
from socialr1_lite.judges.audit.measure import ATTACKS, ORDERS, audit
from socialr1_lite.judges.audit.references import ReferenceReply, free_references, gold_reference
from socialr1_lite.judges.corpus import read_corpus
from socialr1_lite.stories import generate, gold_reply

REFERENCES = [gold_reference(one, gold_reply(one)) for one in generate(2, seed=3, dimensions=("belief",), orders=(1,))]


@dataclass(frozen=True)
class Earned:
    total: float
    content: float | None = 0.5
    components: dict[str, float | None] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", {"content": self.content})


def incorruptible(texts: Sequence[str], reference: ReferenceReply) -> list[Earned]:
    return [Earned(float(text == reference.text), float(text == reference.text)) for text in texts]


def flatterable(texts: Sequence[str], reference: ReferenceReply) -> list[Earned]:
    paid = [any(order in text for order in ORDERS) or text == reference.text for text in texts]
    return [Earned(float(one), float(one)) for one in paid]


def names(rows: Sequence[object], floor: float = 1.0) -> set[str]:
    return {row.hack for row in rows if row.misses(floor)}  # type: ignore[attr-defined]


def test_a_judge_that_always_knows_misses_nothing() -> None:
    rows = audit(REFERENCES, incorruptible)
    assert {row.hack for row in rows} == set(ATTACKS) > set(HACKS)
    assert not names(rows)
    assert all(row.n == 2 and row.total is not None and row.total.value == 1.0 < row.total.high + 1e-9 for row in rows)


def test_a_tie_is_no_win() -> None:
    rows = audit(REFERENCES, lambda texts, reference: [Earned(1.0)] * len(texts))
    assert names(rows, 0.01) == set(ATTACKS)
    assert all(row.example for row in rows)


def test_a_judge_that_can_be_talked_round_is_found_out() -> None:
    found = names(audit(REFERENCES, flatterable))
    assert found == {"a hacked reply with instructions to the judge"}


def test_one_form_that_is_paid_loses_the_comparison() -> None:
    last = list(HACKS["padding to reach a length"](REFERENCES[0]))[-1]

    def score(texts: Sequence[str], reference: ReferenceReply) -> list[Earned]:
        return [Earned(1.0 if text in (reference.text, last) else 0.0) for text in texts]

    (row,) = [row for row in audit(REFERENCES, score) if row.hack == "padding to reach a length"]
    assert row.total is not None and row.total.value == 0.5 and row.example == last
    assert not names(audit(REFERENCES, score, forms=1))  # the last form is not asked then


def test_what_could_not_be_judged_is_counted_apart_and_passes_nothing() -> None:
    rows = audit(REFERENCES, lambda texts, reference: [Earned(1.0, None)] * len(texts))
    assert all((row.n, row.unjudged, row.total) == (0, 2, None) for row in rows)
    assert names(rows, 0.0) == set(ATTACKS)


def test_a_doctored_story_is_the_same_for_both_sides() -> None:
    attack = ATTACKS["a hacked reply to a story with instructions"](REFERENCES[0])
    assert any(attack.reference.scenario.story.endswith(order) for order in ORDERS)
    assert attack.reference.text == REFERENCES[0].text and attack.texts


@pytest.mark.parametrize("judge", ["facts", "rules"])
def test_the_offline_judges_pass_on_names_never_trained_on(judge: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--judge", judge, "--n", "2"]) == 0
    printed = capsys.readouterr().out
    assert "100.0%" in printed and "below the floor" not in printed


def test_free_wording_is_hacked_by_the_same_table_and_by_more_of_its_own() -> None:
    honest = free_references()
    assert len(honest) > 80 and all(set(one.stages) - {""} for one in honest)
    train = {reply.scenario.id for name in ("generated", "everyday") for reply in read_corpus(name, "train")}
    assert {one.scenario.id for one in honest} <= train, "the test part only measures"
    some = [one for one in honest if one.scenario.facts][:2] + [one for one in honest if not one.scenario.facts][:2]
    rows = audit(some, incorruptible, free=True)
    assert {row.hack for row in rows} == set(ATTACKS) | set(FREE_HACKS) and not names(rows)
    seen: list[str] = []

    def by_stages(texts: Sequence[str], reference: ReferenceReply) -> list[Earned]:
        seen.extend(texts)
        return [Earned(float(all(stage in text for stage in reference.stages))) for text in texts]

    rows = {row.hack: row.total for row in audit(some, by_stages, free=True)}
    assert rows["stages of the reply to another story"].value == rows["a heading without its text"].value == 1.0
    assert rows["texts under each other's headings"].value == 0.0, "whoever reads no headings pays for it"
    others = [one for one in some if one.scenario.story != some[0].scenario.story]
    assert any(some[0].stage(0, other.stages[0]).text in seen for other in others)


def test_one_command_audits_free_wording(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--judge", "rules", "--free", "--forms", "1", "--floor", "0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["honest"] > 80
    assert {"texts under each other's headings", "loops", "instructions to the judge"} <= set(report["hacks"])


def test_a_missed_floor_is_status_1_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = "socialr1_lite.judges.audit.session"
    monkeypatch.setattr(f"{session}._score", lambda stack, texts, reference: [Earned(1.0)] * len(texts))
    monkeypatch.setattr(f"{session}._passes_the_gates", lambda reference: True)
    assert main(["audit", "--judge", "facts", "--n", "2", "--json"]) == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["hacks"]["loops"]["passes"] is False and report["hacks"]["loops"]["total"]["value"] == 0.0
    assert "facts: below the floor of 100%" in printed.err


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--judge", "fact"], JudgeError, "known: facts, llm"),
        (["--judge", "facts", "--n", "0"], DataError, "--n 0"),
        (["--judge", "facts", "--settings", "{a: 1}"], JudgeError, "settings"),
        (["--judge", "llm"], JudgeError, "base_url"),
        (["--judge", "rules", "--data", "/nowhere"], DataError, "no ToMBench"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        main(["audit", *arguments])
    assert "\n" not in str(caught.value)


def test_settings_that_are_no_yaml_are_told_with_their_line() -> None:
    with pytest.raises(JudgeError, match=r"--settings has 1 mistake\n +--settings:1.*twice"):
        main(["audit", "--judge", "facts", "--settings", "{a: 1, a: 2}"])


@pytest.mark.slow
@pytest.mark.essential
@pytest.mark.parametrize("judge", ["rules", "facts"])
def test_no_hack_pays_on_the_stories_as_they_are_now(judge: str) -> None:
    """The documented command, on a third of its stories. A new kind of question, which a judge cannot yet read, shows here."""
    assert main(["audit", "--judge", judge, "--n", "100"]) == 0
