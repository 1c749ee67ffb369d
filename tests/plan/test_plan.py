"""The plan's arithmetic, worked out by hand or against models that transformers builds without weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from socialr1_lite.errors import JudgeError, PreflightError, RecipeError
from socialr1_lite.gpu_check.random_model import config_of
from socialr1_lite.judges.classifier import RECORD_VERSION
from socialr1_lite.plan import before_training, make_plan
from socialr1_lite.plan.__main__ import main
from socialr1_lite.plan.architectures import ARCHITECTURES, Architecture, find_architecture, read_config
from socialr1_lite.plan.fit import fit, fits
from socialr1_lite.plan.hardware import CGROUPS, GIB, GPUS, a_cpu, find_gpu, memory_to_give
from socialr1_lite.plan.memory import memory
from socialr1_lite.plan.parts import (
    FULL,
    GOLD_REPLY,
    NF4,
    activation_bytes_per_token,
    kv_bytes_per_token,
    trained_at_once,
    weight_bytes,
)
from socialr1_lite.plan.timing import heldout_checks, phases, run_tokens, step_tokens
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.train import run_recipe

FOLDER = Path(__file__).resolve().parent.parent.parent / "recipes"
RECIPES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("ablations/*.yaml")])  # judges have recipes of their own
# The card that each recipe's header names; those for a CPU need none.
MEANT = {"rtx_8gb": "8gb", "colab_t4": "t4", "l4_24gb": "l4", "a100": "a100-80", "8xa100": "a100-80"}


def meant(path: Path) -> str:
    return next((gpu for mark, gpu in MEANT.items() if mark in path.stem), "8gb")


def recipe(**sections) -> Recipe:
    return Recipe.model_validate({"model": {"name": "Qwen/Qwen3-4B"}} | sections)


def part(planned: Recipe, name: str, gpu: str = "a100-80") -> float:
    parts = memory(planned, find_architecture(planned.model.name), find_gpu(gpu)).parts
    return next(one.bytes for one in parts if one.name == name)


# --- architectures


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # As the hub shows for each checkpoint.
        ("qwen3-0.6b", 596_049_920),
        ("qwen3-1.7b", 1_720_574_976),
        ("qwen3-4b", 4_022_468_096),
        ("qwen3-8b", 8_190_735_360),
        ("llama-3.1-8b", 8_030_261_248),
        ("smollm2-135m", 134_515_008),
    ],
)
def test_parameter_counts_are_the_published_ones(name, count):
    assert ARCHITECTURES[name].parameters == count


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_counts_are_those_of_the_model_that_transformers_builds(name):
    import torch
    from transformers import AutoModelForCausalLM

    a = ARCHITECTURES[name]
    config = config_of(a)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert sum(weight.numel() for weight in model.parameters()) == a.parameters
    linear = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    assert sum(layer.weight.numel() for layer in linear) == a.linear_parameters
    assert sum(8 * (m.in_features + m.out_features) for m in linear) == a.lora_parameters(8, "all-linear")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Qwen/Qwen3-4B", "Qwen3-4B"),
        ("Qwen/Qwen3-4B-Base", "Qwen3-4B"),
        ("Qwen/Qwen3-4B-Instruct-2507", "Qwen3-4B"),
        ("unsloth/Qwen3-4B-Thinking-2507-unsloth-bnb-4bit", "Qwen3-4B"),
        ("unsloth/Qwen3-4B-unsloth-bnb-4bit", "Qwen3-4B"),
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("unsloth/Meta-Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("smollm2-135m", "SmolLM2-135M"),
    ],
)
def test_a_release_of_a_known_model_is_that_model(name, found):
    assert find_architecture(name).name == found


@pytest.mark.parametrize("name", ["Qwen/Qwen3-14B", "Qwen/Qwen3-4B-Instruct-2507-FP8", "gpt2"])
def test_an_unknown_model_is_refused_with_the_known_ones(name):
    with pytest.raises(RecipeError, match=r"qwen3-0\.6b.*--config"):
        find_architecture(name)


def test_a_local_config_is_read(tmp_path):
    a = ARCHITECTURES["qwen3-0.6b"]
    config = {"model_type": "qwen3", "vocab_size": a.vocabulary, "hidden_size": 1024, "num_hidden_layers": 28}
    config |= {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072}
    (tmp_path / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    assert replace(find_architecture(str(tmp_path)), name=a.name) == a
    del config["hidden_size"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RecipeError, match="hidden_size"):
        read_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "mamba"}))
    with pytest.raises(RecipeError, match="'mamba' cannot be planned"):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize("name", ["Jincenzi/SocialR1-8B", "Jincenzi/SocialR1_8B", "Jincenzi/SocialR1-Llama3.1-8B"])
def test_a_model_in_the_hubs_cache_is_planned_by_its_config(name, tmp_path, monkeypatch):
    """The layout that huggingface_hub writes and its own reader finds; no network is asked."""
    with pytest.raises(RecipeError, match="or a model in the hub's cache"):
        find_architecture(name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    config = {"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32}
    config |= {"num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336}
    (snapshot / "config.json").write_text(json.dumps(config))
    assert replace(find_architecture(name), name="Llama-3.1-8B") == ARCHITECTURES["llama-3.1-8b"]
    assert make_plan(recipe(model={"name": name}), "a100-80").architecture.name == name
    with pytest.raises(RecipeError, match="are not known here"):
        find_architecture(name, revision="v2")


def test_lora_counts_only_the_layers_that_are_named():
    a = ARCHITECTURES["smollm2-135m"]
    assert a.lora_parameters(4, ("q_proj", "v_proj")) == 30 * 4 * ((576 + 576) + (576 + 192))
    with pytest.raises(RecipeError, match="lm_head"):
        a.lora_parameters(4, ("lm_head",))


# --- memory


def test_weights_in_four_bits_keep_their_constants_and_leave_the_embedding_alone():
    a = ARCHITECTURES["qwen3-4b"]
    assert pytest.approx(4.127, abs=5e-4) == NF4 * 8  # QLoRA: 0.127 bits a weight with double quantisation
    size = weight_bytes(recipe(model={"name": "Qwen/Qwen3-4B", "load_in_4bit": True, "backend": "transformers"}), a)
    assert size == a.linear_parameters * NF4 + a.other_parameters * 2
    assert weight_bytes(recipe(), a) == a.parameters * 2
    assert weight_bytes(recipe(), a, 4) == a.parameters * 4


@pytest.mark.parametrize(
    ("name", "backend", "dynamic"),
    [
        ("Qwen/Qwen3-4B", "auto", True),
        ("unsloth/Qwen3-4B-unsloth-bnb-4bit", "unsloth", True),
        ("Qwen/Qwen3-4B", "transformers", False),
        ("FOLDER", "auto", False),
        ("smollm2-135m", "auto", False),
    ],
)
def test_unsloths_dynamic_quant_is_counted_where_it_is_what_is_loaded(tmp_path, name, backend, dynamic):
    """A folder and the embedded model are quantised here, plainly; so is what transformers loads from the hub."""
    a, name = ARCHITECTURES["qwen3-4b"], name.replace("FOLDER", str(tmp_path))
    size = weight_bytes(recipe(model={"name": name, "backend": backend, "load_in_4bit": True}), a)
    assert size == (a.linear_parameters * NF4 + a.other_parameters * 2) * (1.1 if dynamic else 1)


def test_four_parts_agree_with_unsloths_published_breakdown_of_grpo():
    """unsloth.ai/blog/grpo: Llama 3.1 8B, 20K tokens, 8 completions. With TRL 16 GB of weights for inference, 2.5 GB of
    KV cache, 78.3 GB of logits; with Unsloth 9.8 GB of logits, which is one completion's at a time (today's release
    takes a quarter of one, twice). What its 42 GB of "training memory" are made of is not said: the inputs of all
    layers of the eight sequences alone, which checkpointing keeps, are 40.
    """
    a, tokens = ARCHITECTURES["llama-3.1-8b"], 20 * 1024
    assert kv_bytes_per_token(a) * tokens / GIB == pytest.approx(2.5, rel=0.01)
    assert 8 * tokens * a.vocabulary * FULL / GIB == pytest.approx(78.3, rel=0.01)
    assert tokens * a.vocabulary * FULL / GIB == pytest.approx(9.8, rel=0.01)
    assert a.parameters * 2 / 1e9 == pytest.approx(16, rel=0.01)
    assert 8 * tokens * a.layers * a.hidden * 2 / GIB == pytest.approx(40.0)


def test_the_cache_holds_every_completion_that_is_sampled_at_once():
    each = (768 + 256) * 36 * 2 * 1024 * 2
    batches = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}
    assert part(recipe(grpo=batches, evaluation={"batch_size": 4}), "KV cache") == 8 * 4 * each
    few = recipe(grpo=batches | {"steps_per_generation": 1}, evaluation={"batch_size": 4})
    assert part(few, "KV cache") == 8 * each
    # The preflight's two groups of eight, then a held-out check of 64 questions at once.
    assert part(recipe(grpo=batches | {"steps_per_generation": 1}, evaluation={"items": 8}), "KV cache") == 16 * each
    assert part(recipe(grpo=batches, evaluation={"batch_size": 64}), "KV cache") == 64 * each
    rows = [{"name": "deep", "orders": [3], "items": 30}]  # in one batch with 8 others
    more = recipe(grpo=batches, evaluation={"batch_size": 64, "items": 8}, data={"transfer": rows})
    assert part(more, "KV cache") == 38 * each


def test_with_an_engine_no_check_fills_a_cache_of_its_own():
    each, grpo = (768 + 256) * 36 * 2 * 1024 * 2, {"vllm": "colocate", "gradient_accumulation_steps": 16}
    shared = recipe(model={"name": "Qwen/Qwen3-4B", "fast_inference": True}, grpo=grpo)
    assert part(shared, "KV cache") == 0
    trls = recipe(model={"name": "Qwen/Qwen3-4B", "backend": "transformers"}, grpo=grpo)
    assert part(trls, "KV cache") == 16 * each  # two groups of 8: the preflight comes before TRL's engine


def test_each_process_holds_its_share_of_a_check():
    each = (768 + 256) * 36 * 2 * 1024 * 2
    few = {"per_device_train_batch_size": 2, "num_generations": 2}
    planned = recipe(grpo=few, evaluation={"items": 100, "batch_size": 64}, run={"processes": 4})
    assert part(planned, "KV cache") == 25 * each


def test_checkpointing_keeps_a_layers_input_and_recomputes_one_layer():
    plain, checkpointed = recipe(), recipe(model={"name": "Qwen/Qwen3-4B", "gradient_checkpointing": True})
    layer = part(plain, "activations") / 36
    tokens = 8 * (768 + 256)
    assert part(checkpointed, "activations") == pytest.approx(layer + tokens * 36 * 2560 * 2)


def test_optimizer_states_are_two_numbers_a_weight_or_two_bytes():
    adapter = part(recipe(), "adapter")
    assert part(recipe(), "optimizer") == 2 * adapter
    eight = part(recipe(grpo={"optim": "adamw_8bit"}), "optimizer")
    assert adapter / 2 < eight < adapter / 2 * 1.02


def test_a_shared_engine_does_not_hold_the_weights_twice():
    model = {"name": "Qwen/Qwen3-4B", "gpu_memory_utilization": 0.5}
    shared = recipe(model=model | {"fast_inference": True}, grpo={"vllm": "colocate"})
    apart = recipe(model=model | {"backend": "transformers"}, grpo={"vllm": "colocate"})
    assert part(apart, "vLLM pool") == 40 * GIB
    assert part(shared, "vLLM pool") + part(shared, "weights") == 40 * GIB


def test_sampling_and_training_take_turns():
    used = memory(recipe(), ARCHITECTURES["qwen3-4b"], find_gpu("a100-80"))
    training, sampling = used.total("always", "training"), used.total("always", "sampling")
    assert used.peak == pytest.approx(max(training, sampling) * 1.05)
    assert used.largest in used.at_peak


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_planned_to_fit_the_card_it_names(path):
    plan = make_plan(load_recipe(path), meant(path))
    assert plan.fits, f"{plan.memory.peak / GIB:.1f} of {plan.gpu.usable / GIB:.1f} GiB"
    assert plan.gpu.bfloat16 or plan.recipe.model.dtype != "bfloat16"


# --- memory on a CPU


def on_a_cpu(planned: Recipe, *, bfloat16: bool = True) -> dict[str, float]:
    parts = memory(planned, find_architecture(planned.model.name), a_cpu(16 * GIB, bfloat16=bfloat16)).parts
    return {one.name: one.bytes for one in parts}


def test_weights_on_a_cpu_are_as_wide_as_it_computes():
    a, planned = ARCHITECTURES["smollm2-135m"], recipe(model={"name": "smollm2-135m"})
    assert on_a_cpu(planned)["weights"] == a.parameters * 2
    assert on_a_cpu(planned, bfloat16=False)["weights"] == a.parameters * 4
    quantised = recipe(model={"name": "smollm2-135m", "load_in_4bit": True})
    assert on_a_cpu(quantised)["weights"] == a.linear_parameters * NF4 + a.other_parameters * 2


def test_sampling_on_a_cpu_holds_the_adapted_layers_twice_unless_they_are_in_four_bits():
    planned = recipe(model={"name": "smollm2-135m", "lora": {"targets": ["q_proj"]}})
    assert on_a_cpu(planned)["folded weights"] == 30 * 576 * 576 * 2
    assert on_a_cpu(recipe(model={"name": "smollm2-135m", "load_in_4bit": True}))["folded weights"] == 0


def test_the_cold_start_counts_where_its_batch_is_the_larger_one():
    few = {"per_device_train_batch_size": 2, "num_generations": 2, "max_completion_length": GOLD_REPLY}
    plain = recipe(model={"name": "smollm2-135m", "lora": {"targets": ["q_proj"]}}, grpo=few)
    cold = recipe(
        model={"name": "smollm2-135m", "lora": {"targets": ["q_proj"]}},
        grpo=few,
        warmup={"steps": 1, "batch_size": 8},
    )
    copies = 30 * 16 * (576 + 576) * 2  # autocast's copies of the adapter do not grow with the batch
    grown = (on_a_cpu(cold)["activations"] - copies) / (on_a_cpu(plain)["activations"] - copies)
    assert grown == pytest.approx(4)


@pytest.mark.parametrize(
    ("cold", "limit", "batch"),
    [
        ({}, 1024, (6, 280)),
        ({"steps": 1, "batch_size": 2}, 1024, (6, 280)),
        ({"steps": 1, "batch_size": 4}, 1024, (4, 486)),  # 256 + 230
        ({"steps": 1, "batch_size": 4}, 300, (6, 280)),  # cut at max_seq_length
        ({"steps": 0, "batch_size": 4}, 1024, (6, 280)),
    ],
)
def test_a_cold_start_reads_gold_replies_which_may_be_longer_than_a_completion(cold, limit, batch):
    planned = recipe(
        model={"name": "smollm2-135m", "max_seq_length": limit},
        data={"max_prompt_tokens": 256},
        grpo={"per_device_train_batch_size": 6, "num_generations": 6, "max_completion_length": 24},
        rewards={"length": {"min_tokens": 4, "max_tokens": 24}},
        warmup=cold,
    )
    assert trained_at_once(planned) == batch


def judged_by(folder, base="Qwen/Qwen3-0.6B", dtype="bfloat16", **settings):
    (folder / "adapter").mkdir(parents=True, exist_ok=True)
    trained = {"base": base, "revision": None, "dtype": dtype, "max_length": 768, "center": 0, "probes": []}
    record = {"version": RECORD_VERSION} | trained
    (folder / "judge.json").write_text(json.dumps(record))
    judge = {"name": "reward_model", "settings": {"path": str(folder), **settings}}
    return {"content": {"judges": [judge, {"name": "facts"}]}}


def test_a_reward_model_counts_with_its_weights_and_its_process_where_it_shares_the_device(tmp_path):
    def more(gpu, **settings):
        recipe = Recipe.model_validate({"model": {"name": "Qwen/Qwen3-4B"}, "rewards": judged_by(tmp_path, **settings)})
        without = recipe.model_copy(update={"rewards": Recipe().rewards})
        a = ARCHITECTURES["qwen3-4b"]
        return memory(recipe, a, gpu).total("always") - memory(without, a, gpu).total("always")

    qwen = ARCHITECTURES["qwen3-0.6b"].parameters
    assert more(GPUS["t4"]) == qwen * 2 + 1.0 * GIB
    assert more(GPUS["t4"], dtype="float32") == qwen * 4 + 1.0 * GIB
    assert more(GPUS["t4"], device="cpu") == 0
    computer = a_cpu(24 * GIB, bfloat16=True)
    assert more(computer) == more(computer, device="cpu") == qwen * 2 + 529 * 2**20
    assert more(GPUS["t4"], base="nobody/knows") == 0
    with pytest.raises(JudgeError, match=r"holds no judge\.json"):
        more(GPUS["t4"], path=str(tmp_path / "nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_activations_are_what_autograd_keeps(kind):
    """A micro-batch through a small model with an adapter, under autocast; rotation tables and masks are not counted."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    a = Architecture("small", 64, 96, 2, 6, 2, 16, 192, tied=True, head_norms=kind == "qwen3")
    config = config_of(a)
    base = AutoModel.from_config(config, attn_implementation="sdpa").to(torch.bfloat16)
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear"))
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def kept(tokens: int) -> int:
        found: dict[int, torch.Tensor] = {}  # the tensors too: a freed one's address may be given out again
        with (
            torch.autograd.graph.saved_tensors_hooks(
                lambda t: found.setdefault(t.untyped_storage().data_ptr(), t) is None or t, lambda t: t
            ),
            torch.autocast("cpu", dtype=torch.bfloat16),
        ):
            out = model(input_ids=torch.randint(5, 60, (3, tokens)), use_cache=False)
        del out
        return sum(t.untyped_storage().nbytes() for place, t in found.items() if place not in own)

    each = (kept(96) - kept(48)) / (3 * 48) / a.layers
    assert each == pytest.approx(activation_bytes_per_token(a, 4), rel=0.05)


