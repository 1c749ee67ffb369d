"""Rows of foreign files become traces: which column is what, which completions are siblings, what a reward is made of.

What a foreign file does not say is not made up: without a gold answer the outcome is "unknown"; the file's own rewards
are kept as parts, and their sum stands as the total (in the place of the outcome term, weight 1, additive mode [ours]).
Where it cannot be told which numbers are rewards, that is asked (`--rewards`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from string import ascii_uppercase
from typing import Any

from socialr1_lite.data import read_scenario
from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rewards.scoring import approximate_tokens
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import Outcome, Score, ScoredCompletion
from socialr1_lite.rollouts.trace import LARGEST, REQUIRED, Trace, is_figure
from socialr1_lite.scenario import MAX_OPTIONS, JsonValue, Scenario, gold_numbers, read_gold
from socialr1_lite.sip import Message, parse

FileRow = dict[str, Any]  # as the file holds it; every type in it is checked where it is used
Placed = tuple[str, FileRow]  # where it stands ("3.jsonl, line 2"), and the row
Converted = tuple[dict[str, Scenario], list[Trace]]  # scenarios by id, traces
Weights = Mapping[str, float]  # a column: its part in the total

PROMPTS, TEXTS = ("prompt", "input", "query", "messages"), ("completion", "output", "response")
ADVANTAGES, TOTALS = ("advantage", "advantages"), ("score", "reward", "total", "rewards", "total_reward")
STEPS = ("step", "gen_step", "global_step")
NO_REWARDS = {*PROMPTS, *TEXTS, *ADVANTAGES, *STEPS, "epoch", "tokens", "index", "acc", "right"}
GOLDS = ("gold", "ground_truth", "gts", "gold_answer", "reward_model", "solution", "answer", "label", "target")
LONGEST_GOLD = 200  # characters: what is longer is a worked solution, not an answer
OPTION = re.compile(r"^[ \t]*[(\[]?([A-Z])[.):\]][ \t]+(\S.*)$", re.MULTILINE)
WRAPS = (("<answer>", "</answer>"), ("\\boxed{", "}"), ("(", ")"), ("[", "]"))  # around a gold answer
HEADINGS = ("options", "choices", "answers", "选项")
TRUTHS: Mapping[str, Outcome] = {
    **{"1": "right", "1.0": "right", "true": "right"},
    **{"0": "wrong", "0.0": "wrong", "false": "wrong"},
}
KNOWN = (
    "TRL's completions (step, prompt, completion, rewards), verl's rollouts (input, output, score), an export of this "
    "viewer, or what score reads (story, question, options, gold, completion)"
)


def convert(rows: Sequence[Placed], name: str, rewards: Weights | None = None) -> Converted:
    """Return scenarios by id and traces, from whichever kind of file it is.

    rewards: the columns that a total is made of, where the caller names them. Raises DataError naming file and row.
    """
    rows = list(_one_a_completion(rows))
    first = rows[0][1].keys() if rows else set()
    if first >= set(REQUIRED):
        return _own(rows)
    if "question" in first and "completion" in first:
        return _scored(rows)
    prompt, text = (next((one for one in names if one in first), "") for names in (PROMPTS, TEXTS))
    if prompt and text:
        return _rollouts(rows, name, prompt, text, rewards)
    if "components" in first:
        raise DataError(f"{name} holds scores without completions; import the file that was given to score instead")
    raise DataError(f"{name}: columns {', '.join(sorted(map(str, first)))[:200]} are of no known kind. Known: {KNOWN}")


def _one_a_completion(rows: Iterable[Placed]) -> Iterator[Placed]:
    """Yield a row a completion: ms-swift writes a line a step, with a list in each column."""
    for place, row in rows:
        texts = next((row[name] for name in TEXTS if name in row), None)
        if isinstance(texts, list) and any(isinstance(row.get(name), list) for name in STEPS):
            many = {key: value for key, value in row.items() if isinstance(value, list) and len(value) == len(texts)}
            yield from ((place, row | {key: value[at] for key, value in many.items()}) for at in range(len(texts)))
        else:
            yield place, row


def _own(rows: Sequence[Placed]) -> Converted:
    scenarios: dict[str, Scenario] = {}
    traces: list[Trace] = []
    for place, row in rows:
        try:
            traces.append(Trace.from_row(row))
            if stored := row.get("scenario_row"):
                if not isinstance(stored, dict):
                    raise DataError(f"scenario_row must be an object, not {type(stored).__name__}")
                scenario = Scenario.from_row(stored)
                if scenarios.setdefault(scenario.id, scenario) != scenario:
                    raise DataError(f"scenario {scenario.id!r} stands in an earlier row with other content")
        except ValueError as error:
            raise DataError(f"{place}: {error}") from None
    return scenarios, traces


def _grouped(rows: Iterable[Placed], key: Sequence[str]) -> Iterator[list[Placed]]:
    """Yield siblings: the rows that are equal in these columns, wherever they stand (verl shuffles its batches)."""
    groups: dict[str, list[Placed]] = {}
    for place, row in rows:
        known = json.dumps([row.get(name) for name in key], sort_keys=True, default=str)
        groups.setdefault(known, []).append((place, row))
    yield from groups.values()


def _scored(rows: Sequence[Placed]) -> Converted:
    """Score completions with their questions by the default stack, siblings of one prompt as one group."""
    stack = RewardStack(Rewards())
    scenarios: dict[str, Scenario] = {}
    traces: list[Trace] = []
    for group, some in enumerate(_grouped(rows, ("step", "id", "question", "story"))):
        place, row = some[0]
        try:
            scenario = read_scenario(row, default_id=f"imported/{group}")
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
        if scenarios.setdefault(scenario.id, scenario) != scenario:
            raise DataError(f"{place}: id {scenario.id!r} stands in an earlier row with another question")
        completions = [_completion(place, row, "completion") for place, row in some]
        for index, (one, scored) in enumerate(zip(some, stack.score(completions, scenario), strict=True)):
            traces.append(_trace(scored, _step(*one), scenario.id, (group, index), one[1].get("prompt") or [], None))
    return scenarios, traces


def _completion(place: str, row: FileRow, column: str) -> Completion:
    if row.get(column) is None:
        raise DataError(f"{place}: no {column}")
    text, reasoning = _said(row[column])
    tokens, finish = row.get("tokens"), "length" if row.get("finish") == "length" else "stop"
    counted = int(tokens) if is_figure(tokens) and 0 <= tokens < 1 << 40 else approximate_tokens(text)
    prefilled = row.get("prefilled") is True
    return Completion(text, counted, "length" if finish == "length" else "stop", prefilled, reasoning=reasoning)


def _trace(
    scored: ScoredCompletion,
    step: int,
    scenario: str,
    place: tuple[int, int],
    prompt: JsonValue,
    advantage: float | None,
) -> Trace:
    """Return the trace of a completion; place: its group's number and its own."""
    said, (group, index) = _messages(prompt), place
    return Trace.of(
        scored, phase="train", step=step, scenario=scenario, group=group, index=index, prompt=said, advantage=advantage
    )


