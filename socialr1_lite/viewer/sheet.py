"""A selection as one HTML file that opens offline: no script, nothing loaded, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES
from socialr1_lite.viewer.stage import formula, heading, outside, read_reply, states_of

Row = Mapping[str, Any]

SHAPES = dict(zip(STAGES, "●◆▲■", strict=True))
STYLE = """
:root { color-scheme: light dark; --ink: #1d1c1a; --soft: #5a564e; --paper: #fbfaf7; --card: #fff; --line: #e3ded4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceae4; --soft: #b0ada4; --paper: #14151a; --card: #1c1e25; --line: #333742; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.6 Georgia, serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { line-height: 1.25; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem;
  margin: 1.5rem 0; }
.say { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 .8rem; }
.soft { color: var(--soft); font: 13px/1.5 system-ui, sans-serif; }
h3 { font: 600 15px/1.4 system-ui, sans-serif; margin: .8rem 0 0; }
li { overflow-wrap: anywhere; }
.gold { font-weight: 700; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html_sheet(rows: Iterable[tuple[Row, Scenario | None]], title: str) -> bytes:
    """The page."""
    body = "\n".join(_article(row, scenario) for row, scenario in rows)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )
    return page.encode("utf-8", "replace")


def _article(row: Row, scenario: Scenario | None) -> str:
    reply = read_reply(row, scenario)
    states = states_of(row, scenario, reply)
    told = [f"<article><h2>{escape(heading(row))}: {escape(str(row['outcome']))}</h2>", *_scene(scenario, reply.answer)]
    for stage in STAGES:
        text = reply.stage_text(stage)
        told.append(
            f"<h3>{SHAPES[stage]} {TITLES[stage]} <span class=soft>{escape(states[stage])}</span></h3>{_say(text)}"
        )
    told += [
        f"<h3>Outside the stages <span class=soft>{escape(part['where'])}</span></h3>{_say(part['t'])}"
        for part in outside(reply)
    ]
    told.append(f"<h3>Answer</h3>{_say(reply.answer_text or '(none)')}")
    advantage = "" if row.get("advantage") is None else f" · advantage {row['advantage']:+.2f}"
    told.append(
        f'<p class="soft">reward {escape(formula(row, row["total"]))}{advantage} · {int(row["tokens"])} tokens</p>'
    )
    told += [f'<p class="soft">{escape(str(note))}</p>' for note in row.get("notes") or ()]
    return "".join([*told, "</article>"])


def _scene(scenario: Scenario | None, chosen: int | None) -> Iterable[str]:
    if scenario is None:
        return
    yield _say(scenario.story) + _say(scenario.question)
    options = (
        _option(letter, text, gold=i in scenario.gold, chosen=i == chosen)
        for i, (letter, text) in enumerate(zip(scenario.letters, scenario.options, strict=True))
    )
    yield f"<ul>{''.join(options)}</ul>"


def _option(letter: str, text: str, *, gold: bool, chosen: bool) -> str:
    told = f"{letter}. {escape(text)}{' (gold)' if gold else ''}{' (chosen)' if chosen else ''}"
    return f"<li{' class=gold' if gold else ''}>{told}</li>"


def _say(text: str) -> str:
    return f'<div class="say">{escape(text)}</div>' if text.strip() else ""
