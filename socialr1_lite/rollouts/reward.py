"""The one formula that turns components into a reward; stored rows keep the components, never the total."""

from __future__ import annotations

from collections.abc import Mapping

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
    earned = _term("outcome", components, weights)
    earned += tau * (_term("structure", components, weights) + _term("content", components, weights))
    if mode == "additive":
        return earned + _term("format", components, weights) + _term("length", components, weights)
    if mode != "gated":
        raise ValueError(f"reward mode {mode!r} is none of {', '.join(MODES)}")
    for name in GATES:
        gate = components.get(name)
        if gate is not None:
            earned *= gate
    return earned


def _term(name: str, components: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
    value = components.get(name)
    return 0.0 if value is None else weights.get(name, 0.0) * value
