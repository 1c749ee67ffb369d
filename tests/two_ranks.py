"""One of several training processes, started by torchrun: `train`, plus what this process ends with.

    torchrun --nproc_per_node 2 -m tests.two_ranks FOLDER RECIPE RUN

Writes FOLDER/rank<N>.json: the digest of this process's own trained weights, and what the first one stored of a
held-out check that both made and of one that it made alone.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from socialr1_lite.recipe import load_recipe
from socialr1_lite.training import session
from socialr1_lite.training.heldout import check_heldout
from socialr1_lite.training.ranks import Ranks


def digest(model: Any) -> str:
    """SHA-256 over the trainable weights, by name."""
    found = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        if weight.requires_grad:
            found.update(name.encode() + weight.detach().float().cpu().numpy().tobytes())
    return found.hexdigest()


def asked(training: session.Training, policy: Any, checks: Any, ranks: Ranks) -> list[dict[str, Any]]:
    """The rows that a held-out check of these processes stores."""
    rows: list[Any] = []
    kept: Any = {"label": "compared", "step": 0, "traces": SimpleNamespace(write=rows.extend), "ranks": ranks}
    check_heldout(policy, training.recipe, training.stack, checks.scenarios, **kept)
    return [row.to_row() for row in rows]


def main() -> None:
    """Train as the command line does, telling the weights just before the run is finished."""
    folder, recipe, run = map(Path, sys.argv[1:])
    finish = session.Training._finish

    def digesting_finish(self: session.Training, policy: Any, checks: Any, traces: Any) -> None:
        found = {"weights": digest(policy.model), "both": asked(self, policy, checks, self.ranks)}
        if self.ranks.main:
            found["alone"] = asked(self, policy, checks, Ranks(0, 1))
        (folder / f"rank{self.ranks.rank}.json").write_text(json.dumps(found))
        finish(self, policy, checks, traces)

    session.Training._finish = digesting_finish  # type: ignore[method-assign]
    # Not strict: the preflight rightly refuses a random model whose every completion is cut off.
    session.run_recipe(load_recipe(recipe), run_dir=run, strict=False)


if __name__ == "__main__":
    main()
