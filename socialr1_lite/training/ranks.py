"""The processes of one run: which one this is, and what they hand each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from socialr1_lite.errors import RecipeError

if TYPE_CHECKING:
    from accelerate import PartialState

LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # by torchrun and accelerate launch

T = TypeVar("T")
Asked = TypeVar("Asked")

# How long processes wait for the slowest, and for the main one, which alone samples the preflight and scores.
COLLECTIVE_TIMEOUT = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among the processes of the run (torchrun, accelerate launch)."""

    rank: int
    processes: int

    @classmethod
    def here(cls) -> Ranks:
        """Read the environment that the launcher set.

        Raises RecipeError where it asks to share out the weights, or is only a part of what a launcher sets: this
        process would wait for others that nobody starts.
        """
        variable = os.environ.get
        if variable("ACCELERATE_USE_FSDP") == "true" or variable("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3":
            raise RecipeError(
                "FSDP and ZeRO-3 share the weights out, and here each process asks held-out questions and the first "
                "saves by itself: take multi_gpu, zero1 or zero2 of TRL's accelerate_configs, or export the recipe to "
                "verl"
            )
        rank, processes = variable("RANK", "0"), variable("WORLD_SIZE", "1")
        if processes != "1" or "LOCAL_RANK" in os.environ:
            missing = [name for name in LAUNCHED if not variable(name)]
            whole = rank.isdecimal() and processes.isdecimal() and int(rank) < int(processes)
            if missing or not whole:
                left = " ".join(name for name in LAUNCHED if name in os.environ)
                why = f"{', '.join(missing)} not set" if missing else f"RANK={rank}, WORLD_SIZE={processes}"
                raise RecipeError(
                    f"{left}: left over in the environment, for no launcher started this process ({why}); type "
                    f"`unset {left}`, or for several processes torchrun --nproc_per_node N -m socialr1_lite.train ..."
                )
        return cls(int(rank), int(processes))

    @property
    def main(self) -> bool:
        """The one process that writes what is written once."""
        return self.rank == 0

    def broadcast_from_main(self, make: Callable[[], T]) -> T:
        """Return on every process what `make` returns on the main one, which alone calls it; all must call this."""
        if self.processes == 1:
            return make()
        from accelerate.utils import broadcast_object_list

        self._state()
        made: list[T] = broadcast_object_list([make() if self.main else None])
        return made[0]

    def shared_out(self, items: Sequence[Asked], work: Callable[[list[Asked]], Sequence[T]]) -> list[T]:
        """Return what `work` makes of the items, in their order, each process having done every n-th; all call this.

        All shares are of one length, for which the last item is done more than once: a server wants as many of each.
        """
        if self.processes == 1 or not items:
            return list(work(list(items)))
        from accelerate.utils import gather_object

        self._state()
        each = -(-len(items) // self.processes)
        places = (place * self.processes + self.rank for place in range(each))
        made: list[T] = gather_object(list(work([items[min(place, len(items) - 1)] for place in places])))
        return [made[place % self.processes * each + place // self.processes] for place in range(len(items))]

    def wait_for_everyone(self) -> None:
        """Go on when every process has come here."""
        if self.processes > 1:
            self._state().wait_for_everyone()

    def _state(self) -> PartialState:
        import torch
        from accelerate import PartialState

        # Opens the process group, whose timeout nothing later can change. Without a GPU it must be given `cpu`, or
        # every process stays by itself and hears nothing of the others.
        return PartialState(cpu=not torch.cuda.is_available(), timeout=COLLECTIVE_TIMEOUT)
