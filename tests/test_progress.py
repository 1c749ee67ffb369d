"""Plain lines where there is no terminal, a live table where there is one."""

from __future__ import annotations

import io

from socialr1_lite.progress import Progress, clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


METRICS = {"reward": 0.5, "reward/format": 1.0, "groups/informative": 0.25, "tokens_per_s": 80.4}


def test_a_step_is_a_plain_line_in_a_pipe():
    out = io.StringIO()
    with Progress(stream=out).steps(20) as steps:
        steps.log(3, METRICS)
    line = out.getvalue()
    assert "step  3/20" in line
    assert "reward 0.50" in line
    assert "informative 0.25" in line
    assert "80 tok/s" in line
    assert "left" in line
    assert "\x1b" not in line


def test_a_metric_that_is_missing_is_a_dash():
    out = io.StringIO()
    with Progress(stream=out).steps(20) as steps:
        steps.log(1, {"reward": 0.5})
    assert "format -" in out.getvalue()


def test_a_terminal_gets_one_table_that_is_redrawn(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    out = Terminal()
    with Progress(stream=out).steps(20) as steps:
        steps.log(1, METRICS)
        steps.log(2, METRICS)
    assert "2/20" in out.getvalue()
    assert "informative" in out.getvalue()


def test_quiet_says_nothing():
    out = io.StringIO()
    progress = Progress(stream=out, quiet=True)
    progress.say("hello")
    with progress.steps(2) as steps:
        steps.log(1, METRICS)
    assert out.getvalue() == ""


def test_a_resumed_run_reckons_its_pace_from_where_it_resumed():
    out = io.StringIO()
    with Progress(stream=out).steps(20, first=10) as steps:
        assert steps.pace(10, {}) == ""
        assert "s/step" in steps.pace(11, {})


def test_clock():
    assert (clock(75), clock(3700), clock(0.4)) == ("1:15", "1:01:40", "0:00")


def test_a_table_lines_up():
    out = io.StringIO()
    Progress(stream=out).table(["what", "n"], [["a", "1"], ["longer", "200"]])
    assert out.getvalue().splitlines() == ["  what      n", "  a         1", "  longer  200"]
