"""Sampling by the engine of a training: what it is asked, and that its answers are read as the model's own are.

No vLLM and no GPU: the engine is a fake at its boundary, `LLM.generate`; TRL's way to it is TRL's own code.
"""

from __future__ import annotations

import sys
import types
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from socialr1_lite.policy import load_policy, loading
from socialr1_lite.policy.engine import trainer_engine, unsloth_engine
from socialr1_lite.recipe import Model

torch = pytest.importorskip("torch")
PROMPTS = [[{"role": "user", "content": text}] for text in ("Where is it?", "Who knows? " * 12, "Why")]


class FakeLLM:
    """vLLM's engine: answers each prompt with its first token and the end, and records what it was asked and given."""

    def __init__(self, end: int = 2) -> None:
        self.end, self.asked, self.loaded, self.resets = end, [], {}, 0
        inner = SimpleNamespace(load_weights=lambda pairs: self.loaded.update({k: v.clone() for k, v in pairs}))
        runner = SimpleNamespace(model_runner=SimpleNamespace(model=inner))
        self.llm_engine = SimpleNamespace(model_executor=SimpleNamespace(driver_worker=runner))

    def generate(self, prompts: list[dict], sampling_params: Any, use_tqdm: bool, lora_request: Any = None) -> list:
        assert use_tqdm is False
        params = sampling_params if isinstance(sampling_params, list) else [sampling_params] * len(prompts)
        pairs = zip(prompts, params, strict=True)
        self.asked.append([(prompt["prompt_token_ids"], one, lora_request) for prompt, one in pairs])
        made = [SimpleNamespace(token_ids=(one["prompt_token_ids"][0], self.end), logprobs=None) for one in prompts]
        return [SimpleNamespace(prompt_token_ids=[], outputs=[one]) for one in made]

    def reset_prefix_cache(self) -> None:
        self.resets += 1


@pytest.fixture
def policy(tiny_model):
    loaded = load_policy(
        Model.model_validate({"name": str(tiny_model), "backend": "transformers", "dtype": "float32"}), trainable=True
    )
    assert loaded.engine is None, "there is none without vLLM"
    torch.manual_seed(3)
    for name, weight in loaded.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return loaded


def rendered(policy) -> list[list[int]]:
    texts = [policy.prompt_text(prompt) for prompt in PROMPTS]
    return [policy.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> FakeLLM:
    module = types.ModuleType("vllm")
    module.SamplingParams = lambda **settings: settings
    monkeypatch.setitem(sys.modules, "vllm", module)
    return FakeLLM()


def test_unsloths_engine_is_asked_with_the_adapter_as_it_is_now(policy, vllm: FakeLLM) -> None:
    loads: list[tuple[str, bool]] = []
    policy.model.fast_generate = vllm.generate
    policy.model.load_lora = lambda path, load_tensors: loads.append((path, load_tensors)) or "the adapter"
    policy.engine = unsloth_engine
    made = policy.generate(PROMPTS, max_new_tokens=5)
    [asked] = vllm.asked
    assert [ids for ids, _, _ in asked] == rendered(policy)
    assert {lora for _, _, lora in asked} == {"the adapter"} and [tensors for _, tensors in loads] == [True]
    for _, settings, _ in asked:
        assert (settings["temperature"], settings["max_tokens"], settings["top_k"]) == (0.0, 5, -1)
    assert [(one.tokens, one.finish) for one in made] == [(2, "stop")] * 3


def test_alike_prompts_of_a_group_are_not_sampled_alike_and_another_time_again_the_same(policy, vllm) -> None:
    policy.model.fast_generate, policy.model.load_lora = vllm.generate, lambda *_, **__: None
    policy.engine = unsloth_engine
    for _ in range(2):
        policy.generate([PROMPTS[0]] * 4, max_new_tokens=5, temperature=1.0, seed=7)
    seeds = [[settings["seed"] for _, settings, _ in asked] for asked in vllm.asked]
    assert len(set(seeds[0])) == 4 and seeds[0] == seeds[1]


def test_a_model_that_brought_an_engine_samples_by_it(tiny_model, monkeypatch: pytest.MonkeyPatch) -> None:
    load = loading._load_plain

    def with_engine(*arguments):
        model, tokenizer = load(*arguments)
        model.vllm_engine = FakeLLM()
        return model, tokenizer

    monkeypatch.setattr(loading, "_load_plain", with_engine)
    loaded = load_policy(Model.model_validate({"name": str(tiny_model), "backend": "transformers"}))
    assert loaded.engine is unsloth_engine


@pytest.fixture
def trainer(policy, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What a GRPOTrainer has of its engine: TRL's own VLLMGeneration, whose engine is the fake."""
    from trl.generation import vllm_generation

    monkeypatch.setattr(vllm_generation, "SamplingParams", lambda **settings: settings, raising=False)
    generation = vllm_generation.VLLMGeneration.__new__(vllm_generation.VLLMGeneration)
    training = {"temperature": 0.9, "top_p": 0.95, "top_k": 20, "min_p": 0.1, "repetition_penalty": 1.1}
    vars(generation).update(
        training, mode="colocate", max_completion_length=99, enable_sleep_mode=False, tensor_parallel_size=1, logprobs=0
    )
    vars(generation).update(generation_kwargs={}, structured_outputs_regex=None, model=policy.model, llm=FakeLLM())

    @contextmanager
    def gathered(_: list):
        yield

    generation.accelerator, generation._dist = None, SimpleNamespace(gather_params=gathered, is_fsdp=False)
    state = SimpleNamespace(global_step=0)
    return SimpleNamespace(vllm_generation=generation, state=state, _last_loaded_step=-1)


def test_trls_engine_is_given_the_weights_of_the_step_and_greedy_settings_for_the_time_being(policy, trainer) -> None:
    generation, plain = trainer.vllm_generation, policy.model.state_dict()
    usual = dict(vars(generation))
    policy.engine = trainer_engine(trainer)
    made = policy.generate(PROMPTS, max_new_tokens=5)
    [asked] = generation.llm.asked
    assert [ids for ids, _, _ in asked] == rendered(policy)
    wanted = {"n": 1, "temperature": 0.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "max_tokens": 5}
    assert asked[0][1].items() >= (wanted | {"repetition_penalty": 1.0}).items()
    assert vars(generation) == usual, "training samples as before"
    name = "model.layers.0.self_attn.q_proj.weight"
    given, base = (
        generation.llm.loaded[name],
        plain[f"base_model.model.{name.replace('.weight', '.base_layer.weight')}"],
    )
    assert not torch.equal(given, base), "the engine holds the base without its adapter"
    assert [(one.tokens, one.finish) for one in made] == [(2, "stop")] * 3


def test_weights_are_handed_over_once_a_step_and_training_need_not_do_it_again(policy, trainer) -> None:
    policy.engine = trainer_engine(trainer)
    for step in (0, 0, 3, 3):
        trainer.state.global_step = step
        policy.generate(PROMPTS[:1], max_new_tokens=5)
    assert trainer.vllm_generation.llm.resets == 2 and trainer._last_loaded_step == 3


def test_a_sampling_that_fails_leaves_the_settings_of_training(policy, trainer, monkeypatch) -> None:
    usual = dict(vars(trainer.vllm_generation))
    policy.engine = trainer_engine(trainer)
    monkeypatch.setattr(FakeLLM, "generate", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        policy.generate(PROMPTS, max_new_tokens=5)
    assert vars(trainer.vllm_generation) == usual
