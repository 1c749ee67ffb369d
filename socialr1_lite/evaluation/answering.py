"""Who answers: a local policy, vLLM, or an endpoint; and a store of replies, so that none is asked for twice.

Every answerer takes a list of prompts and hands back each reply as soon as its batch is done, so that progress can
be shown and an interrupted evaluation goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from socialr1_lite.endpoint import Endpoint, EndpointReply, Request
from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import Policy
from socialr1_lite.runlog import lines
from socialr1_lite.sip import prefills_think

Messages = Sequence[Mapping[str, str]]
CHUNK = 4  # batches handed to the policy at once: it sorts them by length, and progress is told between them


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn. max_new_tokens: of one reply. temperature 0 is greedy."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """One reply. finish: "stop", "length", or "failed" (an endpoint gave up: there is no reply)."""

    text: str
    tokens: int
    finish: str
    prefilled: bool = False


OnDone = Callable[[Mapping[int, Told]], None]


class Answerer(Protocol):
    """What can be evaluated. identity: everything a reply depends on besides prompt and sampling."""

    name: str
    identity: str

    def answer(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """Answer every prompt; call on_done({index: reply, …}) for each batch, in any order."""


class PolicyAnswerer:
    """A local model through the policy. Longest prompts first, so that what will not fit fails at once."""

    def __init__(
        self, policy: Policy, name: str, identity: str, *, batch_size: int = 16, template: dict[str, Any] | None = None
    ) -> None:
        """template: what is handed to the chat template (enable_thinking and the like)."""
        self.name = name
        self.identity = identity
        self._policy = policy
        self._batch_size = batch_size
        self._template = template or {}

    def answer(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """In chunks of a few batches."""
        texts = [self._policy.prompt_text(_dicts(prompt), **self._template) for prompt in prompts]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        for chunk in _chunks(order, CHUNK * self._batch_size):
            replies = self._policy.generate(
                [_dicts(prompts[place]) for place in chunk],
                max_new_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k,
                seed=sampling.seed,
                batch_size=self._batch_size,
                template=self._template,
            )
            on_done(
                {
                    place: Told(reply.text, reply.tokens, reply.finish, prefills_think(texts[place]))
                    for place, reply in zip(chunk, replies, strict=True)
                }
            )


class EndpointAnswerer:
    """A model behind an OpenAI-compatible endpoint. prefilled: its chat template opens the think block itself."""

    def __init__(self, endpoint: Endpoint, *, prefilled: bool = False) -> None:
        """The endpoint is closed by whoever opened it."""
        self.name = endpoint.settings.model
        self.identity = f"{endpoint.settings.base_url} {endpoint.settings.model} {dict(endpoint.settings.extra)}"
        self.endpoint = endpoint
        self._prefilled = prefilled

    def requests(self, prompts: Sequence[Messages], sampling: Sampling) -> list[Request]:
        """What would be sent. OpenAI's own API knows no top_k; a server that does takes it in `extra`."""
        return [
            Request(
                _dicts(prompt),
                sampling.max_new_tokens,
                sampling.temperature,
                sampling.top_p,
                seed=sampling.seed,
                sample=sampling.seed,
            )
            for prompt in prompts
        ]

    def answer(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """All at once, as many in flight as the settings allow."""

        def told(place: int, outcome: object) -> None:
            if isinstance(outcome, EndpointReply):
                on_done({place: Told(outcome.text, outcome.completion_tokens, outcome.finish, self._prefilled)})
            else:
                on_done({place: Told(str(getattr(outcome, "reason", "")), 0, "failed")})

        self.endpoint.ask(self.requests(prompts, sampling), told)


class VllmAnswerer:
    """A local model through vLLM, which shares the computation of common prompt beginnings. Needs a GPU."""

    def __init__(
        self,
        model: str,
        name: str,
        identity: str,
        *,
        adapter: Path | None = None,
        rank: int = 16,
        template: dict[str, Any] | None = None,
    ) -> None:
        """Load the model. Raises PolicyError where vLLM is not installed or cannot load it."""
        try:
            from vllm import LLM
        except ImportError:
            raise PolicyError("--backend vllm: vllm is not installed; type `pip install vllm` (needs a GPU)") from None
        try:
            self._llm = LLM(
                model=model, enable_prefix_caching=True, enable_lora=adapter is not None, max_lora_rank=rank
            )
        except (OSError, ValueError, RuntimeError) as wrong:
            raise PolicyError(f"--backend vllm: cannot load {model}: {str(wrong).splitlines()[0]}") from None
        self.name = name
        self.identity = identity
        self._adapter = adapter
        self._template = template or {}

    def answer(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """One call; vLLM batches by itself."""
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        settings = SamplingParams(
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or -1,
            seed=sampling.seed,
        )
        replies = self._llm.chat(
            [_dicts(prompt) for prompt in prompts],
            settings,
            lora_request=LoRARequest("adapter", 1, str(self._adapter)) if self._adapter else None,
            chat_template_kwargs=self._template,
            use_tqdm=False,
        )
        tokenizer = self._llm.get_tokenizer()
        told = {}
        for place, reply in enumerate(replies):
            rendered = tokenizer.apply_chat_template(
                _dicts(prompts[place]), tokenize=False, add_generation_prompt=True, **self._template
            )
            output = reply.outputs[0]
            finish = "length" if output.finish_reason == "length" else "stop"
            told[place] = Told(output.text, len(output.token_ids), finish, prefills_think(rendered))
        on_done(told)


class ReplyStore:
    """Replies on disk while an evaluation runs: one line each, flushed as it comes; a torn last line is dropped."""

    def __init__(self, path: Path) -> None:
        """Read what an interrupted evaluation left."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            lines.repair(path)
        self._held = {row.pop("key"): Told(**row) for row in lines.read_rows(path)} if path.exists() else {}
        self.found = len(self._held)

    def get(self, key: str) -> Told | None:
        """The kept reply."""
        return self._held.get(key)

    def keep(self, replies: Mapping[str, Told]) -> None:
        """Append replies. Failed ones are not kept: the next launch asks again."""
        good = {key: told for key, told in replies.items() if told.finish != "failed"}
        self._held |= good
        lines.append(self.path, [{"key": key, **asdict(told)} for key, told in good.items()])

    def done(self) -> None:
        """The evaluation is complete and its traces are written: nothing to go on from any more."""
        self.path.unlink(missing_ok=True)


def reply_key(identity: str, prompt: Messages, sampling: Sampling) -> str:
    """A digest of everything a reply depends on."""
    told = [identity, _dicts(prompt), asdict(sampling)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def ask_all(
    answerer: Answerer,
    prompts: Sequence[Messages],
    sampling: Sampling,
    store: ReplyStore,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Told]:
    """A reply to each prompt, in their order, asking only for what the store lacks.

    The same prompt twice is asked once where replies are greedy, and drawn anew, by another seed, where they are
    sampled. on_progress: told how many prompts have their reply now.
    """
    keys = list(_keys(answerer.identity, prompts, sampling))
    times = Counter(key for key, _ in keys)
    replies = {key: told for key in times if (told := store.get(key)) is not None}
    answered = sum(times[key] for key in replies)
    on_progress(answered)
    wanted: dict[int, dict[str, Messages]] = {}
    for (key, seed), prompt in zip(keys, prompts, strict=True):
        if key not in replies:
            wanted.setdefault(seed, {})[key] = prompt

    def done(told: Mapping[str, Told]) -> None:
        nonlocal answered
        replies.update(told)
        store.keep(told)
        answered += sum(times[key] for key in told)
        on_progress(answered)

    for seed, asked in wanted.items():
        order = list(asked)
        answerer.answer(
            list(asked.values()),
            replace(sampling, seed=seed),
            lambda told, order=order: done({order[place]: one for place, one in told.items()}),  # type: ignore[misc]
        )
    return [replies[key] for key, _ in keys]


REPEAT_SEED = 1_000_003  # added for each repetition of a prompt: far from the seeds of --samples


def _keys(identity: str, prompts: Sequence[Messages], sampling: Sampling) -> Iterator[tuple[str, int]]:
    """The key of each prompt's reply, and the seed it is drawn with."""
    seen: Counter[str] = Counter()
    for prompt in prompts:
        plain = reply_key(identity, prompt, sampling)
        seed = sampling.seed + (REPEAT_SEED * seen[plain] if sampling.temperature > 0 else 0)
        seen[plain] += 1
        yield (plain if seed == sampling.seed else reply_key(identity, prompt, replace(sampling, seed=seed))), seed


def _dicts(prompt: Messages) -> list[dict[str, str]]:
    return [dict(message) for message in prompt]


def _chunks(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
