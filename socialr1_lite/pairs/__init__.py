"""Stage-level preference pairs: what a reward model learns from, and the check that they teach the right thing.

    from socialr1_lite.pairs import make_pairs, read_pairs, write_pairs

A pair is a JSON line; the schema is the docstring of `Pair`. Whatever has these fields loads, wherever it comes from.
"""

from socialr1_lite.pairs.made import make_pairs
from socialr1_lite.pairs.record import Pair, read_pairs, write_pairs

__all__ = ["Pair", "make_pairs", "read_pairs", "write_pairs"]
