"""How OpenMP's threads wait: set before torch is loaded, and left to whoever has set it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import socialr1_lite

SAY = """
import os, sys
import socialr1_lite.train
from socialr1_lite.errors import machine_errors
print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_WAIT_POLICY"), "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({}, f"{socialr1_lite.SPIN} None False"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None False"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None ACTIVE False"),
    ],
)
def test_threads_stop_looking_for_work_unless_the_user_says_how_they_wait(own: dict[str, str], found: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", SAY], env=plain | own, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found
