"""The policy: a language model with its LoRA adapter, as the rest of the package sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from socialr1_lite.errors import PolicyError, first_line, ran_out_of_memory
from socialr1_lite.policy.adapters import refuse_another_kind, refuse_pickle, saved_adapter
from socialr1_lite.policy.backends import Backend
from socialr1_lite.policy.engine import Engine
from socialr1_lite.policy.generation import share_prompts, speed_up_cpu_sampling
from socialr1_lite.policy.lora_products import speed_up_cpu_training
from socialr1_lite.policy.numbers import refuse_unsound, trained
from socialr1_lite.policy.prefix import share_attention
from socialr1_lite.policy.rendering import render
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.prompting import Messages, Template
from socialr1_lite.sip import Message, prefills_think

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(slots=True)
class Policy:
    """A model, its tokenizer, and how they were loaded. `model` is a PeftModel once there is an adapter.

    notes: what was loaded otherwise than asked for, and why. checkpointing: whether an adapter is trained with gradient
    checkpointing. repository: where the weights really came from. revision_honoured: at model.revision; None: none was
    asked for. engine: what `generate` samples by instead of the model. pickle: whether an adapter may be in one.
    share_prefix: whether sequences that begin alike share that in a forward pass (`prefix`).
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    backend: Backend
    name: str
    quantized: bool
    notes: tuple[str, ...] = ()
    checkpointing: bool = False
    repository: str = ""
    revision_honoured: bool | None = None
    engine: Engine | None = None
    pickle: bool = False
    share_prefix: bool = False

    @property
    def device(self) -> str:
        """cpu, cuda:0, ..."""
        return str(next(self.model.parameters()).device)

    @property
    def eos_ids(self) -> set[int]:
        """Every token id that ends a completion."""
        ends = self.model.generation_config.eos_token_id
        return {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}

    def prompt_text(self, messages: Sequence[Message], **template: bool | str | int | float | None) -> str:
        """Return the rendered generation prompt. `template` are chat template settings, such as enable_thinking."""
        return render(self.tokenizer, messages, **{"add_generation_prompt": True, **template})

    def generate(
        self,
        prompts: Sequence[Messages],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        repetition_penalty: float = 1.0,
        batch_size: int = 16,
        template: Template | None = None,
    ) -> list[Completion]:
        """Return one completion a prompt, in the order of the prompts. temperature 0 is greedy.

        repetition_penalty: over prompt and reply, as transformers counts it; an engine samples without. Prompts of like
        length share a batch (left-padded), which saves most of the padding.
        """
        import torch

        texts = [self.prompt_text(prompt, **(template or {})) for prompt in prompts]
        if self.engine is not None:
            asked = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
            sampling = {"max_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p, "top_k": top_k or -1}
            written = self.engine(self.model, asked, sampling, seed)
            return [self._read(ids, prefills_think(text)) for ids, text in zip(written, texts, strict=True)]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        done: dict[int, Completion] = {}
        with self._inference():
            torch.manual_seed(seed)
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                settings = self._sampling(max_new_tokens, temperature, top_p, top_k)
                settings |= {"repetition_penalty": repetition_penalty} if repetition_penalty != 1 else {}
                done.update(zip(batch, self._generate_batch([texts[i] for i in batch], settings), strict=True))
        return [done[i] for i in range(len(texts))]

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        stop: Event | None = None,
        template: Template | None = None,
    ) -> Iterator[str]:
        """Yield the completion so far, each time longer, as it is written. Set `stop` to cancel between tokens."""
        import torch
        from transformers import StoppingCriteria, TextIteratorStreamer

        class Cancelled(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:
                cancelled = bool(stop and stop.is_set())
                return torch.full((input_ids.shape[0],), cancelled, dtype=torch.bool, device=input_ids.device)

        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        encoded = self._encode([self.prompt_text(messages, **(template or {}))])
        settings = self._sampling(max_new_tokens, temperature, top_p, top_k)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                torch.manual_seed(seed)
                self.model.generate(**encoded, **settings, streamer=streamer, stopping_criteria=[Cancelled()])
            except BaseException as error:  # handed to the reader below, whose thread it belongs to
                failure.append(error)
                streamer.end()

        with self._inference():
            writer = Thread(target=work, daemon=True)
            writer.start()
            text = ""
            for piece in streamer:
                text += piece
                yield text
            writer.join()
        if failure:
            raise failure[0]

    def save_adapter(self, folder: Path) -> None:
        """Write the LoRA adapter (PEFT layout) and the tokenizer. Raises DivergedError for weights that are none."""
        refuse_unsound(trained(self.model), "the adapter is not kept")
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def merge_adapter(self) -> None:
        """Fold the adapter into the weights for good (16-bit only); the model is then a plain one again."""
        if self.quantized:
            raise PolicyError("a 4-bit model cannot take in its adapter without loss: load it in 16-bit to merge")
        self.model = self.model.merge_and_unload()

    def add_adapter(self, folder: Path, *, trainable: bool = False) -> None:
        """Put a saved adapter on the model. Raises PolicyError for a folder without one, or with another model's."""
        if not (folder / "adapter_config.json").is_file():
            remedy = "name a folder written by a run"
            raise PolicyError(f"{folder} holds no adapter (adapter_config.json is missing): {remedy}")
        refuse_pickle(folder, "adapter_model", allowed=self.pickle)
        refuse_another_kind(folder)
        settings = {"checkpointing": self.checkpointing, "trainable": trainable}
        try:
            self.model = saved_adapter(self.model, folder, self.backend, **settings)
        except Exception as error:  # PEFT takes any type from a file, and fails of it in its own ways
            if ran_out_of_memory(error):
                raise
            raise PolicyError(f"{folder}: the adapter does not fit {self.name}: {first_line(error)}") from error
        self.speed_up()

    def speed_up(self) -> None:
        """Make sampling quicker on a CPU, and share prompts if wanted; for every new wrapping of the model."""
        if self.share_prefix:
            share_prompts(self.model)
        if self.device == "cpu":
            speed_up_cpu_sampling(self.model)
            speed_up_cpu_training(self.model)
        if self.share_prefix:
            share_attention(self.model)

    def _sampling(self, max_new_tokens: int, temperature: float, top_p: float, top_k: int) -> dict[str, Any]:
        common = {
            "max_new_tokens": max_new_tokens,
            "pad_token_id": self.tokenizer.pad_token_id,
            "eos_token_id": sorted(self.eos_ids),
            "use_cache": True,
        }
        if temperature == 0:  # None, or generate() warns about the settings that greedy decoding leaves unused
            return common | {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return common | {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": top_k}

    def _encode(self, texts: list[str]) -> BatchEncoding:
        side, self.tokenizer.padding_side = self.tokenizer.padding_side, "left"
        try:
            # The chat template has already written every special token.
            encoded = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        finally:
            self.tokenizer.padding_side = side
        encoded.pop("token_type_ids", None)
        return encoded.to(self.device)

    def _generate_batch(self, texts: list[str], settings: dict[str, Any]) -> list[Completion]:
        import torch

        encoded = self._encode(texts)
        with torch.no_grad():
            out = self.model.generate(**encoded, **settings)
        written = out[:, encoded["input_ids"].shape[1] :].tolist()
        return [self._read(ids, prefills_think(text)) for ids, text in zip(written, texts, strict=True)]

    def _read(self, ids: list[int], prefilled: bool) -> Completion:
        end = next((i for i, token in enumerate(ids) if token in self.eos_ids), None)
        kept = ids if end is None else ids[: end + 1]
        text = self.tokenizer.decode(kept, skip_special_tokens=True)
        return Completion(text, len(kept), "length" if end is None else "stop", prefilled)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[PreTrainedModel]:
        """Yield the base under the adapter, in evaluation mode and without gradients; afterwards all is as it was.

        Only flags change, and each is put back by itself: PEFT's switch would make an adapter trainable that was not.
        Unsloth's `for_inference` is for `generate`; its layers go by their own flag.
        """
        import torch

        modes = [(module, module.training) for module in self.model.modules()]
        trained = [(weight, weight.requires_grad) for weight in self.model.parameters()]
        adapted = hasattr(self.model, "disable_adapter")
        device = torch.device(self.device).type
        plain = self.model.disable_adapter() if adapted else contextlib.nullcontext()
        try:
            with torch.no_grad(), torch.autocast(device, enabled=False), plain:
                for module, _ in modes:
                    module.training = False
                yield self.model.get_base_model() if adapted else self.model
        finally:
            for module, training in modes:
                module.training = training
            for weight, needed in trained:
                weight.requires_grad_(needed)

    def _cuda_devices(self) -> list[int]:
        import torch

        return list(range(torch.cuda.device_count()))

    @contextlib.contextmanager
    def _inference(self) -> Iterator[None]:
        """Switch to evaluation mode with the KV cache on, then back: Unsloth keeps two sets of kernels on a GPU.

        The global random state is left as it was, so that sampling here never moves a training run.
        """
        import torch

        training, cached = self.model.training, self.model.config.use_cache
        if self.backend == "unsloth":
            from unsloth import FastLanguageModel

            FastLanguageModel.for_inference(self.model)
        self.model.eval()
        self.model.config.use_cache = True
        try:
            with torch.random.fork_rng(devices=self._cuda_devices()):
                yield
        finally:
            if training:
                if self.backend == "unsloth":
                    FastLanguageModel.for_training(self.model)
                self.model.train()
            self.model.config.use_cache = cached
