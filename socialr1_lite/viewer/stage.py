"""One completion, stage by stage: what the main screen shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, pstdev

from socialr1_lite.judges import JUDGES
from socialr1_lite.rollouts.reward import COMPONENTS, GATES, PROCESS, TERMS, Score
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog.index_file import Row
from socialr1_lite.runlog.rejudged import StoredVerdict
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, has_words, parse, sentences, stage_states
from socialr1_lite.viewer.marks import Mark, pieces, stage_marks
from socialr1_lite.viewer.serving import Json

# How notes begin that do not begin with their component's name.
OTHER_BEGINNINGS = {
    "format": (
        *("one_think", "one_answer", "think_before", "nothing_outside", "not_nested", "reasoning_not", "answer_names"),
    ),
    "outcome": ("answer",),
    "structure": ("coverage", "order", "independence"),
    "content": ("judge", *STAGES, *TITLES.values()),
    "length": ("window", "repetition", "truncated"),
}
CARD_NOTES = {
    "missing": "This stage is missing.",
    "empty": "The heading stands here, with nothing under it.",
    "cut off": "The token limit cut the reply off in this stage.",
    "out of order": "Told in another place than theory has it.",
}


def read_reply(trace: Trace, scenario: Scenario | None) -> Reply:
    """Parse a completion as training parsed it."""
    completion = trace.completion
    return parse(completion.text, scenario.options if scenario else (), prefilled=completion.prefilled)


def states_of(trace: Trace, scenario: Scenario | None, reply: Reply | None = None) -> Mapping[str, str]:
    """Return what became of each stage: as the row says, else read from its text."""
    if trace.stages:
        return trace.stages
    return stage_states(reply or read_reply(trace, scenario), truncated=trace.completion.truncated)


def stage_view(
    trace: Trace,
    scenario: Scenario | None,
    siblings: Sequence[Row] = (),
    flat_cause: str = "",
    verdicts: Sequence[StoredVerdict] = (),
) -> Json:
    """Return everything the stage view draws of one completion, but its place among others.

    siblings: the scalar rows of its group, itself among them. verdicts: of judges that were asked again.
    """
    reply, completion, score = read_reply(trace, scenario), trace.completion, trace.score
    marks = stage_marks(reply, scenario)
    states = stage_states(reply, truncated=completion.truncated)
    return {
        "step": trace.step,
        "group": trace.group,
        "index": trace.index,
        "heading": heading(trace),
        "outcome": score.outcome,
        "total": trace.total,
        "advantage": trace.advantage,
        "tau": score.tau,
        "mode": score.mode,
        "tokens": completion.tokens,
        "finish": completion.finish,
        "ended_by": ended_by(trace),
        "failure": (completion.error or "no reason was given") if completion.failed else "",
        "prefilled": reply.prefilled,
        "superseded": trace.superseded,
        "scenario": None if scenario is None else scenario_json(scenario, reply, marks),
        "cards": []
        if completion.failed
        else [card(stage, states[stage], score, reply, marks, verdicts) for stage in STAGES],
        "outside": outside(reply),
        "unmarked": not reply.marked and bool(reply.segments),
        "answer_text": reply.answer_text,
        "answer_note": answer_note(trace, reply),
        "flags": flags(trace, marks),
        "ledger": ledger(trace, siblings) | {"verdicts": [loose_verdict(verdict) for verdict in verdicts]},
        "flat": flat_words(flat_cause, len(siblings)),
        "facts": list(facts(trace)),
        "prompt": [{"role": one.get("role", ""), "content": one.get("content", "")} for one in trace.prompt],
        "completion": completion.text,
        "row": {key: value for key, value in trace.to_row().items() if key not in ("prompt", "completion")},
    }


def heading(trace: Trace) -> str:
    """Return how a completion is called: by where it came from."""
    if trace.phase == "eval":
        return f"{trace.benchmark or 'Evaluation'} · step {trace.step} · item {trace.group}"
    return f"Step {trace.step} · group {trace.group} · #{trace.index}"


def ended_by(trace: Trace) -> str:
    """Return what ended the completion, in words."""
    return {"length": "the token limit", "failed": "an error"}.get(trace.completion.finish, "itself")


def answer_note(trace: Trace, reply: Reply) -> str:
    """Return why there is no answer to show."""
    if trace.completion.failed:
        return "There is no reply."
    return "There is no answer block." if reply.answer_span is None else "The answer block is empty."


def flat_words(cause: str, n: int) -> str:
    """Return why nobody in the group has an advantage, in words; "" when somebody has."""
    return f"All {n} completions earned the same ({cause}), so nothing is learned from this group." if cause else ""


def scenario_json(scenario: Scenario, reply: Reply, marks: Sequence[Mark]) -> Json:
    """Return the story with its quoted and decisive sentences, the question, the options with gold and choice."""
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
    """Return what the lines under the story's sentences mean."""
    words = "Shaded: encoded as a cue by this reply." if quoted else "No sentence of the story is encoded as a cue."
    return f"{words} Grey line: decisive for the answer." if known else words


def decisive_sentences(scenario: Scenario) -> tuple[set[int], bool]:
    """Return which sentences of the story decide the answer, and whether that is known at all."""
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
    """Return the story's sentences and what stands between them; joined they give it back."""
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


def card(
    stage: str, state: str, score: Score, reply: Reply, marks: Sequence[Mark], verdicts: Sequence[StoredVerdict] = ()
) -> Json:
    """Return one stage: its segments as pieces, its state in words, its share of the reasoning, its scores."""
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
        "score": score.parts.get(f"content.{stage}"),
        "verdicts": [stage_verdict(stage, verdict) for verdict in verdicts],
        "note": CARD_NOTES.get(state, "")
        + (f" It came as number {order.index(stage) + 1}." if state == "out of order" else ""),
        "segments": [
            {"note": "and again, further on", "pieces": pieces(reply.text, segment.body, marks)} for segment in mine
        ],
    }