def _step(place: str, row: FileRow) -> int:
    value = next((row[name] for name in STEPS if row.get(name) is not None), 0)
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):  # ms-swift's, and a cell of a CSV
        return int(value)
    if is_figure(value) and 0 <= value < 10**9 and value == int(value):
        return int(value)
    raise DataError(f"{place}: step must be a whole number of at least 0, not {value!r:.60}")


def _rollouts(rows: Sequence[Placed], name: str, prompt: str, text: str, rewards: Weights | None) -> Converted:
    """Keep rewards as they came; the completions of one prompt at one step are a group."""
    scenarios: dict[str, Scenario] = {}
    traces: list[Trace] = []
    # verl's uid is PROMPT_ROLLOUT_OUTPUT: it tells two askings of one prompt apart
    keyed = [(at, row | {"": str(row.get("uid", "")).rsplit("_", 2)[0], "step": _step(at, row)}) for at, row in rows]
    groups = list(_grouped(keyed, ("step", "", prompt)))
    numbers = _numbers(rows)
    total = rewards if rewards is not None else _told_rewards(groups, numbers, name)
    if unknown := sorted(total.keys() - numbers):
        there = ", ".join(numbers) or "none"
        raise DataError(f"{name}: --rewards names {', '.join(unknown)}; the columns of numbers are: {there}")
    for group, some in enumerate(groups):
        for index, (place, row) in enumerate(some):
            asked = _prompt_scenario(row.get(prompt), row)
            scenario = scenarios.setdefault(asked.id, asked)
            completion = _completion(place, row, text)
            reply = parse(completion.text, scenario.options)
            right = reply.answer in scenario.gold if scenario.gold and reply.answer is not None else None
            scored = ScoredCompletion(completion, reply, _score(row, total, numbers, right))
            traces.append(_trace(scored, row["step"], scenario.id, (group, index), row.get(prompt), _advantage(row)))
    return scenarios, traces


def _numbers(rows: Iterable[Placed]) -> dict[str, bool]:
    """Return the columns of numbers, in their order, and whether each holds fractions."""
    numbers: dict[str, bool] = {}
    for _, row in rows:
        for key, value in row.items():
            if key not in NO_REWARDS and (is_figure(value) or (isinstance(value, bool) and key in TOTALS)):
                numbers[key] = numbers.get(key, False) or isinstance(value, float)
    return numbers


