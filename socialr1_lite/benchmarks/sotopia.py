"""SOTOPIA (ICLR 2024, arXiv 2310.11667): episodes between two characters, scored on seven dimensions by a judge.

90 environments with five pairs of characters each (450 episodes; "hard": 14 environments, 70 episodes). The model under
test plays each pair in both seats against a fixed partner, as in the authors' benchmark of all tasks. There is no gold:
partner and judge belong to every number, so the report names them. An episode whose judge stayed broken has no scores;
it is never scored 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import SourceRow, content, counts_note, make_scenario, official_files, read_jsonl
from socialr1_lite.benchmarks.sotopia_episode import GENDERS, RANGES, Agent, Stage, overall, visible
from socialr1_lite.errors import DataError
from socialr1_lite.statistics import Tally, Unit

TITLE = "SOTOPIA"
SOURCE = "https://huggingface.co/spaces/sotopia-lab/sotopia-space (data)"
FILES = ("environment_profiles.jsonl", "agent_profiles.jsonl", "env_agent_combo_storages.jsonl")
ROWS = {"environments": 90, "agents": 40, "combinations": 450}
LABELS = ("hard", "origin", "seat")


def load(folder: Path) -> base.Loaded:
    """Load every combination of an environment and two characters, once for each seat of the model under test."""
    paths = {path.name: path for path in official_files(folder, TITLE, FILES, SOURCE)}
    if missing := [name for name in FILES if name not in paths]:
        raise DataError(
            f"{next(iter(paths.values())).parent}: {', '.join(missing)} is missing; SOTOPIA needs all three"
        )
    (places, _), (people, _), (combos, _) = read = [read_jsonl(paths[name]) for name in FILES]
    environments = {row.text("env_id"): row for row in places}
    agents = {row.text("agent_id"): _agent(row) for row in people}
    hard = hard_environments(folder)
    items = []
    for combo in combos:
        scene = stage_of(combo, environments, agents)
        items += [_item(combo, scene, seat, environments, hard) for seat in (0, 1)]
    files = tuple(file for _, file in read)
    counts = zip(ROWS.items(), files, strict=True)
    notes = tuple(counts_note(f"{TITLE} {what}", file.rows, total) for (what, total), file in counts)
    return base.Loaded(tuple(items), files, (*notes, "each combination is played in both seats"))


def hard_environments(folder: Path) -> frozenset[str]:
    """Return the ids of SOTOPIA-hard from `env_ids.txt`, where that file lies beside the others."""
    try:
        path = official_files(folder, TITLE, ("env_ids.txt",), SOURCE)[0]
    except DataError:
        return frozenset()
    head = content(path)[0].partition("SOTOPIA-ALL")[0]
    return frozenset(head.split('"')[1::2])


def _agent(row: SourceRow) -> Agent:
    first, gender = row.text("first_name"), GENDERS.get(row.text("gender"), "")
    name = f"{first} {row.text('last_name')}"
    intro = (
        f"is a {row.whole('age')}-year-old {gender} {row.text('occupation').lower()}. "
        f"{row.text('gender_pronoun')} pronouns. {row.text('public_info')}"
    )
    return Agent(row.text("agent_id"), name, first, intro, row.text("personality_and_values"), row.text("secret"))


def stage_of(combo: SourceRow, environments: Mapping[str, SourceRow], agents: Mapping[str, Agent]) -> Stage:
    """Return the scene of one combination. Raises DataError when it names an unknown environment or agent."""
    env_id, ids = combo.text("env_id"), combo.texts("agent_ids", least=2)
    for known, asked, what in ((environments, (env_id,), "env_id"), (agents, ids, "agent_id")):
        if unknown := [one for one in asked if one not in known]:
            raise DataError(f"{combo.where}: {what} {unknown[0]!r} is not in the profiles")
    row = environments[env_id]
    goals, relationship = row.texts("agent_goals", least=2), row.raw("relationship")
    if str(relationship) not in "012345" or len(str(relationship)) != 1:  # a string here, a number in the library
        raise DataError(f"{row.where}: relationship {relationship!r} must be 0 to 5")
    pair = (agents[ids[0]], agents[ids[1]])
    return Stage(combo.text("combo_id"), row.text("scenario"), (goals[0], goals[1]), int(str(relationship)), pair)


def _item(
    combo: SourceRow, stage: Stage, seat: int, environments: Mapping[str, SourceRow], hard: Iterable[str]
) -> base.Item:
    env_id = combo.text("env_id")
    scenario = make_scenario(
        combo,
        id=f"sotopia/{stage.id}/{seat + 1}",
        story="\n".join(line.rstrip() for line in stage.background(seat).splitlines()),
        question=f"Act as {stage.agents[seat].name}. Goal: {visible(stage.goals[seat], seat).strip()}",
        source="sotopia",
        group=f"sotopia/{env_id}",
        meta={
            "seat": seat,
            "environment": environments[env_id].text("codename"),
            "origin": environments[env_id].text("source"),
            "hard": "hard" if env_id in hard else "not hard",
            "language": "en",
        },
    )
    return base.Item(scenario, "episode", extra={"scene": json.dumps(asdict(stage))})  # all that an episode needs


def stage(item: base.Item) -> Stage:
    """Return the scene an item was made from."""
    scene = json.loads(item.extra["scene"])
    agents = tuple(Agent(**agent) for agent in scene["agents"])
    return Stage(**scene | {"goals": tuple(scene["goals"]), "agents": agents})


def asks(items: Sequence[base.Item], seed: int, official: bool) -> list[base.Ask]:
    """Make one ask an item: the episode decides what is asked at each turn."""
    return [base.Ask(item, item.scenario) for item in items]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score the mean of each dimension and of the overall score over the episodes that were judged.

    An answer's text is the JSON of its seven scores; an unreadable one was not judged and does not count.
    """
    judged = [(answer, json.loads(answer.reading.text)) for answer in answers if answer.reading.readable]
    whole = [_unit(answer, overall(scores)) for answer, scores in judged]
    units = {"overall": whole} | {name: [_unit(a, scores[name]) for a, scores in judged] for name in RANGES}
    # on a scale, where 0 and 1 are not wrong and right
    metrics = {name: Tally(tuple(counted), proportion=False) for name, counted in units.items()}
    # the authors' list of hard environments says which seat is tested in each, and that list is not among the files
    groups = {name: base.by_label(whole, name, official=name != "hard", proportion=False) for name in LABELS}
    return base.tallied(metrics, groups, headline="overall")


def _unit(answer: base.Answer, value: float) -> Unit:
    return replace(base.unit(answer, value, *LABELS), key=f"{answer.item.scenario.id}#{answer.sample}")


BENCHMARK = base.Benchmark(
    name="sotopia",
    title=TITLE,
    source=SOURCE,
    licence="CC-BY-SA 4.0 (data), MIT (code)",
    training={
        "test": base.Permission(
            False, "(the 90 environments are the evaluation set; training on other scenarios is usual and allowed)"
        )
    },
    load=load,
    score=score,
    asks=asks,
    names=("sotopia-lab/sotopia", "sotopia-lab/sotopia-space", "cmu-lti/sotopia", "SOTOPIA", *FILES),
    published=tuple(
        base.Published(
            label, value, "sotopia-space models_vs_gpt35.jsonl", f"GOAL [0, 10], partner GPT-3.5, judge GPT-4, {label}"
        )
        for label, value in (("GPT-4", 7.62), ("GPT-3.5", 6.45), ("Llama-2", 5.38), ("MPT", 4.1))
    ),
)
