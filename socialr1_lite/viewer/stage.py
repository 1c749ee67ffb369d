"""One completion, stage by stage: what the main screen shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from socialr1_lite.judges import JUDGES
from socialr1_lite.runlog import total_reward
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, has_words, parse, sentences, stage_states
from socialr1_lite.viewer.marks import Mark, pieces, stage_marks

Json = dict[str, Any]
Row = Mapping[str, Any]

COMPONENTS = ("format", "outcome", "structure", "content", "length")
NAMES = {"format": "Format", "outcome": "Outcome", "structure": "Structure", "content": "Content", "length": "Length"}
NOTES_OF = {  # how the notes of each component begin (rewards/*)
    "format": (
        "format",
        *("one_think", "one_answer", "think_before", "nothing_outside", "not_nested", "reasoning_not", "answer_names"),
    ),
    "outcome": ("outcome", "answer"),
    "structure": ("structure", "coverage", "order", "independence"),
    "content": ("content", "judge", *STAGES, *TITLES.values(), *(name + end for name in JUDGES for end in ":_")),
    "length": ("length", "window", "repetition", "truncated"),
}
CARD_NOTES = {
    "missing": "This stage is missing.",
    "empty": "The heading stands here, with nothing under it.",
    "cut off": "The token limit cut the reply off in this stage.",
    "out of order": "Told in another place than theory has it.",
}


def read_reply(row: Row, scenario: Scenario | None) -> Reply:
    """The completion of a row, parsed as training parsed it."""
    return parse(row["completion"], scenario.options if scenario else (), prefilled=bool(row["prefilled"]))


def states_of(row: Row, scenario: Scenario | None, reply: Reply | None = None) -> Mapping[str, str]:
    """What became of each stage: as the row says, else read from its text."""
    if row.get("stages"):
        return dict(row["stages"])
    truncated = row["finish"] == "length"
    return dict(stage_states(reply or read_reply(row, scenario), truncated=truncated))


def stage_view(row: Row, scenario: Scenario | None, siblings: Sequence[Row], flat_cause: str = "") -> Json:
    """Everything the stage view draws of one row, but its place among others."""
    reply = read_reply(row, scenario)
    marks = stage_marks(reply, scenario)
    states = dict(stage_states(reply, truncated=row["finish"] == "length"))
    total = total_reward(row["components"], row["weights"], row["mode"], row["tau"])
    return {
        "step": row["step"],
        "group": row["group"],
        "index": row["index"],
        "heading": heading(row),
        "outcome": row["outcome"],
        "total": total,
        "advantage": row["advantage"],
        "tau": row["tau"],
        "mode": row["mode"],
        "tokens": row["tokens"],
        "finish": row["finish"],
        "prefilled": reply.prefilled,
        "superseded": bool(row.get("superseded")),
        "scenario": None if scenario is None else scenario_json(scenario, reply, marks),
        "cards": [card(stage, states[stage], row, reply, marks) for stage in STAGES],
        "outside": outside(reply),
        "unmarked": not reply.marked and bool(reply.segments),
        "answer_text": reply.answer_text,
        "answer_note": "There is no answer block." if reply.answer_span is None else "The answer block is empty.",
        "flags": flags(row, marks),
        "ledger": ledger(row, siblings, total),
        "flat": flat_words(flat_cause, len(siblings)),
        "facts": list(facts(row)),
        "prompt": prompt_json(row),
        "completion": row["completion"],
        "row": {key: row[key] for key in row if key not in ("prompt", "completion")},
    }


def heading(row: Row) -> str:
    """How a completion is called: by where it came from."""
    if row["phase"] == "eval":
        return f"{row.get('benchmark') or 'Evaluation'} · step {row['step']} · item {row['group']}"
    return f"Step {row['step']} · group {row['group']} · #{row['index']}"


def flat_words(cause: str, n: int) -> str:
    """Why nobody in the group has an advantage, in words; "" when somebody has."""
    return f"All {n} completions earned the same ({cause}), so nothing is learned from this group." if cause else ""


def scenario_json(scenario: Scenario, reply: Reply, marks: Sequence[Mark]) -> Json:
    """The story with its quoted and decisive sentences, the question, the options with gold and choice."""
    decisive, known = decisive_sentences(scenario)
    quoted = {cue for mark in marks if mark.kind == "quote" for cue in mark.cues}
    meta = {
        key: value
        for key, value in scenario.meta.items()
        if isinstance(value, (str, int)) and not isinstance(value, bool)
    }
    return {
        "id": scenario.id,
        "dimension": scenario.dimension,
        "meta": [[str(key), str(value)[:40]] for key, value in list(meta.items())[:4]],
        "story": story_pieces(scenario.story, quoted, decisive),
        "question": scenario.question,
        "options": [
            {"letter": letter, "text": text, "gold": i in scenario.gold, "chosen": i == reply.answer}
            for i, (letter, text) in enumerate(zip(scenario.letters, scenario.options, strict=True))
        ],
        "gold_text": scenario.gold_text,
        "legend": legend(bool(quoted), known),
    }


def legend(quoted: bool, known: bool) -> str:
    """What the lines under the story's sentences mean."""
    told = ["Shaded: encoded as a cue by this reply." if quoted else "No sentence of the story is encoded as a cue."]
    if known:
        told.append("Grey line: decisive for the answer.")
    return " ".join(told)


