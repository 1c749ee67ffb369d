"""Where tests take their honest replies from: the judges' audit has the builders (socialr1_lite/judges/honest.py)."""

from socialr1_lite.judges.audit.references import honest_gold, honest_reply, tombench_files, tombench_rows

__all__ = ["honest_gold", "honest_reply", "tombench_files", "tombench_rows"]