# --- time


def test_decoding_reads_weights_and_cache_for_every_token():
    planned, a, gpu = recipe(), ARCHITECTURES["qwen3-4b"], find_gpu("a100-80")
    decode = next(phase for phase in phases(planned, a, gpu) if phase.name == "decode")
    moved = 256 * (a.parameters * 2 + 16 * (768 + 128) * kv_bytes_per_token(a))
    assert decode.bound == "bandwidth"
    assert decode.seconds == pytest.approx(moved / 2039e9)


def test_training_is_bound_by_operations_and_a_reference_costs_a_forward_pass():
    a, gpu = ARCHITECTURES["qwen3-4b"], find_gpu("a100-80")
    by_name = {phase.name: phase for phase in phases(recipe(grpo={"beta": 0.04}), a, gpu)}
    assert by_name["forward and backward"].bound == "operations"
    assert by_name["reference"].seconds * 2 == pytest.approx(by_name["forward and backward"].seconds)
    assert "reference" not in {phase.name for phase in phases(recipe(), a, gpu)}


def test_what_to_expect_is_a_share_of_the_roof_and_no_quicker_than_the_kernels_are_launched():
    a, gpu = ARCHITECTURES["qwen3-0.6b"], find_gpu("h100")
    plain = recipe(model={"name": "Qwen/Qwen3-0.6B", "backend": "transformers"})
    engine = recipe(model={"name": "Qwen/Qwen3-0.6B", "backend": "transformers"}, grpo={"vllm": "colocate"})
    waiting, quick = ({one.name: one for one in phases(planned, a, gpu)} for planned in (plain, engine))
    assert waiting["decode"].expected == pytest.approx(256 * 28 * 1.5e-3)  # 16 at once: one round of 256 tokens
    assert quick["decode"].expected == pytest.approx(quick["decode"].seconds / 0.4)
    for one in (waiting["prefill"], waiting["forward and backward"]):
        assert one.expected == pytest.approx(one.seconds / 0.4)