def decisive_sentences(scenario: Scenario) -> tuple[set[int], bool]:
    """Which sentences of the story decide the answer, and whether that is known at all."""
    if scenario.facts is None:
        return set(), False
    spans = sentences(scenario.story)
    cues = {" ".join(scenario.facts.sentences[cue].split()) for cue in scenario.facts.cues}
    return {
        i
        for i, (start, end) in enumerate(spans)
        if any(cue in said or said in cue for cue in cues for said in [" ".join(scenario.story[start:end].split())])
    }, True


def story_pieces(story: str, quoted: set[int], decisive: set[int]) -> list[Json]:
    """The story's sentences and what stands between them; joined they give it back."""
    cut: list[Json] = []
    at = 0
    for i, (start, end) in enumerate(sentences(story)):
        if at < start:
            cut.append({"t": story[at:start], "sentence": None, "quoted": False, "decisive": False})
        title = (
            "decisive, and encoded"
            if i in quoted and i in decisive
            else "decisive, not encoded"
            if i in decisive
            else ""
        )
        cut.append(
            {"t": story[start:end], "sentence": i, "quoted": i in quoted, "decisive": i in decisive, "title": title}
        )
        at = end
    if at < len(story):
        cut.append({"t": story[at:], "sentence": None, "quoted": False, "decisive": False})
    return cut


def card(stage: str, state: str, row: Row, reply: Reply, marks: Sequence[Mark]) -> Json:
    """One stage: its segments as pieces, its state in words, its share of the reasoning."""
    mine = [segment for segment in reply.segments if segment.stage == stage and segment.body.end > segment.body.start]
    order = [segment.stage for segment in reply.segments if segment.stage is not None]
    words = sum(len(reply.body(segment).split()) for segment in mine)
    everything = sum(len(reply.body(segment).split()) for segment in reply.segments)
    states = [state] + (["repeated"] if len(mine) > 1 and state in ("out of order", "cut off") else [])
    return {
        "stage": stage,
        "state": state,
        "states": states,
        "words": words,
        "share": words / everything if everything else 0.0,
        "score": row["parts"].get(f"content.{stage}"),
        "note": CARD_NOTES.get(state, "")
        + (f" It came as number {order.index(stage) + 1}." if state == "out of order" else ""),
        "segments": [
            {"note": "and again, further on", "pieces": pieces(reply.text, segment.body, marks)} for segment in mine
        ],
    }


def outside(reply: Reply) -> list[Json]:
    """Text that belongs to no stage, never hidden: before the first one, between blocks, after the answer."""
    staged = [segment.span.start for segment in reply.segments if segment.stage is not None]
    first = min(staged, default=len(reply.text))
    found = [
        (segment.body.start, segment.body.end, "in the reasoning")
        for segment in reply.segments
        if segment.stage is None and has_words(reply.text, segment.body)
    ]
    found += [(start, end, "outside the blocks") for start, end in reply.outside]
    return [
        {"t": reply.text[start:end].strip(), "before": start < first, "where": where}
        for start, end, where in sorted(found)
    ]


def flags(row: Row, marks: Sequence[Mark]) -> list[Json]:
    """What a reader should know at once."""
    told = []
    if row["finish"] == "length":
        told.append("cut at the token limit")
    if any(mark.kind == "early" for mark in marks):
        told.append("early answer")
    if any(mark.kind == "loop" for mark in marks):
        told.append("repeats itself")
    if sum(mark.kind == "invented" for mark in marks) > 0:
        told.append("cue not in the story")
    return [{"label": label} for label in told]


