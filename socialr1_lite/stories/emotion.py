"""Emotion: what somebody feels as they believe things to be, what they show, what they think another feels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dice, Dimension, Family, Request
from socialr1_lite.stories.belief import story_of
from socialr1_lite.stories.framing import (
    Asked, Reading, Sense, Tale, belief_claim, bystanders, chain_for, family, persons, place_of, state_claim, turned, wants,
)
from socialr1_lite.stories.plots import Plot, hidden_object, recast
from socialr1_lite.stories.wording import LEXICON
from socialr1_lite.stories.world import World
