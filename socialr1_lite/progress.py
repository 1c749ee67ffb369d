"""What the person at the keyboard sees while a run goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_STEPS = 12  # rows of the live table; older steps are in metrics.jsonl

# Column -> metric of metrics.jsonl. Loss is left out on purpose: near 0 is normal for GRPO and says nothing.
COLUMNS = {
    "reward": "reward",
    "format": "reward/format",
    "right": "outcome/right",
    "struct": "reward/structure",
    "content": "reward/content",
    "length": "reward/length",
    "informative": "groups/informative",
    "cut off": "truncated",
    "grad": "grad_norm",
}


class Progress:
    """Prints stages, notes and steps. `quiet` prints nothing (ranks other than 0)."""

    def __init__(self, *, stream: TextIO | None = None, quiet: bool = False) -> None:
        """stream: standard output unless given; a terminal gets the live table."""
        self._stream = stream or sys.stdout
        self._quiet = quiet
        self._live = self._stream.isatty()

    def say(self, text: str = "") -> None:
        """Print one line."""
        if not self._quiet:
            print(text, file=self._stream, flush=True)

    @contextmanager
    def steps(self, total: int, first: int = 0) -> Iterator[Steps]:
        """Show a table of training steps, from step `first` of `total`."""
        steps = Steps(total, first, None if self._live and not self._quiet else self.say)
        if steps.plain:
            yield steps
            return
        from rich.console import Console
        from rich.live import Live

        with Live(steps.table(), console=Console(file=self._stream), refresh_per_second=4) as live:
            steps.redraw = lambda: live.update(steps.table())
            yield steps

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a small table in plain text: first column left, the others right."""
        columns = list(zip(header, *rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        for row in (header, *rows):
            first, *rest = (
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            self.say("  " + "  ".join([first, *rest]))


class Steps:
    """The steps seen so far and the time that is left."""

    def __init__(self, total: int, first: int, say: Callable[[str], None] | None) -> None:
        """say: prints a line each step where there is no live table."""
        self.plain = say is not None
        self._say = say
        self._total = total
        self._first = first
        self._started = time.monotonic()
        self._rows: list[tuple[int, Mapping[str, float]]] = []
        self.redraw: Callable[[], None] | None = None

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show one logging step: metrics by the names of metrics.jsonl."""
        self._rows = [*self._rows, (step, metrics)][-SHOWN_STEPS:]
        if self.redraw is not None:
            self.redraw()
        elif self._say is not None:
            figures = "  ".join(f"{name} {_number(metrics.get(key))}" for name, key in COLUMNS.items())
            self._say(f"step {step:>{len(str(self._total))}}/{self._total}  {figures}  {self.pace(step, metrics)}")

    def pace(self, step: int, metrics: Mapping[str, float]) -> str:
        """Return tokens a second while sampling, seconds a step, the time that is left, and the alarms that sound."""
        done = step - self._first
        if done <= 0:
            return ""
        each = (time.monotonic() - self._started) / done
        left = clock(each * (self._total - step))
        alarms = "".join(f"  ALARM: {key[6:]}" for key, on in metrics.items() if key.startswith("alarm/") and on)
        return f"{_number(metrics.get('tokens_per_s'), '.0f')} tok/s  {each:.1f} s/step  {left} left{alarms}"

    def table(self) -> Table:
        """Return the last steps as a rich table."""
        from rich.table import Table

        pace = self.pace(*self._rows[-1]) if self._rows else "sampling the first groups"
        table = Table(title=f"GRPO  {pace}", title_justify="left", expand=False)
        table.add_column("step", justify="right")
        for name in COLUMNS:
            table.add_column(name, justify="right")
        for step, metrics in self._rows:
            table.add_row(f"{step}/{self._total}", *(_number(metrics.get(key)) for key in COLUMNS.values()))
        return table


def _number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def clock(seconds: float) -> str:
    """75 -> "1:15"; 3700 -> "1:01:40"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