def ledger(row: Row, siblings: Sequence[Row], total: float) -> Json:
    """Every component with its weight, what it adds to the total, its group's mean, and why, in words."""
    notes = sort_notes(row.get("notes") or ())
    gates = gate_product(row)
    return {
        "rows": [
            term(name, row, siblings, gates, notes.get(name, [])) for name in COMPONENTS if name in row["components"]
        ],
        "loose": notes.get("", []),
        "formula": formula(row, total),
    }


def term(name: str, row: Row, siblings: Sequence[Row], gates: float, why: list[str]) -> Json:
    """One line of the ledger."""
    told = [x for x in (sibling.get(f"reward.{name}") for sibling in siblings) if x is not None]
    prefix = f"{name}."
    return {
        "name": name,
        "title": NAMES[name],
        "role": role(name, row),
        "value": row["components"].get(name),
        "contribution": contribution(name, row, gates),
        "mean": fmean(told) if len(told) > 1 else None,
        "sd": pstdev(told) if len(told) > 1 else None,
        "parts": [
            {"name": part.removeprefix(prefix).replace("_", " "), "value": value}
            for part, value in row["parts"].items()
            if part.startswith(prefix)
        ],
        "why": why,
    }


def role(name: str, row: Row) -> str:
    """What a component does in the total, in words."""
    weight = row["weights"].get(name, 0.0)
    if name in ("structure", "content"):
        return f"weight {weight:g} × τ {row['tau']:.2f}"
    if name == "outcome" or row["mode"] == "additive":
        return f"weight {weight:g}"
    return "gate: multiplies the rest"


def gate_product(row: Row) -> float:
    """The product of the gates; 1 in additive mode."""
    if row["mode"] == "additive":
        return 1.0
    product = 1.0
    for name in ("format", "length"):
        value = row["components"].get(name)
        product *= 1.0 if value is None else value
    return product


def contribution(name: str, row: Row, gates: float) -> float | None:
    """What a component adds to the total; None for a gate. Over all components this sums to the total."""
    value = row["components"].get(name)
    if value is None or (name in ("format", "length") and row["mode"] != "additive"):
        return None
    factor = row["tau"] if name in ("structure", "content") else 1.0
    return float(row["weights"].get(name, 0.0) * factor * value * gates)


def formula(row: Row, total: float) -> str:
    """The total, written out with its numbers."""
    parts, weights, tau = row["components"], row["weights"], row["tau"]

    def product(name: str) -> str:
        return f"{weights.get(name, 0.0):g}·{parts[name]:.2f}"

    process = [product(name) for name in ("structure", "content") if parts.get(name) is not None]
    told = [product("outcome")] if parts.get("outcome") is not None else []
    told += [f"{tau:.2f}·({' + '.join(process)})"] if process else []
    gates = [name for name in ("format", "length") if parts.get(name) is not None]
    if row["mode"] == "additive":
        return f"{' + '.join([*told, *map(product, gates)]) or '0'} = {total:.3f}"
    factors = {name: f"{parts[name]:.2f}" for name in gates}
    inner = f"({' + '.join(told) or '0'})"
    return (
        " × ".join(
            [
                *([factors["format"]] if "format" in factors else []),
                inner,
                *([factors["length"]] if "length" in factors else []),
            ]
        )
        + f" = {total:.3f}"
    )


def sort_notes(notes: Iterable[str]) -> dict[str, list[str]]:
    """Each note under the component it speaks of; "" holds the others."""
    sorted_: dict[str, list[str]] = {}
    for note in notes:
        start = note.lower()
        owner = next((name for name, begins in NOTES_OF.items() if start.startswith(tuple(map(str.lower, begins)))), "")
        sorted_.setdefault(owner, []).append(note)
    return sorted_


def facts(row: Row) -> Iterable[tuple[str, str]]:
    """How a completion was made, as name and value."""
    yield "tokens", f"{row['tokens']}"
    yield "ended by", "the token limit" if row["finish"] == "length" else "itself"
    for name, value in (row.get("sampling") or {}).items():
        yield str(name)[:40], str(value)[:40]
    if judge := (row.get("judge") or {}).get("name"):
        yield "judge", str(judge)[:60]
    if row.get("segment"):
        yield "launch", f"{row['segment'] + 1}"


def prompt_json(row: Row) -> list[Json]:
    """The messages of the prompt, whatever shape a foreign file gave them."""
    prompt = row["prompt"]
    if isinstance(prompt, str):
        return [{"role": "prompt", "content": prompt}]
    return [
        {"role": str(message.get("role", "")), "content": str(message.get("content", ""))}
        for message in prompt
        if isinstance(message, Mapping)
    ]
