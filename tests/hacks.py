"""Where tests take the hacks from: the judges' audit has them (socialr1_lite/judges/audit/hacks.py)."""

from socialr1_lite.judges.audit.hacks import HACKS, Honest

__all__ = ["HACKS", "Honest"]
