"""What the plan says of prompts that are read once for their group, by hand and against what autograd keeps."""

from __future__ import annotations

import pytest

from socialr1_lite.gpu_check.random_model import config_of
from socialr1_lite.plan.architectures import ARCHITECTURES, Architecture, find_architecture
from socialr1_lite.plan.hardware import Device, a_cpu, find_gpu
from socialr1_lite.plan.memory import memory
from socialr1_lite.plan.parts import activation_bytes_per_token, kv_bytes_per_token
from socialr1_lite.plan.sharing import shared_layer_bytes, shared_tokens
from socialr1_lite.plan.timing import phases
from socialr1_lite.policy import prefix
from socialr1_lite.policy.sampling import BLOCK
from socialr1_lite.recipe import Recipe

A100, CPU = find_gpu("a100-80"), a_cpu(2.0**35, bfloat16=True)


def recipe(**sections) -> Recipe:
    return Recipe.model_validate({"model": {"name": "Qwen/Qwen3-4B"}} | sections)


def part(planned: Recipe, name: str, device: Device = A100) -> float:
    parts = memory(planned, find_architecture(planned.model.name), device).parts
    return next(one.bytes for one in parts if one.name == name)


def test_a_shared_prompt_is_held_and_read_once_for_its_group():
    """By hand: 16 completions in groups of 8, two micro-batches of 8; prompts of 768 tokens, completions of 256."""
    plain, shared = (
        recipe(
            model={"name": "Qwen/Qwen3-4B", "backend": "transformers"},
            grpo={"share_prefix": on},
            evaluation={"items": 2},
        )
        for on in (False, True)
    )
    a, gpu = ARCHITECTURES["qwen3-4b"], A100
    assert shared_tokens(shared) == 768 + 8 * 256
    own = activation_bytes_per_token(a, shared.model.lora.r)
    copies = 2 * 8 * (2 * 1024 * a.queries + 256 * a.queries)
    assert part(shared, "activations") == 36 * ((768 + 8 * 256) * own + copies) < part(plain, "activations")
    assert part(shared, "KV cache") == (2 * 768 + 16 * (256 + BLOCK)) * kv_bytes_per_token(a) < part(plain, "KV cache")
    assert part(shared, "prefill") * 8 == part(plain, "prefill")
    before, after = ({phase.name: phase for phase in phases(one, a, gpu)} for one in (plain, shared))
    assert after["prefill"].why.startswith("2 prompts") and before["prefill"].why.startswith("16 prompts")
    once = (2 * 768 + 16 * 256) / (16 * 1024)
    assert after["forward and backward"].seconds / before["forward and backward"].seconds == pytest.approx(
        once, rel=0.15
    )
    assert after["decode"].seconds == before["decode"].seconds


def test_questions_of_a_check_share_no_prompt():
    checked = recipe(
        model={"name": "smollm2-135m"}, grpo={"share_prefix": True}, evaluation={"items": 50, "batch_size": 50}
    )
    each = kv_bytes_per_token(ARCHITECTURES["smollm2-135m"])
    assert part(checked, "KV cache", CPU) == 50 * (768 + 256 + BLOCK) * each


def test_unsloths_loss_on_a_gpu_is_planned_as_it_was():
    told = {"name": "Qwen/Qwen3-4B", "backend": "auto"}
    assert part(recipe(model=told, grpo={"share_prefix": True}), "activations") == part(
        recipe(model=told), "activations"
    )


@pytest.mark.slow
def test_activations_of_a_shared_prompt_are_what_autograd_keeps():
    """As above, for a group in one row: on a CPU with its scores."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    a = Architecture("small", 64, 96, 2, 6, 2, 16, 192, tied=True)
    model = AutoModel.from_config(config_of(a), attn_implementation="sdpa").to(torch.bfloat16)
    prefix.share_attention(model)
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def kept(prompt: int, tokens: int) -> int:
        found: dict[int, torch.Tensor] = {}
        packing = prefix.Packing()
        packing.add([7] * prompt, [[8] * tokens] * 4)
        with (
            torch.autograd.graph.saved_tensors_hooks(
                lambda t: found.setdefault(t.untyped_storage().data_ptr(), t) is None or t, lambda t: t
            ),
            torch.autocast("cpu", dtype=torch.bfloat16),
        ):
            out = model(**packing.inputs(torch.device("cpu")), use_cache=False)
        del out
        return sum(t.untyped_storage().nbytes() for place, t in found.items() if place not in own)

    def planned(prompt: int, tokens: int) -> float:
        told = {"num_generations": 4, "per_device_train_batch_size": 4, "max_completion_length": tokens}
        lengths = {
            "data": {"max_prompt_tokens": prompt},
            "rewards": {"length": {"min_tokens": 4, "max_tokens": tokens}},
        }
        one = Recipe.model_validate({"model": {"lora": {"r": 4}}, "grpo": told, **lengths})
        return a.layers * shared_layer_bytes(one, a, 2, cpu=True)

    more = kept(192, 96) - kept(96, 48)
    assert more == pytest.approx(planned(192, 96) - planned(96, 48), rel=0.1)
