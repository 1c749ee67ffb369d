"""The smoke run of every recipe named, in one process that pays for the imports once.

    python -m tests.smokes ROOT RECIPE ...

The recipes' own settings as `--smoke` leaves them, on a model of random weights with the embedded model's words: what
a recipe says is what is tried, not what a model can do. Prints one JSON object: recipe -> "" or what went wrong.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from socialr1_lite import policy
from socialr1_lite.gpu_check.random_model import make_random_model
from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import load_recipe
from socialr1_lite.train import run_recipe
from tests.hard import hard_csv, hard_row

TINY = Architecture("tiny", 49152, 64, 2, 4, 2, 16, 128, tied=True)


def one(path: Path, root: Path, model: Path) -> str:
    """Train it; "" when the run is whole."""
    small = smoke(load_recipe(path))
    small = small.model_copy(update={"model": small.model.model_copy(update={"name": str(model)})})
    if load_recipe(path).data.source == "tombench-hard":
        rows = hard_csv(root / "ToMBench_Hard_train.csv", [hard_row(n) for n in range(20)])
        small = small.model_copy(update={"data": small.data.model_copy(update={"source": str(rows)})})
    try:
        with (root / f"{path.stem}.log").open("w") as log:
            run_recipe(small, run_dir=root / path.stem, strict=False, progress=Progress(stream=log))
    except Exception:  # one recipe that breaks must not hide the others
        return traceback.format_exc()[-2000:]
    return ""


def main() -> None:
    root, paths = Path(sys.argv[1]), [Path(text) for text in sys.argv[2:]]
    policy.choose_backend("auto")  # Unsloth first
    model = make_random_model(root / "model", TINY)
    print(json.dumps({path.stem: one(path, root, model) for path in paths}))


if __name__ == "__main__":
    main()
