"""What this machine can do, and the line to type for each missing thing: what the doctor finds, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fix"]  # fine; works, but know this; training cannot work before it is fixed


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and the line to type where it can be put right."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as the driver reports it. memory_gb: in GiB. capability: (major, minor). driver: its version."""

    name: str
    memory_gb: float
    capability: tuple[int, int]
    driver: str = ""
