"""The one formula that turns components into a reward; stored rows keep the components, never the total."""

from __future__ import annotations

from collections.abc import Mapping

OUTCOME = "outcome"
PROCESS = ("structure", "content")  # the components that the curriculum's tau scales
GATES = ("format", "length")  # gated mode: factors without a weight; additive mode: weighted terms
MODES = ("gated", "additive")


def total_reward(components: Mapping[str, float | None], weights: Mapping[str, float], mode: str, tau: float) -> float:
    """The reward of one completion from its logged parts (REWARDS.md "Total").

    gated [2nd]:  R = R_fmt * (w_out*R_out + tau*(w_struct*R_struct + w_cont*R_cont)) * R_len
    additive:     R = w_fmt*R_fmt + w_out*R_out + tau*(w_struct*R_struct + w_cont*R_cont) + w_len*R_len

    components: name -> value in [0, 1]; None (nobody could judge it) or absent is left out, as if its weight
    were not there: a term falls away, a gate stays open. weights: name -> weight; a missing weight is 0. tau
    in [0, 1]. Raises ValueError for another mode.
    """

    def term(name: str) -> float:
        value = components.get(name)
        return 0.0 if value is None else weights.get(name, 0.0) * value

    earned = term(OUTCOME) + tau * sum(term(name) for name in PROCESS)
    if mode == "additive":
        return earned + sum(term(name) for name in GATES)
    if mode != "gated":
        raise ValueError(f"reward mode {mode!r} is none of {', '.join(MODES)}")
    for name in GATES:
        gate = components.get(name)
        earned *= 1.0 if gate is None else gate
    return earned