def stage_verdict(stage: str, verdict: StoredVerdict) -> Json:
    """Return what a judge that was asked again says of one stage."""
    notes = [note for note in verdict.notes if _stage_of(note) == stage]
    return {"by": _by(verdict), "score": verdict.scores.get(stage), "notes": notes}


def loose_verdict(verdict: StoredVerdict) -> Json:
    """Return what a judge that was asked again says of the whole reply, and whether it failed."""
    return {"by": _by(verdict), "failed": verdict.failed, "notes": [one for one in verdict.notes if not _stage_of(one)]}


def _by(verdict: StoredVerdict) -> str:
    return f"now by {verdict.judge} v{verdict.judge_version}"


def _stage_of(note: str) -> str:
    start = note.lower()
    return next((stage for stage in STAGES if start.startswith((stage, TITLES[stage].lower()))), "")


def outside(reply: Reply) -> list[Json]:
    """Return text that belongs to no stage, never hidden: before the first one, between blocks, after the answer."""
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


def flags(trace: Trace, marks: Sequence[Mark]) -> list[Json]:
    """Return what a reader should know at once."""
    kinds = {mark.kind for mark in marks}
    found = (
        (trace.completion.failed, f"failed: {trace.completion.error[:160]}"),
        (trace.completion.truncated, "cut at the token limit"),
        ("early" in kinds, "early answer"),
        ("loop" in kinds, "repeats itself"),
        ("invented" in kinds, "cue not in the story"),
    )
    return [{"label": label} for holds, label in found if holds]


def ledger(trace: Trace, siblings: Sequence[Row]) -> Json:
    """Return every component with its weight, what it adds to the total, its group's mean, and why, in words."""
    notes = sort_notes(trace.score.notes, trace.judges)
    return {
        "rows": [
            term(name, trace.score, siblings, notes.get(name, []))
            for name in COMPONENTS
            if name in trace.score.components and trace.score.weights
        ],
        "loose": notes.get("", []),
        "formula": formula(trace.score),
    }


def term(name: str, score: Score, siblings: Sequence[Row], why: list[str]) -> Json:
    """Return one line of the ledger."""
    values = [value for sibling in siblings if (value := sibling.get(f"reward.{name}")) is not None]
    prefix = f"{name}."
    return {
        "name": name,
        "title": COMPONENTS[name].title,
        "role": role(name, score),
        "value": score.components.get(name),
        "contribution": score.contribution(name),
        "mean": fmean(values) if len(values) > 1 else None,
        "sd": pstdev(values) if len(values) > 1 else None,
        "parts": [
            {"name": part.removeprefix(prefix).replace("_", " "), "value": value}
            for part, value in score.parts.items()
            if part.startswith(prefix)
        ],
        "why": why,
    }


def role(name: str, score: Score) -> str:
    """Return what a component does in the total, in words."""
    if name in GATES and score.mode == "gated":
        return "gate: multiplies the rest"
    weight = f"weight {score.weights.get(name, 0.0):g}"
    return f"{weight} × τ {score.tau:.2f}" if name in PROCESS else weight


def formula(score: Score) -> str:
    """Write the total out with its numbers: gates stand before or after the sum as they do in the table."""
    if not score.is_scored:
        return "Nothing was scored."

    def products(names: Iterable[str]) -> list[str]:
        return [f"{score.weights.get(name, 0.0):g}·{values[name]:.2f}" for name in names if name in values]

    values = {name: value for name in COMPONENTS if (value := score.components.get(name)) is not None}
    process = products(PROCESS)
    terms = [*products(TERMS), *([f"{score.tau:.2f}·({' + '.join(process)})"] if process else [])]
    if score.mode == "additive":
        return f"{' + '.join([*terms, *products(GATES)]) or '0'} = {score.total:.3f}"
    summed = [place for place, name in enumerate(COMPONENTS) if name not in GATES]
    before = {name for place, name in enumerate(COMPONENTS) if name in GATES and place < summed[0]}
    factors = [f"{values[name]:.2f}" for name in GATES if name in values and name in before]
    factors.append(f"({' + '.join(terms) or '0'})")
    factors += [f"{values[name]:.2f}" for name in GATES if name in values and name not in before]
    return f"{' × '.join(factors)} = {score.total:.3f}"


def sort_notes(notes: Iterable[str], judges: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return each note under the component it speaks of; "" holds the others.

    A note belongs to the component with whose name it begins, or with another of its beginnings: the longest wins.
    judges: their names, whose notes are on the content.
    """
    owners = {start.lower(): owner for owner, starts in OTHER_BEGINNINGS.items() for start in starts}
    owners |= {f"{judge}{end}".lower(): "content" for judge in (*JUDGES, *judges) for end in ":_"}
    owners |= {name.lower(): name for name in COMPONENTS}
    sorted_: dict[str, list[str]] = {}
    for note in notes:
        start = max((start for start in owners if note.lower().startswith(start)), key=len, default="")
        sorted_.setdefault(owners.get(start, ""), []).append(note)
    return sorted_


def facts(trace: Trace) -> Iterable[tuple[str, str]]:
    """Yield how a completion was made, as name and value."""
    yield "tokens", f"{trace.completion.tokens}"
    yield "ended by", ended_by(trace)
    for name, value in trace.sampling.items():
        yield name[:40], str(value)[:40]
    if trace.judges:
        judges = (f"{name[:60]} v{trace.score.version(f'judge.{name}')}" for name in trace.judges)
        yield "judge", ", ".join(judges)
    if trace.launch:
        yield "launch", f"{trace.launch + 1}"