def _told_rewards(groups: Sequence[Sequence[Placed]], numbers: Mapping[str, bool], name: str) -> Weights:
    """Tell which columns a total is made of. Raises DataError with the line to type where that cannot be told.

    A column named as the total is that. Else rewards are fractions, and TRL writes its reward functions' columns before
    those that they log besides; the advantages bear witness, but know nothing of a column that is the same for all
    siblings: it is a reward by its name, or as the very first.
    """
    rows = [row for group in groups for _, row in group]
    witnessed = any(is_figure(row.get(one)) for row in rows for one in ADVANTAGES)
    if "score" in numbers and not witnessed:  # verl's
        return {"score": 1.0}
    before = list(
        takewhile(lambda one: numbers[one] or one in TOTALS or "reward" in one.lower(), numbers),
    )
    total = [one for one in before if one in TOTALS][:1]
    parts = [one for one in before if one not in total]
    is_sum = total and all(abs(_sum(row, total) - _sum(row, parts)) < 1e-4 for row in rows)
    if total and (not parts or is_sum or (witnessed and _fits(groups, total))):
        return {total[0]: 1.0}
    named = [one for one in before if "reward" in one.lower()]
    doubtful = [one for one in before[1:] if one not in named and not _differs(groups, one)]
    if before == named or len(before) < 2 or (witnessed and not doubtful and _fits(groups, before)):
        return dict.fromkeys(before, 1.0)
    raise DataError(
        f"{name}: which of the numbers {', '.join(numbers)} are rewards? Name them, with a weight where it is not 1:  "
        f"python -m socialr1_lite.viewer.importing {name} --rewards {','.join(named or before)}"
    )


def _differs(groups: Sequence[Sequence[Placed]], column: str) -> bool:
    return any(len({_sum(row, [column]) for _, row in group}) > 1 for group in groups)


def _fits(groups: Sequence[Sequence[Placed]], columns: Sequence[str]) -> bool:
    """Return whether the advantages of siblings are their rewards but for a shift and a scale, in nearly all groups."""
    fits = []
    for group in groups:
        pairs = [(_sum(row, columns), _advantage(row)) for _, row in group]
        known = [(reward, advantage) for reward, advantage in pairs if advantage is not None]
        (low, least), (high, most) = min(known, default=(0.0, 0.0)), max(known, default=(0.0, 0.0))
        slope = (most - least) / (high - low) if high > low else 0.0
        fits.append(slope >= 0 and all(abs(least + slope * (r - low) - a) < 1e-2 for r, a in known))
    return fits.count(False) <= 0.02 * len(fits)


def _advantage(row: FileRow) -> float | None:
    return next((float(row[one]) for one in ADVANTAGES if is_figure(row.get(one))), None)


def _sum(row: FileRow, columns: Iterable[str]) -> float:
    return sum(float(row[one]) for one in columns if isinstance(row.get(one), bool) or is_figure(row.get(one)))


def _score(row: FileRow, total: Weights, numbers: Iterable[str], right: bool | None) -> Score:
    """Return the file's rewards as parts, and their sum in the place of the outcome.

    right: whether the answer is the gold one, where both could be read; what the file says itself goes before.
    """
    there = {one: weight for one, weight in total.items() if isinstance(row.get(one), bool) or is_figure(row.get(one))}
    words = " + ".join(f"{one} {float(row[one]):.3g}" for one in there) or "no reward was recorded"
    truth = row.get("right", row.get("acc", right))
    reward = sum(weight * float(row[one]) for one, weight in there.items())
    return Score(  # beyond LARGEST no figure can be made of it, as of any number in a row
        components={"outcome": reward if there and abs(reward) < LARGEST else None},
        parts={f"imported.{one}": float(row[one]) for one in numbers if one in there or is_figure(row.get(one))},
        weights={"outcome": 1.0},
        mode="additive",
        tau=1.0,
        notes=(f"imported: {words}", "length counted in words, for the file names no tokens"),
        outcome=TRUTHS.get(str(truth).lower(), "unknown"),
    )


def _prompt_scenario(prompt: JsonValue, row: FileRow) -> Scenario:
    """Return what a prompt asks, with its options and their gold where both can be read."""
    told = [message["content"] for message in _messages(prompt) if message["role"] != "system"]
    text = "\n\n".join(told).strip() or "(empty prompt)"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    before, options = _options(text)
    gold, right = _gold(row, options)
    if not options or not gold or not before.strip():  # options whose gold nobody names stay words of the prompt
        accepted = (gold,) if gold else ()
        return Scenario(f"imported/{digest}", text, "", accepted=accepted, source="imported")
    story, _, question = f"\n{before}".rpartition("\n")
    return Scenario(f"imported/{digest}", story.strip(), question.strip(), tuple(options), right, source="imported")