def test_the_checks_of_a_run_are_counted_with_fewer_questions_on_the_way_and_shared_out():
    a, gpu = ARCHITECTURES["qwen3-4b"], find_gpu("a100-80")
    evaluation = {"every": 6, "items": 100, "items_on_the_way": 20, "batch_size": 10}

    def checks(processes=1, **changes):
        sections = {"evaluation": evaluation, "run": {"processes": processes}} | changes
        return heldout_checks(recipe(**sections), a, gpu)

    one = checks()  # before and after, and after steps 6, 12 and 18 of 20
    assert one.why == "5 of them, 260 questions"
    prefill = 260 * phases(recipe(), a, gpu)[0].expected / 16  # which has 16 prompts
    assert one.expected == pytest.approx(26 * 256 * 36 * 1.5e-3 + prefill, rel=0.01)
    assert checks(warmup={"steps": 2}).why == "6 of them, 360 questions"
    assert checks(evaluation=evaluation | {"every": 0}).why == "2 of them, 200 questions"
    assert checks(processes=2).seconds == pytest.approx(one.seconds / 2, rel=0.05)
    assert checks(evaluation={"items": 0}) is None
    rows = [{"name": "deep", "orders": [3], "items": 30}, {"name": "seen", "names": "seen", "items": 10}]
    assert checks(data={"transfer": rows}).why == "5 of them, 340 questions"  # before and after, not on the way
    assert heldout_checks(recipe(), a, a_cpu(GIB, bfloat16=True)) is None
    plan = make_plan(recipe(evaluation=evaluation), gpu)
    assert plan.hours[1] * 3600 == pytest.approx(20 * sum(one.seconds for one in plan.phases) + plan.checks.seconds)
    assert plan.hours[0] > plan.hours[1]


