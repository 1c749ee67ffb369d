"""What gives pairs away without their story: nothing does, and the audit would see it."""

from __future__ import annotations

from dataclasses import replace

from socialr1_lite.pairs.audit import audit
from tests.pairs.examples import pairs


def test_length_and_words_alone_tell_little() -> None:
    for some in (pairs(), [pair for pair in pairs() if pair.source == "made"]):
        length, words = audit(some)
        assert abs(length.right.value - 0.5) < 0.06 and words.right.value < 0.6
        assert not length.works and not words.works


def test_the_audit_sees_what_gives_pairs_away() -> None:
    longer = [replace(pair, chosen=f"{pair.rejected} and more") for pair in pairs()]
    length, words = audit(longer)
    assert length.works and length.right.value == 1.0
    assert words.works and words.right.value > 0.95
