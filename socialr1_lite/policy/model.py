"""The policy: a language model with its LoRA adapter. The one door to unsloth, transformers, peft and bitsandbytes.

Two backends, one meaning. `unsloth` (CUDA, or its own CPU backend) and `transformers` (plain transformers + peft, with
a plain-torch log-probability function where TRL's Triton kernel cannot run). Heavy imports live inside functions,
Unsloth always first, because on a GPU it must patch trl, transformers and peft before anyone binds their names.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy.cpu_sampling import speed_up_cpu_sampling
from socialr1_lite.policy.embedded import EMBEDDED, embedded_model

if TYPE_CHECKING:
    from socialr1_lite.recipe import Model

Message = dict[str, str]
Backend = Literal["unsloth", "transformers"]

_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "datasets",
    "accelerate",
    "unsloth",
    "unsloth_zoo",
)


# --- backends ----------------------------------------------------------------------------------------------------


def choose_backend(wanted: str) -> Backend:
    """`auto` takes Unsloth where it imports, else transformers. Raises PolicyError when a named one is missing."""
    _quiet_libraries()
    if wanted == "transformers":
        return "transformers"
    problem = _unsloth_problem()
    if problem is None:
        return "unsloth"
    if wanted == "unsloth":
        raise PolicyError(
            f"model.backend: unsloth was asked for, but {problem}; set model.backend: transformers or mend it"
        )
    return "transformers"


@cache
def _unsloth_problem() -> str | None:
    if importlib.util.find_spec("unsloth") is None:
        return "unsloth is not installed (pip install --no-deps -r requirements-nodeps.txt)"
    if sys.platform == "darwin" and importlib.util.find_spec("mlx") is not None:
        return "Unsloth with mlx has no GRPOTrainer (uninstall mlx, or use the transformers backend)"
    try:
        with _stdout_to_stderr():
            import unsloth  # noqa: F401
    except (ImportError, NotImplementedError, RuntimeError, OSError) as wrong:
        return f"unsloth does not import here: {str(wrong).splitlines()[0] if str(wrong) else type(wrong).__name__}"
    return None


def _quiet_libraries() -> None:
    """No telemetry; and no greetings, bars and warnings that hide what a run has to say."""
    for name in ("bitsandbytes.backends.cpu.ops",):  # warns of a missing optional kernel on every import
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Libraries greet on stdout; our stdout is for results that a pipe may read."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def patch_plain_logprobs() -> None:
    """Give TRL a plain-torch log-probability function where its Triton kernel cannot run (no GPU, no Unsloth).

    TRL 1.15 always scores through a fused LM head whose kernel is Triton. The replacement computes the same numbers
    (log-probabilities, entropy and the three statistics) in chunks of rows, so the logits of a whole batch never
    exist at once.
    """
    import torch
    import trl.trainer.utils as trl_utils

    if torch.cuda.is_available() or "unsloth" in sys.modules:
        return
    trl_utils._ChunkedLogProbFunction = PlainLogProbs


class PlainLogProbs:
    """TRL's `_ChunkedLogProbFunction.apply` in plain torch."""

    ROWS = 1024  # logits of 1,024 x 50k x 4 bytes = 200 MB at most

    @staticmethod
    def apply(
        hidden: Any,
        weight: Any,
        bias: Any,
        targets: Any,
        temperature: float,
        chunk_size: int,
        softcap: float | None,
        logit_scale: float,
        outputs: Sequence[str],
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Per row of `hidden` (N, d): log p(target), then entropy, log Σp², mean logit, is-top-1, each (N,) or None."""
        import torch
        from torch.utils.checkpoint import checkpoint

        def rows(h: Any, y: Any) -> tuple[Any, ...]:
            logits = torch.nn.functional.linear(h, weight, bias).float() * logit_scale
            if softcap is not None:
                logits = softcap * torch.tanh(logits / softcap)
            logits = logits / temperature
            log_p = torch.log_softmax(logits, dim=-1)
            told = log_p.gather(-1, y.unsqueeze(-1)).squeeze(-1)
            entropy = -(log_p.exp() * log_p).sum(-1) if "entropy" in outputs else None
            with torch.no_grad():
                squares = torch.logsumexp(2 * log_p, -1) if "log_sum_sq_probs" in outputs else None
                mean = logits.mean(-1) if "mean_logits" in outputs else None
                top = logits.argmax(-1) == y if "is_top1" in outputs else None
            return told, entropy, squares, mean, top

        pieces = [
            checkpoint(rows, h, y, use_reentrant=False)
            for h, y in zip(hidden.split(PlainLogProbs.ROWS), targets.split(PlainLogProbs.ROWS), strict=True)
        ]
        columns = zip(*pieces, strict=True)
        return tuple(None if column[0] is None else torch.cat(column) for column in columns)  # type: ignore[return-value]


# --- loading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion: its text without special tokens, its length in tokens (the end token counts), why it stopped."""

    text: str
    tokens: int
    finish: Literal["stop", "length"]


@dataclass(slots=True)
class Policy:
    """A model, its tokenizer, and how they were loaded. `model` is a PeftModel once there is an adapter."""

    model: Any
    tokenizer: Any
    backend: Backend
    name: str
    quantized: bool

    @property
    def device(self) -> str:
        """cpu, cuda:0, ..."""
        return str(next(self.model.parameters()).device)

    @property
    def eos_ids(self) -> set[int]:
        """Every token id that ends a completion."""
        told = self.model.generation_config.eos_token_id
        return {self.tokenizer.eos_token_id, *(told if isinstance(told, list) else [told])} - {None}

    def prompt_text(self, messages: Sequence[Message], **template: Any) -> str:
        """The rendered generation prompt. `template` are chat template settings, such as enable_thinking."""
        return str(
            self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **template)
        )

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        batch_size: int = 16,
        template: dict[str, Any] | None = None,
    ) -> list[Generation]:
        """One completion a prompt, in the order of the prompts. temperature 0 is greedy.

        Prompts of like length share a batch (left-padded), which saves most of the padding. The global random state
        is left as it was, so that sampling here never moves a training run.
        """
        import torch

        texts = [self.prompt_text(prompt, **(template or {})) for prompt in prompts]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        done: dict[int, Generation] = {}
        with self._inference(), torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(seed)
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                settings = self._sampling(max_new_tokens, temperature, top_p, top_k)
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
        template: dict[str, Any] | None = None,
    ) -> Iterator[str]:
        """Yield the completion so far, each time longer, as it is written. Set `stop` to cancel between tokens."""
        import torch
        from transformers import StoppingCriteria, TextIteratorStreamer

        class Cancelled(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                told = bool(stop and stop.is_set())
                return torch.full((input_ids.shape[0],), told, dtype=torch.bool, device=input_ids.device)

        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        encoded = self._encode([self.prompt_text(messages, **(template or {}))])
        settings = self._sampling(max_new_tokens, temperature, top_p, top_k)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                torch.manual_seed(seed)
                self.model.generate(**encoded, **settings, streamer=streamer, stopping_criteria=[Cancelled()])
            except BaseException as wrong:  # handed to the reader below, whose thread it belongs to
                failure.append(wrong)
                streamer.end()

        with self._inference(), torch.random.fork_rng(devices=self._cuda_devices()):
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
        """Write the LoRA adapter (PEFT layout) and the tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def merge_adapter(self) -> None:
        """Fold the adapter into the weights for good (16-bit only); the model is then a plain one again."""
        if self.quantized:
            raise PolicyError("a 4-bit model cannot take in its adapter without loss: load it in 16-bit to merge")
        self.model = self.model.merge_and_unload()

    def add_adapter(self, folder: Path) -> None:
        """Put a saved adapter on the model, to generate with: for a run whose cold start was merged first."""
        self.model = _load_adapter(self, folder, trainable=False)
        if self.device == "cpu":
            speed_up_cpu_sampling(self.model)

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

    def _encode(self, texts: list[str]) -> Any:
        side, self.tokenizer.padding_side = self.tokenizer.padding_side, "left"
        try:
            # The chat template has already written every special token.
            encoded = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        finally:
            self.tokenizer.padding_side = side
        encoded.pop("token_type_ids", None)
        return encoded.to(self.device)

    def _generate_batch(self, texts: list[str], settings: dict[str, Any]) -> list[Generation]:
        import torch

        encoded = self._encode(texts)
        with torch.no_grad():
            out = self.model.generate(**encoded, **settings)
        return [self._read(ids) for ids in out[:, encoded["input_ids"].shape[1] :].tolist()]

    def _read(self, ids: list[int]) -> Generation:
        end = next((i for i, token in enumerate(ids) if token in self.eos_ids), None)
        kept = ids if end is None else ids[: end + 1]
        text = self.tokenizer.decode(kept, skip_special_tokens=True)
        return Generation(text, len(kept), "length" if end is None else "stop")

    def _cuda_devices(self) -> list[int]:
        import torch

        return list(range(torch.cuda.device_count()))

    @contextlib.contextmanager
    def _inference(self) -> Iterator[None]:
        """Evaluation mode with the KV cache on, then back: Unsloth keeps two sets of kernels on a GPU."""
        training, cached = self.model.training, self.model.config.use_cache
        if self.backend == "unsloth":
            from unsloth import FastLanguageModel

            FastLanguageModel.for_inference(self.model)
        self.model.eval()
        self.model.config.use_cache = True
        try:
            yield
        finally:
            if training:
                if self.backend == "unsloth":
                    FastLanguageModel.for_training(self.model)
                self.model.train()
            self.model.config.use_cache = cached


def load_policy(model: Model, *, adapter: Path | None = None, trainable: bool = False, seed: int = 42) -> Policy:
    """Load the recipe's model, with a saved adapter, a fresh LoRA adapter (`trainable`), or none.

    Raises PolicyError in one line when the model or the adapter cannot be had.
    """
    backend = choose_backend(model.backend)
    source = str(embedded_model()) if model.name == EMBEDDED else model.name
    try:
        with _stdout_to_stderr():
            policy = _load_unsloth(model, source, seed) if backend == "unsloth" else _load_plain(model, source)
    except (OSError, ValueError, RuntimeError, NotImplementedError, ImportError) as wrong:
        first = next((line for line in str(wrong).splitlines() if line.strip()), type(wrong).__name__)
        raise PolicyError(
            f"model.name: cannot load {model.name!r} ({backend} backend): {first.strip()} "
            f"(allowed: a hub id, a local folder, or {EMBEDDED!r})"
        ) from wrong
    _keep_4bit_trainable(policy.model)
    _give_pad_token(policy.tokenizer)
    if adapter is not None:
        policy.model = _load_adapter(policy, adapter, trainable=trainable)
    elif trainable:
        add_lora(policy, model, seed=seed)
    if policy.device == "cpu":
        speed_up_cpu_sampling(policy.model)
    return policy


def add_lora(policy: Policy, model: Model, *, seed: int = 42) -> None:
    """Wrap the model in a fresh LoRA adapter as the recipe says; B starts at zero, so the policy is unchanged."""
    lora = model.lora
    targets = _PROJECTIONS if lora.targets == "all-linear" else list(lora.targets)
    if policy.backend == "unsloth":
        from unsloth import FastLanguageModel

        with _stdout_to_stderr():
            policy.model = FastLanguageModel.get_peft_model(
                policy.model,
                r=lora.r,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=targets,
                use_rslora=lora.rslora,
                bias="none",
                use_gradient_checkpointing="unsloth" if model.gradient_checkpointing else False,
                random_state=seed,
            )
        return
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear" if lora.targets == "all-linear" else targets,
        use_rslora=lora.rslora,
        bias="none",
        task_type="CAUSAL_LM",
    )
    if model.gradient_checkpointing:
        policy.model.enable_input_require_grads()
    policy.model = get_peft_model(policy.model, config)


def _load_unsloth(model: Model, source: str, seed: int) -> Policy:
    from unsloth import FastLanguageModel

    loaded, tokenizer = FastLanguageModel.from_pretrained(
        model_name=source,
        max_seq_length=model.max_seq_length,
        dtype=_dtype(model.dtype),
        load_in_4bit=model.load_in_4bit,
        load_in_16bit=not model.load_in_4bit,
        revision=model.revision,
        trust_remote_code=model.trust_remote_code,
        use_exact_model_name=not model.load_in_4bit,  # 4-bit may take Unsloth's prequantized twin: less to download
        random_state=seed,
        **_vllm_settings(model),
    )
    return Policy(loaded, tokenizer, "unsloth", model.name, _is_4bit(loaded))


def _vllm_settings(model: Model) -> dict[str, Any]:
    if not model.fast_inference:
        return {}
    return {
        "fast_inference": True,
        "gpu_memory_utilization": model.gpu_memory_utilization,
        "max_lora_rank": model.lora.r,
    }


def _load_plain(model: Model, source: str) -> Policy:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    dtype = _dtype(model.dtype) or (torch.bfloat16 if bfloat16_is_native() else torch.float32)
    quantization = (
        BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
        if model.load_in_4bit
        else None
    )
    loaded = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=dtype,
        revision=model.revision,
        trust_remote_code=model.trust_remote_code,
        quantization_config=quantization,
        device_map={"": int(os.environ.get("LOCAL_RANK", "0"))} if torch.cuda.is_available() else "cpu",
    )
    tokenizer = AutoTokenizer.from_pretrained(
        source, revision=model.revision, trust_remote_code=model.trust_remote_code
    )
    if model.load_in_4bit:
        from peft import prepare_model_for_kbit_training

        loaded = prepare_model_for_kbit_training(loaded, use_gradient_checkpointing=model.gradient_checkpointing)
    patch_plain_logprobs()
    return Policy(loaded, tokenizer, "transformers", model.name, _is_4bit(loaded))


def _load_adapter(policy: Policy, adapter: Path, *, trainable: bool) -> Any:
    from peft import PeftModel

    if not (adapter / "adapter_config.json").is_file():
        raise PolicyError(
            f"{adapter} holds no adapter (adapter_config.json is missing): name a folder written by a run"
        )
    try:
        return PeftModel.from_pretrained(policy.model, str(adapter), is_trainable=trainable)
    except (OSError, ValueError, RuntimeError) as wrong:
        first = str(wrong).splitlines()[0]
        raise PolicyError(f"{adapter}: the adapter does not fit {policy.name}: {first}") from wrong


def _keep_4bit_trainable(model: Any) -> None:
    # bitsandbytes 0.50 repacks a 4-bit weight in place on the first eval-mode call without gradient; afterwards its
    # backward gives nothing and training silently stalls. Every layer stays on the trainable layout.
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _give_pad_token(tokenizer: Any) -> None:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def _is_4bit(model: Any) -> bool:
    return any(type(module).__name__ == "Linear4bit" for module in model.modules())


def _dtype(name: str) -> Any:
    import torch

    return None if name == "auto" else getattr(torch, name)


def bfloat16_is_native() -> bool:
    """Whether bfloat16 runs in hardware here: a GPU of compute capability 8 or more, or a CPU with AVX512-BF16/AMX."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.get_device_capability()[0] >= 8)
    if hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        return bool(torch.cpu._is_avx512_bf16_supported())
    return platform.machine().lower() in {"arm64", "aarch64"}


def describe_machine(policy: Policy | None = None) -> dict[str, Any]:
    """What a run was made on: versions, device, backend. JSON-ready, for environment.json."""
    import torch

    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    described: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "versions": versions,
    }
    if policy is not None:
        dtype = str(next(policy.model.parameters()).dtype).removeprefix("torch.")
        described |= {
            "backend": policy.backend,
            "device": policy.device,
            "dtype": dtype,
            "quantized": policy.quantized,
        }
    return described
