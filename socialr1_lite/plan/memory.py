"""Memory of one training process by parts, on a GPU or on a CPU. `parts` says how they add up.

None of the parts on a GPU has been compared with one yet (docs/scale.md); benchmarks/plan.py compares those on a CPU
with measurements. What counts there is the peak of the resident memory that the operating system reports. Sampling
holds two more sets of the adapted weights (`generation.folded_adapter`, `packed_weights`), training holds the
activations; they take turns, but the C library keeps what was freed in blocks that the next turn's tensors do not fit
into: the turns add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from socialr1_lite.errors import RecipeError
from socialr1_lite.judges.classifier import read_record
from socialr1_lite.plan import parts
from socialr1_lite.plan.architectures import Architecture, find_architecture
from socialr1_lite.plan.hardware import GIB, Device
from socialr1_lite.plan.parts import FULL, HALF, Memory, Part
from socialr1_lite.plan.reading import reading_parts
from socialr1_lite.plan.sharing import prompts_of, shared_layer_bytes, shared_tokens, shares_prompts
from socialr1_lite.policy.sampling import BLOCK
from socialr1_lite.recipe import Recipe

# TRL 1.15: trl/kernels/chunked_logprob.py, TOKEN_CHUNK_SIZE, and utils.py, _CHUNKED_LOGPROB_CHUNK_SIZE.
TRL_TILE = (4096, 32768)
# Unsloth 2026.10: unsloth_zoo/rl_replacements.py, autotune_batch_and_chunks: four chunks of a sequence up to 16k.
UNSLOTH_CHUNKS = 4
CONTEXT = 1.0 * GIB  # CUDA context, cuBLAS and cuDNN workspaces: an allowance [ours], not measured

MIB = 2**20
# Resident before the first training step of a model of no size: measured, 616 MiB after importing torch, transformers,
# TRL, PEFT and Unsloth (612 without Unsloth), 687 with what generating and the trainer load on first use.
LIBRARIES = 687 * MIB
JUDGE_PROCESS = 529 * MIB  # measured: a reward model of no size; SmolLM2-135M in bfloat16 came to 815, 786 predicted
UNSLOTH_LOGITS = 16 * MIB  # so many logits at a time: unsloth_zoo/cpu/ops.py, cpu_chunked_log_probs
PLAIN_ROWS = 1024  # policy.PlainLogProbs.ROWS


def memory(recipe: Recipe, architecture: Architecture, device: Device) -> Memory:
    """Predict the parts on one device from the recipe's limits: the longest prompt and the longest completion."""
    size = parts.number_size(recipe, device) if device.cpu else HALF
    needed = [*_always(recipe, architecture, device), *_judges(recipe, device)]
    needed += reading_parts(recipe, architecture, device)
    if device.cpu and recipe.model.load_in_4bit:
        stored = architecture.parameters * HALF
        needed.append(Part("weights as stored", stored, "loading", "16 bits, before they are quantised"))
    needed += [*_training(recipe, architecture, device, size), *_sampling(recipe, architecture, device, size)]
    return Memory(tuple(needed), kept=device.cpu)


def _always(recipe: Recipe, a: Architecture, device: Device) -> list[Part]:
    lora, optim = recipe.model.lora, recipe.grpo.optim
    adapter = a.lora_parameters(lora.r, lora.targets)
    loaded = parts.weight_bytes(recipe, a, parts.number_size(recipe, device))
    states = parts.ADAM_8BIT if optim.endswith("8bit") and not device.cpu else 2 * FULL
    why = "two states, 32 bits (Unsloth's rule on a CPU)" if device.cpu else f"{optim}: two states"
    weights = Part("weights", loaded, "always", f"{a.parameters / 1e9:.2f} x 10^9 parameters")
    trained = [
        Part("adapter", adapter * FULL, "always", f"LoRA r {lora.r}, 32 bits"),
        Part("gradients", adapter * FULL, "always", "of the adapter"),
        Part("optimizer", adapter * states, "always", why),
    ]
    if device.cpu:
        return [Part("libraries", LIBRARIES, "always", "Python, torch, transformers, TRL"), weights, *trained]
    return [weights, *_vllm(recipe, device, loaded), *trained, Part("CUDA context", CONTEXT, "always", "an allowance")]


def _vllm(recipe: Recipe, gpu: Device, weights: float) -> Iterator[Part]:
    pool = recipe.model.gpu_memory_utilization * gpu.memory
    if recipe.grpo.vllm == "colocate" and recipe.model.fast_inference:
        yield Part("vLLM pool", max(pool - weights, 0.0), "always", "its KV cache; the weights are shared")
    elif recipe.grpo.vllm == "colocate":  # TRL's engine has weights of its own inside its pool
        yield Part("vLLM pool", pool, "always", "gpu_memory_utilization of the card")


