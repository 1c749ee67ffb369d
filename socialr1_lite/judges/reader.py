"""The `reader` judge: a language model is asked whether a stage does its job; what counts is P(yes) of its first word.

    rewards:
      content:
        judges: [{name: reader}]                                    the frozen base of the policy in training
        judges: [{name: reader, settings: {model: Qwen/Qwen3-4B}}]  a model of its own, beside the policy
        judges: [{name: reader, settings: {base_url: "http://localhost:8000/v1", model: m}}]

With z = log P(yes) - log P(no), a stage scores sigmoid(z - max(0, the mean of two controls' z)) [ours]: the same
question about an empty stage, and about the stage's own words in random order, to which only a reader that likes to say
yes says yes. No text is generated, and nothing is kept between calls.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from socialr1_lite.endpoint import Endpoint, EndpointReply, EndpointSettings, Outcome, Request
from socialr1_lite.errors import PolicyError
from socialr1_lite.judges.addressed import notes_of, stages_about
from socialr1_lite.judges.base import Borrower, Verdict
from socialr1_lite.judges.classifier import sigmoid
from socialr1_lite.judges.first_word import NO, YES, FirstWord
from socialr1_lite.judges.llm import ENDPOINT_SETTINGS, Served, ask_within, cut, read_form
from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.recipe import Model
from socialr1_lite.recipe.located_yaml import Yaml
from socialr1_lite.scenario import Facts, Scenario, sound
from socialr1_lite.sip import STAGES, Reply
from socialr1_lite.stories.gold import claim_clause

CODE_BYTES = 4  # of the boundary: a text would have to hold its own digest
LIKELIEST = 20  # first tokens that an endpoint names with their probabilities
LEAST = 1e-12  # probability that is told from none
CHINESE = re.compile(r"[\u4e00-\u9fff]")
WHERE = "rewards.content.judges: reader: settings"


class Settings(Served):
    """What a recipe may set for this judge.

    model: which model reads; None: the base of the policy in training. revision, load_in_4bit, backend: of a model that
    is loaded here, as in a recipe's `model`. base_url: an endpoint serves it instead; the rest of `Served` is for that,
    but for show_gold: the right answer and, of generated stories, what is true in them are told. batch_tokens: read at
    once.
    """

    model: Annotated[str, Field(min_length=1)] | None = None
    revision: str | None = None
    load_in_4bit: bool = False
    backend: Literal["auto", "unsloth", "transformers"] = "auto"
    base_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    batch_tokens: Annotated[int, Field(ge=1)] = 2048

    @model_validator(mode="after")
    def _name_what_is_served(self) -> Self:
        if self.base_url and not self.model:
            raise ValueError("base_url needs model, the name under which the endpoint serves it")
        return self


@cache
def wording(language: str) -> dict[str, str]:
    """Return what is asked in this language, en or zh; the questions by their stages."""
    words: dict[str, dict[str, str]] = yaml.safe_load(files(__package__).joinpath("reader.yaml").read_text("utf-8"))
    return words[language]


class Page:
    """One scenario's questions, which begin alike."""

    def __init__(self, scenario: Scenario, *, show_gold: bool) -> None:
        """Write what all of them begin with. show_gold: tell the right answer, and the facts where there are any."""
        self._scenario = scenario
        letters = len(CHINESE.findall(scenario.story + scenario.question))
        self._words = words = wording("zh" if 2 * letters > len(scenario.story + scenario.question) else "en")
        options = "  ".join(map(". ".join, zip(scenario.letters, scenario.options, strict=True)))
        lines = [cut(scenario.story), words["question"] + cut(scenario.question)]
        lines += [words["options"] + cut(options)] if options else []
        if show_gold and scenario.gold_text:
            lines.append(words["gold"] + self._lettered(scenario.gold_text))
        if show_gold and scenario.facts:
            lines += [words["truth"], *(f"- {fact}" for fact in _truths(scenario.facts))]
        self._begin = f"{words['opening']}\n\n{_between(words['story'], chr(10).join(lines))}\n\n"

    def question(self, stage: str, text: str, answer: str = "") -> str:
        """Ask whether this text does a stage's job. answer: given by the reply; shown with the last stage only."""
        words = self._words
        if stage == STAGES[-1] and answer:
            text += f"\n{words['given']}{self._lettered(answer)}"
        return f"{self._begin}{_between(words['part'], text)}\n{words[stage]} {words['closing']}"

    def _lettered(self, answer: str) -> str:
        options = self._scenario.options
        return f"{self._scenario.letters[options.index(answer)]}. {answer}" if answer in options else answer


def _truths(facts: Facts) -> list[str]:
    """Say a generated story's facts in words: the sentences that decide, the states of which one is enough, goals."""
    claims = dict.fromkeys((*facts.decisive, *facts.accepted_goals))
    return [*(facts.sentences[i] for i in facts.cues), *(f"{claim_clause(claim)}." for claim in claims)]


def _between(title: str, text: str) -> str:
    """Set a text between lines with its own digest: whoever wrote the text could not write that into it."""
    text = str(sound(text))
    code = hashlib.blake2b(text.encode(), digest_size=CODE_BYTES).hexdigest()
    return f"<<<{code} {title}\n{text}\n>>>{code}"


