"""Recording fakes of wandb, mlflow and trackio: the part of each module's interface that transformers calls.

`write(FOLDER)` makes packages of these names there; each appends what it is told to FOLDER/told.jsonl.
"""

from __future__ import annotations

import json
from pathlib import Path

COMMON = """
import json, os, pathlib, sys
from types import SimpleNamespace

def tell(what, value=None):
    if os.environ.get("TRACKER_FAILS") == what:
        raise ConnectionError("it is away\\nsecond line")
    row = {"tracker": __name__, "what": what, "value": value, "argv": sys.argv if what == "begin" else []}
    with (pathlib.Path(__file__).parent.parent / "told.jsonl").open("a") as file:
        file.write(json.dumps(row, default=lambda one: repr(vars(one)) if hasattr(one, "__dict__") else str(one)) + "\\n")

class Config(dict):
    def update(self, values, allow_val_change=False):
        tell("config", values)
"""
WANDB = """
run, config = None, Config()

def init(**given):
    global run
    tell("begin", given)
    run = SimpleNamespace(summary={}, _label=lambda **_: None, id="x", url="", name=given.get("name"))

def define_metric(*_, **__): pass
def log(values): tell("log", values)
def termwarn(*_, **__): pass

def finish():
    global run
    tell("end")
    run = None
"""
TRACKIO = """
config = Config()
context_vars = SimpleNamespace(current_space_id=SimpleNamespace(get=lambda: None))
def init(**given): tell("begin", given)
def log(values): tell("log", values)
def finish(): tell("end")
"""
MLFLOW = """
__version__ = "3.0.0"
utils = SimpleNamespace(validation=SimpleNamespace(MAX_PARAM_VAL_LENGTH=6000, MAX_PARAMS_TAGS_PER_BATCH=1000))
_run = None
def is_tracking_uri_set(): return True
def get_tracking_uri(): return ""
def active_run(): return _run
def start_run(**given):
    global _run
    tell("begin", given)
    _run = SimpleNamespace(info=SimpleNamespace(run_id="x"))
def log_params(values, synchronous=True): tell("config", values)
def log_metrics(metrics, step, synchronous=True): tell("log", metrics | {"train/global_step": step})
def end_run():
    global _run
    tell("end")
    _run = None
"""
OWN = {"wandb": WANDB, "trackio": TRACKIO, "mlflow": MLFLOW}


def write(folder: Path, *names: str) -> None:
    """Make the packages of these names there, or all three."""
    for name in names or OWN:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(COMMON + OWN[name])
    if (folder / "wandb").is_dir():
        deep = folder / "wandb" / "sdk" / "lib"
        deep.mkdir(parents=True)
        for package in (deep.parent, deep):
            (package / "__init__.py").write_text("")
        (deep / "config_util.py").write_text("class ConfigError(Exception): pass\n")


def told(folder: Path) -> list[dict]:
    """Return what the trackers were told, in order."""
    path = folder / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
