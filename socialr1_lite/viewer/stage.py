"""One completion, stage by stage: what the main screen shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, pstdev

from socialr1_lite.judges import JUDGES
from socialr1_lite.rewards.monitors import monitors_of
from socialr1_lite.rollouts.reward import COMPONENTS, GATES, PROCESS, TERMS, Score
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog.index_file import Row
from socialr1_lite.runlog.query import IMPORTED
from socialr1_lite.runlog.rejudged import StoredVerdict
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, has_words, parse, sentences, stage_states
from socialr1_lite.viewer.marks import Mark, pieces, stage_marks
from socialr1_lite.viewer.serving import Json
from socialr1_lite.viewer.words import count_words

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
ENDED_BY = {"length": "the token limit", "failed": "an error"}
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
    no_answer = "There is no answer block." if reply.answer_span is None else "The answer block is empty."
    cards = [] if completion.failed else [card(one, states[one], score, reply, marks, verdicts) for one in STAGES]
    return {
        **facts_of(trace),
        "heading": heading(trace),
        "tau": score.tau,
        "mode": score.mode,
        "ended_by": ENDED_BY.get(completion.finish, "itself"),
        "failure": (completion.error or "no reason was given") if completion.failed else "",
        "prefilled": reply.prefilled,
        "scenario": None if scenario is None else scenario_json(scenario, reply, marks),
        "cards": cards,
        "outside": outside(reply),
        "unmarked": not reply.marked and bool(reply.segments),
        "answer_text": reply.answer_text,
        "answer_note": "There is no reply." if completion.failed else no_answer,
        "flags": flags(trace, marks),
        "ledger": ledger(trace, siblings)
        | {"verdicts": [verdict_json(one) | {"failed": one.failed} for one in verdicts]},
        "flat": flat_words(flat_cause, len(siblings)),
        "facts": list(facts(trace)),
        "prompt": [{"role": one.get("role", ""), "content": one.get("content", "")} for one in trace.prompt],
        "completion": completion.text,
        "row": {key: value for key, value in trace.to_row().items() if key not in ("prompt", "completion")},
    }


def blinded(view: Json) -> Json:
    """Return the stage view without anything that says how the reply was scored, for who is to judge it first."""
    hidden: Json = {name: None for name in ("total", "advantage", "tau")} | {"outcome": "", "flags": [], "flat": ""}
    scenario = view["scenario"]
    if scenario is not None:
        plain = {"quoted": False, "decisive": False, "title": ""}
        scenario = scenario | {"story": [piece | plain for piece in scenario["story"]], "legend": ""}
    cards = [
        card
        | {"score": None, "verdicts": []}
        | {"segments": [one | {"pieces": [{"t": piece["t"]} for piece in one["pieces"]]} for one in card["segments"]]}
        for card in view["cards"]
    ]
    return (
        view
        | hidden
        | {
            "blind": True,
            "scenario": scenario,
            "cards": cards,
            "ledger": {"rows": [], "loose": [], "formula": "", "verdicts": []},
            "facts": [fact for fact in view["facts"] if not fact[0].startswith(("judge", "monitor"))],
            "row": {},
        }
    )


def facts_of(trace: Trace) -> Json:
    """Return what every page says of a completion."""
    own = {name: getattr(trace, name) for name in ("step", "group", "index", "total", "advantage", "superseded")}
    return own | {"outcome": trace.score.outcome, "tokens": trace.completion.tokens, "finish": trace.completion.finish}


def heading(trace: Trace) -> str:
    """Return how a completion is called: by where it came from."""
    if trace.phase == "eval":
        return f"{trace.benchmark or 'Evaluation'} · step {trace.step} · item {trace.group}"
    return f"Step {trace.step} · group {trace.group} · #{trace.index}"


def flat_words(cause: str, n: int) -> str:
    """Return why nobody in the group has an advantage, in words; "" when somebody has."""
    return f"All {n} completions earned the same ({cause}), so nothing is learned from this group." if cause else ""


def scenario_json(scenario: Scenario, reply: Reply, marks: Sequence[Mark]) -> Json:
    """Return the story with its quoted and decisive sentences, the question, the options with gold and choice."""
    decisive, known = decisive_sentences(scenario)
    quoted = {cue for mark in marks if mark.kind == "quote" for cue in mark.cues}
    meta = [[key, value] for key, value in scenario.meta.items() if type(value) in (str, int)]
    legend = "Shaded: encoded as a cue by this reply." if quoted else "No sentence of the story is encoded as a cue."
    return {
        "id": scenario.id,
        "dimension": scenario.dimension,
        "meta": [[str(key), str(value)[:40]] for key, value in meta[:4]],
        "story": story_pieces(scenario.story, quoted, decisive),
        "question": scenario.question,
        "options": [
            {"letter": letter, "text": text, "gold": i in scenario.gold, "chosen": i == reply.answer}
            for i, (letter, text) in enumerate(zip(scenario.letters, scenario.options, strict=True))
        ],
        "gold_text": scenario.gold_text,
        "legend": f"{legend} Grey line: decisive for the answer." if known else legend,
    }


def decisive_sentences(scenario: Scenario) -> tuple[set[int], bool]:
    """Return which sentences of the story decide the answer, and whether that is known at all."""
    if scenario.facts is None:
        return set(), False
    cues = {" ".join(scenario.facts.sentences[cue].split()) for cue in scenario.facts.cues}
    said = [" ".join(scenario.story[start:end].split()) for start, end in sentences(scenario.story)]
    return {i for i, one in enumerate(said) if any(cue in one or one in cue for cue in cues)}, True


def story_pieces(story: str, quoted: set[int], decisive: set[int]) -> list[Json]:
    """Return the story's sentences and what stands between them; joined they give it back."""
    cut: list[Json] = []
    at = 0
    between = {"sentence": None, "quoted": False, "decisive": False}
    for i, (start, end) in enumerate(sentences(story)):
        how = {"quoted": i in quoted, "decisive": i in decisive}
        title = f"decisive, {'and' if i in quoted else 'not'} encoded" if i in decisive else ""
        cut += [{"t": story[at:start], **between}, {"t": story[start:end], "sentence": i, **how, "title": title}]
        at = end
    return [piece for piece in [*cut, {"t": story[at:], **between}] if piece["t"]]


