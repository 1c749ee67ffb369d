"""Who answers: a local policy, vLLM, or an endpoint; and a store of replies, so that none is asked for twice.

Every sampler takes a list of prompts and hands back each completion as soon as its batch is done, so that progress can
be shown and an interrupted evaluation goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from socialr1_lite.endpoint import Endpoint, EndpointReply, Failure, Outcome, Request
from socialr1_lite.errors import MachineError, PolicyError, first_line
from socialr1_lite.policy import Policy
from socialr1_lite.policy.rendering import render
from socialr1_lite.rollouts.completion import Completion, Finish
from socialr1_lite.rollouts.prompting import Messages, Template
from socialr1_lite.runlog import cache_folder, lines
from socialr1_lite.scenario import JsonValue
from socialr1_lite.sip import prefills_think

CHUNK = 4  # batches handed to the policy at once: it sorts them by length, and progress is told between them


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn. max_new_tokens: of one reply. temperature 0 is greedy. repetition_penalty 1: none."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    repetition_penalty: float = 1.0

    def told(self) -> dict[str, float]:
        """Return the settings by name; without a penalty as earlier versions wrote them."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("repetition_penalty", 1.0)}


OnDone = Callable[[Mapping[int, Completion]], None]


class ReplySampler(Protocol):
    """What can be evaluated. identity: everything a completion depends on besides prompt and sampling."""

    name: str
    identity: str

    def sample(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """Complete every prompt; call on_done({index: completion, …}) for each batch, in any order."""


class PolicySampler:
    """A local model through the policy. Longest prompts first, so that what will not fit fails at once."""

    def __init__(
        self, policy: Policy, name: str, identity: str, *, batch_size: int = 16, template: Template | None = None
    ) -> None:
        """Keep the settings. template: what is handed to the chat template (enable_thinking and the like)."""
        self.name = name
        self.identity = identity
        self.policy = policy
        self._batch_size = batch_size
        self._template = dict(template or {})

    def sample(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """Complete the prompts in chunks of a few batches."""
        texts = [self.policy.prompt_text(prompt, **self._template) for prompt in prompts]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        size = CHUNK * self._batch_size
        for chunk in (order[start : start + size] for start in range(0, len(order), size)):
            asked = [prompts[place] for place in chunk]
            completions = self.policy.generate(
                asked, **asdict(sampling), batch_size=self._batch_size, template=self._template
            )
            on_done(dict(zip(chunk, completions, strict=True)))


LEAST_VAIN = 3  # requests in a row without a reply, before a server counts as gone [ours]


class EndpointSampler:
    """A model behind an OpenAI-compatible endpoint. prefilled: its chat template opens the think block itself.

    opens: a reply has shown that the template opens the block, whatever --prefilled says.
    said: of top_k and repetition_penalty those that are sent where they change nothing, too: a server may else draw by
    the model's generation settings.
    """

    def __init__(self, endpoint: Endpoint, *, prefilled: bool = False, said: Sequence[str] = ()) -> None:
        """Keep the endpoint, which is closed by whoever opened it."""
        self.name = endpoint.settings.model
        self.identity = f"{endpoint.settings.base_url} {endpoint.settings.model} {dict(endpoint.settings.extra)}"
        self.identity += f" {' '.join(sorted(said))}" if said else ""
        self.endpoint = endpoint
        self.opens = False
        self._prefilled = prefilled
        self._said = said
        self._vain = 0  # requests in a row that used up their tries, over batches too: an episode asks one at a time

    def requests(self, prompts: Sequence[Messages], sampling: Sampling) -> list[Request]:
        """Return what would be sent."""
        limit, temperature, top_p, seed = sampling.max_new_tokens, sampling.temperature, sampling.top_p, sampling.seed
        k = sampling.top_k or (-1 if "top_k" in self._said else 0)
        says = sampling.repetition_penalty != 1 or "repetition_penalty" in self._said
        penalty = sampling.repetition_penalty if says else None
        one = Request((), limit, temperature, top_p, seed=seed, sample=seed, top_k=k, repetition_penalty=penalty)
        return [replace(one, messages=prompt) for prompt in prompts]

    def sample(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """Send all at once, as many in flight as the settings allow.

        Raises PolicyError when so many requests in a row have used up their tries that the server must be gone.
        """

        def done(place: int, outcome: Outcome) -> None:
            gone = isinstance(outcome, Failure) and outcome.spent
            vain = self._vain = self._vain + 1 if gone else 0
            on_done({place: self._completion(outcome)})
            if isinstance(outcome, Failure) and vain >= max(LEAST_VAIN, self.endpoint.settings.concurrency):
                raise PolicyError(
                    f"{self.endpoint.settings.base_url}: the last {vain} requests got no reply ({outcome.reason}); the "
                    "replies before are kept, and the same command goes on from them"
                )

        self.endpoint.ask(self.requests(prompts, sampling), done)

    def _completion(self, outcome: Outcome) -> Completion:
        if not isinstance(outcome, EndpointReply):
            return Completion.failure(outcome.reason)
        text, tokens = outcome.text, outcome.completion_tokens
        return Completion(text, tokens, outcome.finish, self._prefilled, reasoning=outcome.reasoning)


class VllmSampler:
    """A local model through vLLM, which shares the computation of common prompt beginnings. Needs a GPU."""

    def __init__(
        self,
        model: str,
        name: str,
        identity: str,
        *,
        adapter: Path | None = None,
        rank: int = 16,
        template: Template | None = None,
        pickle: bool = False,
    ) -> None:
        """Load the model. Raises PolicyError where vLLM is not installed or cannot load it."""
        try:
            from vllm import LLM
        except ImportError:
            raise PolicyError(
                "--backend vllm: vllm is not installed; type `pip install -r requirements-vllm.txt` (needs a GPU)"
            ) from None
        try:
            how = {
                "enable_lora": bool(adapter),
                "max_lora_rank": rank,
                "load_format": "auto" if pickle else "safetensors",
            }
            self._llm = LLM(model=model, enable_prefix_caching=True, trust_remote_code=False, **how)
        except (OSError, ValueError, RuntimeError) as error:
            raise PolicyError(f"--backend vllm: cannot load {model}: {first_line(error)}") from None
        self.name = name
        self.identity = identity
        self.tokenizer = self._llm.get_tokenizer()
        self._adapter = adapter
        self._template = dict(template or {})

    def sample(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """Complete the prompts in one call; vLLM batches by itself."""
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        settings = SamplingParams(
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or -1,
            seed=sampling.seed,
            repetition_penalty=sampling.repetition_penalty,
        )
        replies = self._llm.chat(
            list(prompts),
            settings,
            lora_request=LoRARequest("adapter", 1, str(self._adapter)) if self._adapter else None,
            chat_template_kwargs=self._template,
            use_tqdm=False,
        )
        completions = {}
        for place, reply in enumerate(replies):
            rendered = render(self.tokenizer, prompts[place], add_generation_prompt=True, **self._template)
            output = reply.outputs[0]
            finish: Finish = "length" if output.finish_reason == "length" else "stop"
            completions[place] = Completion(output.text, len(output.token_ids), finish, prefills_think(rendered))
        on_done(completions)


def chat_template(sampler: ReplySampler) -> str:
    """Return the chat template of a model that is loaded here, "" where none can be seen."""
    if isinstance(sampler, VllmSampler):
        tokenizer: object = sampler.tokenizer
    else:
        tokenizer = getattr(sampler.policy, "tokenizer", None) if isinstance(sampler, PolicySampler) else None
    return str(getattr(tokenizer, "chat_template", None) or "")


def further(sampler: ReplySampler) -> dict[str, JsonValue]:
    """Return the fields of a request that only --extra-body brings, what is for the chat template aside."""
    extra = sampler.endpoint.settings.extra if isinstance(sampler, EndpointSampler) else {}
    return {name: value for name, value in extra.items() if name != "chat_template_kwargs"}


def further_numbers(sampler: ReplySampler) -> dict[str, float]:
    """Return those of them that are numbers, which a report tells with the sampling; true is 1."""
    return {name: float(one) for name, one in further(sampler).items() if isinstance(one, (int, float))}


def not_sent(sampler: ReplySampler) -> list[str]:
    """Return the settings that the server behind a sampler has refused, so that it answered by its own default."""
    return sampler.endpoint.not_taken if isinstance(sampler, EndpointSampler) else []


class ReplyStore:
    """Completions on disk while an evaluation runs: one line each, flushed as it comes; a torn last line is dropped.

    Where the folder is full or closed they go into the user's cache folder instead: they may have been paid for.
    """

    def __init__(self, path: Path) -> None:
        """Read what an interrupted evaluation left."""
        self.path = path
        name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
        self._other = cache_folder() / "replies" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._held: dict[str, Completion] = {}
        for place in (self._other, path):
            with contextlib.suppress(OSError):
                lines.repair(place)
            for row in lines.read_rows(place):
                with contextlib.suppress(KeyError, TypeError):  # no row of ours
                    key = row.pop("key")
                    self._held[key] = Completion(**row)
        self.found = len(self._held)

    def get(self, key: str) -> Completion | None:
        """Return the kept completion."""
        return self._held.get(key)

    def keep(self, completions: Mapping[str, Completion]) -> None:
        """Append completions. Failed ones are not kept: the next launch asks again.

        Raises MachineError where they can be kept nowhere, so that no more is paid for.
        """
        good = {key: one for key, one in completions.items() if not one.failed}
        self._held |= good
        rows = [{"key": key, **asdict(one)} for key, one in good.items()]
        try:
            lines.append(self.path, rows)
        except OSError as error:
            said = f"{self.path}: {first_line(error)}"
            try:
                self._other.parent.mkdir(parents=True, exist_ok=True)
                lines.append(self._other, rows)
            except OSError as again:
                kept = f"the {len(self._held) - len(good)} replies before stay, and the same command goes on from them"
                raise MachineError(f"{said}; {self._other}: {first_line(again)}; free some space: {kept}") from error
            print(
                f"note: {said}; replies are kept in {self._other}, from where the same command goes on", file=sys.stderr
            )
            self.path = self._other

    def done(self) -> None:
        """Remove the files: the evaluation is complete and its traces are written, so nothing is left to go on from."""
        for place in (self.path, self._other):
            place.unlink(missing_ok=True)


def reply_key(identity: str, prompt: Messages, sampling: Sampling) -> str:
    """Return a digest of everything a reply depends on."""
    parts = [identity, prompt, sampling.told()]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def ask_all(
    sampler: ReplySampler,
    prompts: Sequence[Messages],
    sampling: Sampling,
    store: ReplyStore,
    on_progress: Callable[[int, int], None] = lambda done, failed: None,
) -> list[Completion]:
    """Return a completion of each prompt, in their order, asking only for what the store lacks.

    The same prompt twice is asked once where replies are greedy, and drawn anew, by another seed, where they are
    sampled. on_progress: called with the number of prompts that have their reply now, and of those that got none.
    """
    keys = list(_keys(sampler.identity, prompts, sampling))
    times = Counter(key for key, _ in keys)
    completions = {key: kept for key in times if (kept := store.get(key)) is not None}
    answered = sum(times[key] for key in completions)
    failed = 0
    on_progress(answered, failed)
    wanted: dict[int, dict[str, Messages]] = {}
    for (key, seed), prompt in zip(keys, prompts, strict=True):
        if key not in completions:
            wanted.setdefault(seed, {})[key] = prompt

    def done(fresh: Mapping[str, Completion]) -> None:
        nonlocal answered, failed
        completions.update(fresh)
        store.keep(fresh)
        failed += sum(times[key] for key, one in fresh.items() if one.failed)
        answered += sum(times[key] for key, one in fresh.items() if not one.failed)
        on_progress(answered, failed)

    for seed, asked in wanted.items():
        order = list(asked)
        sampler.sample(
            list(asked.values()),
            replace(sampling, seed=seed),
            lambda batch, order=order: done({order[place]: one for place, one in batch.items()}),  # type: ignore[misc]
        )
    return [completions[key] for key, _ in keys]


REPEAT_SEED = 1_000_003  # added for each repetition of a prompt: far from the seeds of --samples


def _keys(identity: str, prompts: Sequence[Messages], sampling: Sampling) -> Iterator[tuple[str, int]]:
    """Yield the key of each prompt's reply, and the seed it is drawn with."""
    seen: Counter[str] = Counter()
    for prompt in prompts:
        plain = reply_key(identity, prompt, sampling)
        drawn = replace(sampling, seed=sampling.seed + (REPEAT_SEED * seen[plain] if sampling.temperature > 0 else 0))
        seen[plain] += 1
        yield reply_key(identity, prompt, drawn), drawn.seed