def test_tokens_are_counted_over_all_processes():
    planned = recipe(run={"processes": 4})
    assert step_tokens(planned) == 4 * 8 * 2 * 256
    assert run_tokens(planned) == 20 * 4 * 8 * 2 * (768 + 256)


# --- fitting and refusing


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("path", [FOLDER / "8b_a100.yaml", FOLDER / "colab_t4_qwen3_4b.yaml"], ids=lambda p: p.stem)
def test_a_fit_is_a_valid_recipe_that_fits_or_says_that_it_does_not(path, gpu, tmp_path):
    planned = load_recipe(path)
    a, card = find_architecture(planned.model.name), find_gpu(gpu)
    found = fit(planned, a, card)
    assert fits(found.recipe, a, card) is found.fits
    assert bool(found.changes) is not fits(planned, a, card)
    assert load_recipe(path, found.overrides) == found.recipe  # what is printed can be typed


def test_the_fit_of_the_a100_recipe_on_a_smaller_card_changes_no_more_than_it_must():
    planned = load_recipe(FOLDER / "4b_a100.yaml")
    a, card = find_architecture(planned.model.name), find_gpu("a100-40")
    found = fit(planned, a, card)
    assert found.fits and found.recipe.grpo.max_completion_length == planned.grpo.max_completion_length
    for change in found.changes:
        others = [pair for other in found.changes if other is not change for pair in other.overrides]
        assert not fits(load_recipe(FOLDER / "4b_a100.yaml", others), a, card), change