def shuffled(text: str) -> str:
    """Return the text's words in an order that only the text decides; characters, where it has no spaces."""
    pieces = text.split()
    apart = " " if len(pieces) > 1 else ""
    pieces = pieces if apart else list(text)
    random.Random(hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest()).shuffle(pieces)
    return apart.join(pieces)


def first_word(outcome: Outcome) -> float | str:
    """Read log P(yes) - log P(no) off an endpoint's reply, or say why it cannot be read.

    What is not among the tokens that it names is at most as likely as the last of them, and counts as that.
    """
    if not isinstance(outcome, EndpointReply):
        return outcome.reason
    if not outcome.first:
        return "the endpoint gives no log-probabilities (logprobs, top_logprobs of /chat/completions)"
    yes, no = (sum(math.exp(p) for token, p in outcome.first if token.strip() in words) for words in (YES, NO))
    if yes + no < LEAST:
        return f"neither yes nor no is among its {len(outcome.first)} likeliest first words"
    least = math.exp(min(p for _, p in outcome.first))
    return math.log(max(yes or least, LEAST)) - math.log(max(no or least, LEAST))


class ReaderJudge(Borrower):
    """Scores each stage by one question, in batches over the group. A model is loaded when first needed."""

    name = "reader"
    version = 2

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep, **settings: Yaml) -> None:
        """Load and send nothing yet. sleep: replaced in tests. Raises JudgeError for wrong settings."""
        given = self.settings = read_form(Settings, settings, WHERE)
        self._endpoint: Endpoint | None = None
        if given.base_url:
            shared = given.model_dump(include=ENDPOINT_SETTINGS - {"cache"})
            self._endpoint = Endpoint(EndpointSettings(**shared), sleep=sleep)
        if given.model:
            self.base = self._own_model
        self._local = FirstWord(self._load, batch_tokens=given.batch_tokens)

    @property
    def tokens(self) -> int:
        """How many tokens it has read so far."""
        return self._endpoint.usage.prompt_tokens if self._endpoint else self._local.tokens

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict a reply; a stage without text is 0; what talks to a judge is not read and dilutes.

        The same group is read in the same batches wherever it is read, so it gets the very same scores. Raises
        JudgeError when the model breaks down, and PolicyError, which ends everything, when there is none.
        """
        page = Page(scenario, show_gold=self.settings.show_gold)
        empty = {stage: page.question(stage, "") for stage in STAGES}
        asked: dict[tuple[int, str], tuple[str, str]] = {}
        scores = [dict[str, float | None](dict.fromkeys(STAGES, 0.0)) for _ in replies]
        found = [stages_about(reply, scenario) for reply in replies]
        for i, reply in enumerate(replies):
            answer = scenario.options[reply.answer] if reply.answer is not None else reply.answer_text
            for stage, (about, _) in found[i].items():
                if text := cut(about):
                    ask = partial(page.question, stage, answer=cut(answer))
                    asked[i, stage] = ask(text), ask(shuffled(text))
        needed = {question for pair in asked.values() for question in pair} | {empty[stage] for _, stage in asked}
        read = self._read(sorted(needed)) if needed else {}
        failed: dict[int, str] = {}
        for (i, stage), (plain, mixed) in asked.items():
            values = [read[question] for question in (plain, mixed, empty[stage])]
            if wrong := next((value for value in values if isinstance(value, str)), ""):
                failed.setdefault(i, f"reader: {wrong}")
            else:
                scores[i][stage] = corrected(*(float(value) for value in values)) * found[i][stage][1]
        return [
            Verdict.failure(failed[i]) if i in failed else Verdict(score, tuple(notes_of(found[i])))
            for i, score in enumerate(scores)
        ]

    def _read(self, questions: Sequence[str]) -> Mapping[str, float | str]:
        if self._endpoint is None:
            return dict(zip(questions, self._local.logits(questions), strict=True))
        requests = [Request([{"role": "user", "content": one}], 1, likeliest=LIKELIEST) for one in questions]
        limits = self.settings.max_calls, self.settings.max_total_tokens
        outcomes = ask_within(self._endpoint, requests, self.name, *limits)
        return dict(zip(questions, map(first_word, outcomes), strict=True))

    def _load(self) -> Policy:
        if self.base is None:
            raise PolicyError(
                "judge reader: no policy is here whose base could read; name a model, as in --settings "
                "'{model: smollm2-135m}' (or a folder, or a hub id); a run folder's recipe names one, too"
            )
        return self.base()

    def _own_model(self) -> Policy:
        import torch

        chosen = self.settings.model_dump(include={"revision", "load_in_4bit", "backend"})
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):  # a training in this process draws on
            return load_policy(Model.model_validate({"name": self.settings.model, **chosen}))


def corrected(plain: float, *controls: float) -> float:
    """Return a stage's score from the logits of the stage, and of the same question without and about nothing."""
    return sigmoid(plain - max(0.0, sum(controls) / len(controls)))
