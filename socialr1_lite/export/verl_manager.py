"""verl's reward manager, telling the reward how many tokens a completion has.

    reward.reward_manager.source=importlib
    reward.reward_manager.module.path=pkg://socialr1_lite.export.verl_manager
    reward.reward_manager.name=CountingRewardManager

verl's own hands over a completion as text; tokenizing that again need not give the tokens that were sampled.
"""

from __future__ import annotations

from functools import cache
from typing import Any

NAME = "CountingRewardManager"


def __getattr__(name: str) -> Any:
    """The class, made when verl asks for it: nothing else may need verl to import this package."""
    if name == NAME:
        return counting_reward_manager()
    raise AttributeError(name)


@cache
def counting_reward_manager() -> type:
    """The naive manager of verl 0.9.1, with `extra_info["tokens"]`: sampled tokens, the end token included."""
    import numpy as np
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

    class CountingRewardManager(NaiveRewardManager):  # type: ignore[misc]  # verl is untyped
        async def run_single(self, data: Any) -> dict[str, Any]:
            """Score one completion. data: a DataProto of one trajectory."""
            single = data[-1:]
            length = single.batch["responses"].shape[-1]
            extra = dict(single.non_tensor_batch["extra_info"][0])
            extra["tokens"] = int(single.batch["attention_mask"][0, -length:].sum())
            # A dict of its own: completions of one prompt may share theirs, and are scored side by side.
            own = np.empty(1, dtype=object)
            own[0] = extra
            single.non_tensor_batch["extra_info"] = own
            score: dict[str, Any] = await super().run_single(single)
            return score

    return CountingRewardManager