def card(
    stage: str, state: str, score: Score, reply: Reply, marks: Sequence[Mark], verdicts: Sequence[StoredVerdict] = ()
) -> Json:
    """Return one stage: its segments as pieces, its state in words, its share of the reasoning, its scores."""
    mine = [segment for segment in reply.segments if segment.stage == stage and segment.body.end > segment.body.start]
    order = [segment.stage for segment in reply.segments if segment.stage is not None]
    words = sum(count_words(reply.body(segment)) for segment in mine)
    everything = sum(count_words(reply.body(segment)) for segment in reply.segments)
    placed = f" It came as number {order.index(stage) + 1}." if state == "out of order" else ""
    return {
        "stage": stage,
        "state": state,
        "states": [state] + (["repeated"] if len(mine) > 1 and state in ("out of order", "cut off") else []),
        "words": words,
        "share": words / everything if everything else 0.0,
        "score": score.parts.get(f"content.{stage}"),
        "verdicts": [verdict_json(one, stage) | {"score": one.scores.get(stage)} for one in verdicts],
        "note": CARD_NOTES.get(state, "") + placed,
        "segments": [{"note": "and again, further on", "pieces": pieces(reply.text, one.body, marks)} for one in mine],
    }


def verdict_json(verdict: StoredVerdict, stage: str = "") -> Json:
    """Return what a judge that was asked again says of one stage, or ("") of the whole reply."""
    notes = [note for note in verdict.notes if _stage_of(note) == stage]
    return {"by": f"now by {verdict.judge} v{verdict.judge_version}", "notes": notes}


def _stage_of(note: str) -> str:
    start = note.lower()
    return next((stage for stage in STAGES if start.startswith((stage, TITLES[stage].lower()))), "")


def outside(reply: Reply) -> list[Json]:
    """Return text that belongs to no stage, never hidden: before the first one, between blocks, after the answer."""
    staged = [segment.span.start for segment in reply.segments if segment.stage is not None]
    first = min(staged, default=len(reply.text))
    found = [
        (*segment.body, "in the reasoning")
        for segment in reply.segments
        if segment.stage is None and has_words(reply.text, segment.body)
    ]
    found += [(*span, "outside the blocks") for span in reply.outside]
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
    weight = f"weight {score.weights.get(name, 0.0):g}{f' × τ {score.tau:.2f}' if name in PROCESS else ''}"
    return {
        "name": name,
        "title": COMPONENTS[name].title,
        "role": "gate: multiplies the rest" if name in GATES and score.mode == "gated" else weight,
        "value": score.components.get(name),
        "contribution": score.contribution(name),
        "mean": fmean(values) if len(values) > 1 else None,
        "sd": pstdev(values) if len(values) > 1 else None,
        "parts": [
            {"name": part.removeprefix(f"{name}.").removeprefix(IMPORTED).replace("_", " "), "value": value}
            for part, value in score.parts.items()
            if part.startswith(f"{name}.") or (name == "outcome" and part.startswith(IMPORTED))
        ],
        "why": why,
    }


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
    yield "ended by", ENDED_BY.get(trace.completion.finish, "itself")
    for name, value in trace.sampling.items():
        yield name[:40], str(value)[:40]
    if trace.judges:
        judges = (f"{name[:60]} v{trace.score.version(f'judge.{name}')}" for name in trace.judges)
        yield "judge", ", ".join(judges)
    if watching := monitors_of(trace.score.versions):
        yield "monitor, not paid", ", ".join(name[:60] for name in watching)
    if trace.launch:
        yield "launch", f"{trace.launch + 1}"
