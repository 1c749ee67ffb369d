"""Invented rows in the header that ToMBench's authors give their files; no row of ToMBench-Hard itself is here."""

from __future__ import annotations

import csv
from pathlib import Path

HEADER = ("能力\nABILITY", "STORY", "QUESTION", "OPTION-A", "OPTION-B", "OPTION-C", "OPTION-D", "答案\nANSWER")


def hard_row(number: int, *, options: int = 4, gold: str = "B") -> list[str]:
    """One question on a story of its own."""
    rooms = [f"A. the attic {number}", f"the cellar {number}", f"the porch {number}", f"the barn {number}"]
    rooms = [room if at < options else "" for at, room in enumerate(rooms)]
    story = f"Ida puts kite {number} into the cellar and leaves. Tom takes it to the attic."
    return ["Belief: Location false beliefs", story, f"Where will Ida look for kite {number}?", *rooms, gold]


def hard_csv(path: Path, rows: list[list[str]], header: tuple[str, ...] = HEADER) -> Path:
    """Write them as a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path
