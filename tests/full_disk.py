"""Launch trainings on a disk that fills up, or that nobody may write, each in a fork that has paid for the imports.

    python -m tests.full_disk ROOT MODEL LIMIT...   -> one JSON object: what each launch came to

LIMIT: bytes that any one file may take (RLIMIT_FSIZE, errno EFBIG), as a quota does; after each the same run is launched
again without it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from pathlib import Path

from socialr1_lite import policy
from socialr1_lite.errors import command
from socialr1_lite.progress import Progress
from socialr1_lite.training import session
from tests import launches


def launch(folder: Path, model: str, limit: int | None) -> dict:
    """Train in a fork with that limit; its exit status and what it wrote to standard error at the end."""
    log = folder.parent / f"{folder.name}.log"
    child = os.fork()
    if child == 0:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        said, status = io.StringIO(), 1
        with contextlib.redirect_stderr(said):
            try:
                settings, quiet = launches.recipe(model), Progress(quiet=True)
                command(lambda: session.run_recipe(settings, run_dir=folder, strict=False, progress=quiet) and 0)
            except SystemExit as ended:
                status = int(ended.code or 0)
            except BaseException as error:
                said.write(f"Traceback: {type(error).__name__}: {error}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
        log.write_text(said.getvalue())
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    lines = [line for line in log.read_text().splitlines() if line.startswith(("error:", "Traceback"))]
    return {"status": status, "said": lines}


def main() -> None:
    root, model, limits = Path(sys.argv[1]), sys.argv[2], list(map(int, sys.argv[3:]))
    policy.choose_backend("auto")
    import datasets  # noqa: F401
    import trl

    assert trl.GRPOTrainer and trl.SFTTrainer  # trl loads them on first use
    found = {"undisturbed": [launch(root / "undisturbed", model, None)]}
    for limit in limits:
        full = launch(root / str(limit), model, limit)
        time.sleep(3)  # a lock that was cut counts as nobody's after two seconds
        found[str(limit)] = [full, launch(root / str(limit), model, None)]
        print(limit, found[str(limit)], file=sys.stderr, flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