def test_what_cannot_fit_is_refused_with_the_largest_part_and_remedies():
    planned = load_recipe(FOLDER / "8b_a100.yaml")
    with pytest.raises(PreflightError, match=r"plan: .* GiB to give; the largest part is .*remedies: \S+=\S+"):
        before_training(planned, find_gpu("l4"))
    assert before_training(planned, find_gpu("a100-80")).startswith("plan: at most ")


def test_the_refusal_can_be_overruled_and_is_then_told():
    planned = load_recipe(FOLDER / "8b_a100.yaml", ["run.must_fit=false"])
    assert before_training(planned, find_gpu("l4")).endswith("going on, because run.must_fit is false")


def test_three_remedies_at_most_are_named():
    with pytest.raises(PreflightError) as refused:
        before_training(load_recipe(FOLDER / "8b_a100.yaml"), find_gpu("l4"))
    remedies = str(refused.value).partition("the cheapest remedies: ")[2]
    assert remedies.count("; ") == 3 and remedies.endswith("; run.must_fit=false goes on all the same")


def test_before_training_the_memory_of_this_computer_decides(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    planned = recipe(model={"name": "smollm2-135m"})
    monkeypatch.setattr("socialr1_lite.plan.hardware.memory_to_give", lambda: 64 * GIB)
    assert "the CPU has 64.0 GiB to give" in before_training(planned)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert "the CPU has 32.0 GiB to give" in before_training(planned)
    monkeypatch.setattr("socialr1_lite.plan.hardware.memory_to_give", lambda: 1 * GIB)
    with pytest.raises(PreflightError, match=r"the CPU has 0\.5 GiB to give"):
        before_training(planned)


def test_a_model_of_unknown_sizes_is_let_through_and_the_line_says_so(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    line = before_training(recipe(model={"name": str(tmp_path)}))
    assert line.startswith("plan: nothing is predicted") and "'mamba' cannot be planned" in line


def test_a_training_that_cannot_fit_ends_before_it_loads_a_weight(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("socialr1_lite.plan.hardware.memory_to_give", lambda: 1 * GIB)
    monkeypatch.setattr("socialr1_lite.training.session.load_policy", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(PreflightError, match=r"run\.must_fit=false goes on"):
        run_recipe(Recipe(), run_dir=tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_a_containers_own_limit_counts_where_it_leaves_less(monkeypatch):
    files = {Path(CGROUPS[0][0]): "3000000\n", Path(CGROUPS[0][1]): "1000000\n"}

    def read(path: Path) -> str:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    assert memory_to_give(read) == 2_000_000
    files[Path(CGROUPS[0][0])] = "max\n"
    assert memory_to_give(read) > 2_000_000


# --- the command


def test_the_command_marks_the_largest_part_and_tells_by_its_status_whether_it_fits(capsys):
    assert main([str(FOLDER / "colab_t4_qwen3_4b.yaml"), "--gpu", "t4"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("<- the largest") == 1 and ": fits" in shown
    assert main([str(FOLDER / "8b_a100.yaml"), "--gpu", "8gb", "--fit", "--price", "2"]) == 1
    shown = capsys.readouterr().out
    assert "DOES NOT FIT" in shown and "to make it fit:" in shown and "GPU hours at 2 each" in shown


def test_what_to_expect_is_said_first_and_the_bound_cannot_be_read_for_it(capsys):
    path = FOLDER / "colab_t4_qwen3_1.7b.yaml"
    plan = make_plan(load_recipe(path), "t4")
    assert main([str(path), "--gpu", "t4", "--price", "2"]) == 0
    shown = capsys.readouterr().out
    assert f"expect about {plan.hours[0]:.1f} h of GRPO and held-out checks" in shown
    assert f"the bound of {plan.hours[1]:.1f} h cannot be beaten and is no time to plan with" in shown
    assert f"{plan.hours[0] * 2:.2f} to expect for" in shown and f"(the bound: {plan.hours[1] * 2:.2f})" in shown
    assert "at least" not in shown
    main([str(path)])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("t4")]
    assert line.endswith(f"{plan.hours[0]:.1f}    ({plan.hours[1]:.1f})")


def test_on_a_cpu_the_moments_add_up_and_no_time_is_promised(capsys, monkeypatch):
    monkeypatch.setattr("socialr1_lite.plan.hardware.memory_to_give", lambda: 64 * GIB)
    assert main([str(FOLDER / "cpu_smollm2.yaml"), "--gpu", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "nothing is predicted for a CPU" in shown and "expect about" not in shown
    used = memory(Recipe(), ARCHITECTURES["smollm2-135m"], a_cpu(GIB, bfloat16=True))
    assert used.peak == pytest.approx(sum(part.bytes for part in used.parts) * 1.05)


def test_without_a_card_there_is_a_line_for_each(capsys):
    assert main([str(FOLDER / "4b_a100.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(GPUS)
    assert "no bfloat16" in next(line for line in lines if line.strip().startswith("t4"))


def test_an_unknown_card_is_refused():
    with pytest.raises(RecipeError, match="--gpu b300: not known here; known: t4"):
        main([str(FOLDER / "4b_a100.yaml"), "--gpu", "b300"])


# --- what is written down


@pytest.mark.parametrize("path", [p for p in FOLDER.glob("*.yaml") if p.stem[:4] != "cpu_"], ids=lambda path: path.stem)
def test_headers_and_the_table_of_the_docs_tell_what_is_predicted_now(path):
    plan = make_plan(load_recipe(path), meant(path))
    needed = f"{plan.memory.peak / GIB:.1f} of {plan.gpu.usable / GIB:.1f}"
    hours, bound = f"{plan.hours[0]:.1f}", f"{plan.hours[1]:.1f}"
    header = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"# Expected memory: {needed} usable GiB" in header
    assert f"# Expected hours: about {hours}, `plan`'s guess; not measured. {bound} is its bound" in header
    assert "# Run on a GPU: no." in header
    row = next(one for one in (FOLDER.parent / "docs" / "scale.md").read_text().splitlines() if f"`{path.stem}`" in one)
    assert f"| {needed} |" in row and f"| {hours} ({bound}) |" in row


def test_a_t4_leaves_what_torch_reports_of_it() -> None:
    assert GPUS["t4"].usable / GIB == pytest.approx(14.74)