def _judges(recipe: Recipe, device: Device) -> Iterator[Part]:
    """Predict each reward model on the policy's device, whose process is its own (judges/reward_process.py).

    A model whose sizes are not known here is not counted. Raises JudgeError when a judge's folder is none.
    """
    for entry in recipe.rewards.content.judges:
        if entry.name != "reward_model" or (entry.settings.get("device") == "cpu" and not device.cpu):
            continue
        record = read_record(Path(str(entry.settings.get("path", ""))).expanduser())
        try:
            base = find_architecture(record["base"])
        except RecipeError:
            continue
        size = FULL if record["dtype"] == "float32" else HALF
        yield Part("judge", base.parameters * size, "always", f"reward_model on {record['base']}")
        overhead = JUDGE_PROCESS if device.cpu else CONTEXT
        yield Part("judge's process", overhead, "always", "the reward model has one of its own")


def _training(recipe: Recipe, a: Architecture, device: Device, size: int) -> Iterator[Part]:
    (rows, length), lora, shared = parts.trained_at_once(recipe), recipe.model.lora, shares_prompts(recipe, device)
    tokens: float = rows * length
    layer = float(tokens * parts.activation_bytes_per_token(a, lora.r, size, padded=length if device.cpu else 0))
    if shared:
        cold = parts.cold_start_at_once(recipe)
        layer = shared_layer_bytes(recipe, a, size, cpu=device.cpu)
        layer = max(layer, float(cold * parts.activation_bytes_per_token(a, lora.r, size)))
        tokens = max(shared_tokens(recipe), cold)
    if device.cpu and size == HALF:  # autocast keeps a 16-bit copy of the adapter with each layer
        layer += a.lora_parameters(lora.r, lora.targets) / a.layers * HALF
    kept, why = layer * a.layers, "every layer, no gradient checkpointing"
    if recipe.model.gradient_checkpointing:
        kept, why = tokens * a.layers * a.hidden * size + layer, "each layer's input, and one layer recomputed"
    why += ", a prompt once for its group" if shared else ""
    yield Part("activations", kept, "training", why)
    yield _cpu_logits(recipe, a, size) if device.cpu else _gpu_logits(recipe, a)
    if device.cpu and not shared:  # of booleans, and a copy while it is made
        yield Part("attention mask", 2 * tokens * length, "training", "who sees whom, for padded prompts")


def _gpu_logits(recipe: Recipe, a: Architecture) -> Part:
    if recipe.model.backend == "transformers":
        rows, columns = TRL_TILE
        return Part("logits", rows * min(columns, a.vocabulary) * FULL, "training", "TRL's fused head: one tile")
    rows = -(-recipe.grpo.max_completion_length // UNSLOTH_CHUNKS)
    # Logits and their gradient. Unsloth takes several sequences at a time where memory is free.
    why = f"a quarter of one completion x {a.vocabulary:,} words"
    return Part("logits", 2 * rows * a.vocabulary * FULL, "training", why)


def _cpu_logits(recipe: Recipe, a: Architecture, size: int) -> Part:
    rows = recipe.grpo.per_device_train_batch_size * recipe.grpo.max_completion_length
    if recipe.model.backend == "transformers":
        # Logits, their scaled and tempered copies, log-probabilities, probabilities and their product.
        rows = min(rows, PLAIN_ROWS)
        return Part("logits", rows * a.vocabulary * (size + 5 * FULL), "training", f"{rows:,} words' choices at a time")
    # Logits in the model's type, in 32 bits, probabilities, and these in the model's type.
    size_of_logits = min(rows * a.vocabulary, UNSLOTH_LOGITS) * 2 * (size + FULL)
    return Part("logits", size_of_logits, "training", "Unsloth's fused head: 16 Mi of them at a time")


def _sampling(recipe: Recipe, a: Architecture, device: Device, size: int) -> Iterator[Part]:
    rows, longest = parts.most_sampled_at_once(recipe), parts.longest(recipe)
    held, why = float(rows * longest), f"{rows} completions of up to {longest:,} tokens"
    shared, prompts = shares_prompts(recipe, device), float(rows)
    if shared:  # a group's prompt is there once, but the questions of a check have one each
        asked = min(recipe.evaluation.batch_size, -(-recipe.questions_of_a_check // recipe.processes))
        prompts = max(prompts_of(recipe, rows), 0 if recipe.grpo.vllm else asked)
        held = prompts * recipe.data.max_prompt_tokens + rows * (recipe.grpo.max_completion_length + BLOCK)
        why = f"{rows} completions and {prompts:g} prompts of theirs"
    cache = held * parts.kv_bytes_per_token(a, size)
    if device.cpu:
        folded = 0 if recipe.model.load_in_4bit else a.adapted_parameters(recipe.model.lora.targets) * size
        yield Part("folded weights", folded, "sampling", "the adapted layers with their adapter, beside the plain ones")
        if size < FULL:
            laid_out = folded + a.vocabulary * a.hidden * size
            yield Part("laid out weights", laid_out, "sampling", "the same and the LM head, as few rows are multiplied")
        if not shared:
            # With every token the cache is written anew, one token longer, beside the block that has become too short.
            cache, why = 2 * cache, f"{why}, twice"
    yield Part("KV cache", cache, "sampling", why)
    # Without a backward pass a layer's largest moment is its MLP: input, residual, gate, up, their product.
    prefill = prompts * recipe.data.max_prompt_tokens * size * (2 * a.hidden + 3 * a.mlp)
    yield Part("prefill", prefill, "sampling", f"{prompts:g} prompts at once through one layer")