def _options(text: str) -> tuple[str, list[str]]:
    """Return what stands before the last lines that are lettered A, B, ... one after the other, and those lines."""
    lines: list[re.Match[str]] = []
    best: list[re.Match[str]] = []
    for line in OPTION.finditer(text):
        follows = bool(lines) and not text[lines[-1].end() : line.start()].strip()
        if line[1] == "A":
            lines = [line]
        elif follows and len(lines) < MAX_OPTIONS and line[1] == ascii_uppercase[len(lines)]:
            lines.append(line)
        else:
            lines = []
        best = lines if len(lines) > 1 else best
    options = [line[2].rstrip() for line in best]
    if len(set(options)) < 2:
        return text, []
    return _without_heading(text[: best[0].start()].rstrip()), options


def _without_heading(text: str) -> str:
    """Return a text without the line "Options:" that ends it; read from its end, so that no text takes long."""
    found = re.match(r"\W*(\w+)(\W*)", text[::-1])
    if not found or found[1][::-1].lower() not in HEADINGS:
        return text
    before, gap = text[: len(text) - found.end()], found[2][::-1]
    line = gap.find("\n")
    if not before:
        return ""
    return (before + gap[:line]).rstrip() if line >= 0 else text


def _gold(row: FileRow, options: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """Return the gold answer that a row names, and the options which that is, by letter or by their very words.

    ("", ()) where it names none of them, and for a bare number, which may count from 0 or from 1.
    """
    for name in GOLDS:
        value = row.get(name)
        if isinstance(value, dict):
            value = value.get("ground_truth")
        readings = _readings(value) if isinstance(value, str) else [""]
        if not 0 < len(readings[-1]) <= LONGEST_GOLD:
            continue
        if not options:
            return readings[-1], ()
        lettered = OPTION.fullmatch(readings[-1])
        for gold in [*readings, *([lettered[2]] if lettered else [])]:
            with suppress(DataError):
                if not gold_numbers(gold, options):
                    return gold, read_gold(gold, options, name)
    return "", ()


def _readings(gold: str) -> list[str]:
    """Return a gold answer as it is written, then without what is around it: <answer>, a box, brackets."""
    found = [gold.strip()]
    for head, tail in WRAPS:
        if found[-1].startswith(head) and found[-1].endswith(tail):
            found.append(found[-1][len(head) : -len(tail)].strip())
    return found


def _messages(prompt: JsonValue) -> list[Message]:
    if isinstance(prompt, list):
        spoken = [one for one in prompt if isinstance(one, dict)]
        return [{"role": str(one.get("role") or "user"), "content": _said([one])[0]} for one in spoken]
    return [{"role": "user", "content": _said(prompt)[0]}]


def _said(value: JsonValue) -> tuple[str, str]:
    """Return text and reasoning of a completion: a text, chat messages, or a message's parts."""
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return (value if isinstance(value, str) else "" if value is None else str(value)), ""
    texts: list[str] = []
    thoughts: list[str] = []
    for one in value:
        held = one if isinstance(one, dict) else {"content": one}
        apart = (held.get(name) for name in ("reasoning_content", "reasoning", "thinking"))
        thoughts += [text for text in apart if isinstance(text, str)][:1]
        if isinstance(text := held.get("text", held.get("content")), (str, list, dict)):
            inner, thought = _said(text)
            texts.append(inner)
            thoughts.append(thought)
        elif held.get("tool_calls"):
            texts.append(json.dumps(held["tool_calls"], ensure_ascii=False, default=str))
        elif "type" in held and held["type"] != "thinking":
            texts.append(f"({held['type']})")
    parts = all(isinstance(one, dict) and "role" not in one for one in value)
    return ("" if parts else "\n").join(texts), "\n".join(filter(None, thoughts))


def number_of(column: str, cell: JsonValue) -> JsonValue:
    """Return the number in a cell of a CSV, whose cells are all texts; the text where the column is of texts."""
    numeral = isinstance(cell, str) and re.fullmatch(r"\s*[+-]?\d{1,15}(\.\d*)?([eE][+-]?\d{1,3})?\s*", cell, re.ASCII)
    if not numeral or column in (*PROMPTS, *TEXTS, "id", "uid", "story", "question", "options", "gold"):
        return cell
    return int(cell) if str(cell).strip().lstrip("+-").isdigit() else float(cell)  # type: ignore[arg-type]
