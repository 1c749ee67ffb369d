"""A selection as one HTML file that opens offline: no script, nothing loaded, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply
from socialr1_lite.viewer.stage import formula, heading, outside, read_reply, states_of

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


def html_sheet(traces: Iterable[tuple[Trace, Scenario | None]], title: str) -> bytes:
    """Write the page."""
    body = "\n".join(_article(trace, scenario) for trace, scenario in traces)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )
    return page.encode("utf-8", "replace")


def _article(trace: Trace, scenario: Scenario | None) -> str:
    reply, completion = read_reply(trace, scenario), trace.completion
    title = f"<h2>{escape(heading(trace))}: {escape(trace.score.outcome)}</h2>"
    parts = ["<article>", title, *_scene(scenario, reply.answer)]
    parts += [f"<h3>No reply</h3>{_say(completion.error)}"] if completion.failed else _reply(trace, scenario, reply)
    advantage = "" if trace.advantage is None else f" · advantage {trace.advantage:+.2f}"
    total = f"reward {escape(formula(trace.score))}{advantage} · {completion.tokens} tokens"
    parts += [f'<p class="soft">{line}</p>' for line in (total, *map(escape, trace.score.notes))]
    return "".join([*parts, "</article>"])


def _reply(trace: Trace, scenario: Scenario | None, reply: Reply) -> Iterable[str]:
    states = states_of(trace, scenario, reply)
    for stage in STAGES:
        state = f"<span class=soft>{escape(states[stage])}</span>"
        yield f"<h3>{SHAPES[stage]} {TITLES[stage]} {state}</h3>{_say(reply.stage_text(stage))}"
    for part in outside(reply):
        yield f"<h3>Outside the stages <span class=soft>{escape(part['where'])}</span></h3>{_say(part['t'])}"
    yield f"<h3>Answer</h3>{_say(reply.answer_text or '(none)')}"


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
    line = f"{letter}. {escape(text)}{' (gold)' if gold else ''}{' (chosen)' if chosen else ''}"
    return f"<li{' class=gold' if gold else ''}>{line}</li>"


def _say(text: str) -> str:
    return f'<div class="say">{escape(text)}</div>' if text.strip() else ""
