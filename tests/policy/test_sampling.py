"""Sampling that reads each prompt once: the same greedy tokens, the same probabilities, less work; and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import load_policy, loading, prefix, sampling
from socialr1_lite.recipe import Model
from tests.tiny import make_tiny_model

torch = pytest.importorskip("torch")

TEXTS = ("Where is it?", "Who knows? " * 12, "Where is it?", "Why", "Who knows? " * 12, "Where is it?", "It is")
PROMPTS = [[{"role": "user", "content": text}] for text in TEXTS]


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """The same adapter on the same model, sampling as transformers does and with shared prompts; texts differ in length."""
    folder = make_tiny_model(tmp_path_factory.mktemp("ending"), ends=6)
    settings = Model.model_validate({"name": str(folder), "backend": "transformers", "dtype": "float32"})
    made = {}
    for name in ("plain", "shared"):
        made[name] = load_policy(settings, trainable=True, seed=1, share_prefix=name == "shared")
        torch.manual_seed(3)
        for key, weight in made[name].model.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(weight, std=0.05)
    return made


@pytest.fixture
def passes(policies, monkeypatch):
    """The shapes of the tokens that each forward pass was given."""
    seen = []
    base = policies["shared"].model.get_base_model().model
    hook = base.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield seen
    hook.remove()


@pytest.mark.parametrize("tokens", [1, 30, 2 * sampling.BLOCK + 3])
def test_greedy_tokens_are_those_of_transformers(policies, passes, tokens):
    wanted = policies["plain"].generate(PROMPTS, max_new_tokens=tokens)
    assert policies["shared"].generate(PROMPTS, max_new_tokens=tokens) == wanted
    assert len({one.tokens for one in wanted}) > (tokens > 1), "texts that all end together show little"
    rows = [shape[0] for shape in passes[1:]]
    assert rows == sorted(rows, reverse=True) and all(shape[1] == 1 for shape in passes[1:])


def test_a_prompt_is_read_once_and_finished_rows_leave_the_batch(policies, passes):
    found = policies["shared"].generate(PROMPTS, max_new_tokens=40)
    read = {
        text: len(policies["shared"]._encode([policies["shared"].prompt_text(prompt)])["input_ids"][0])
        for text, prompt in zip(TEXTS, PROMPTS, strict=True)
    }
    assert passes[0] == (1, sum(read.values())), "four prompts, each once"
    still = [sum(one.tokens > place for one in found) for place in range(1, max(one.tokens for one in found))]
    assert [shape[0] for shape in passes[1:]] == still


@pytest.mark.parametrize("rows", [(0, 0), (0, 0, 0, 1, 1, 1), (0,), (0, 3)])
def test_whole_groups_single_ones_and_prompts_that_differ(policies, rows):
    """As a training asks: each prompt with as many completions, so that nothing has to be spread out."""
    prompts = [PROMPTS[row] for row in rows]
    found = policies["shared"].generate(prompts, max_new_tokens=9)
    assert found == policies["plain"].generate(prompts, max_new_tokens=9)


def test_rows_may_come_in_any_order(policies):
    """TRL's rows stand by prompt; a check's are sorted by length, and here they are mixed."""
    shared = policies["shared"]
    texts = [shared.prompt_text(prompt) for prompt in PROMPTS]
    encoded = shared._encode(texts)
    settings = shared._sampling(12, 0.0, 1.0, 0)
    with torch.no_grad():
        wanted = policies["plain"].model.eval().generate(**encoded, **settings)
        found = shared.model.eval().generate(**encoded, **settings)
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("odd", [{"repetition_penalty": 1.3}, {"min_new_tokens": 3}, {"num_beams": 2}])
def test_what_is_not_known_here_is_left_to_transformers(policies, odd, monkeypatch):
    monkeypatch.setattr("socialr1_lite.policy.generation.sample", None)  # would fail if it were called
    shared = policies["shared"]
    encoded, settings = shared._encode([shared.prompt_text(PROMPTS[0])]), shared._sampling(4, 0.0, 1.0, 0)
    with torch.no_grad():
        found = shared.model.eval().generate(**encoded, **settings, **odd)
        assert torch.equal(found, policies["plain"].model.eval().generate(**encoded, **settings, **odd))


def asked(**settings):
    from transformers import GenerationConfig

    own = GenerationConfig(eos_token_id=[2, 3], pad_token_id=2, temperature=0.6, top_k=20, top_p=0.95, do_sample=True)
    return sampling.understood(SimpleNamespace(generation_config=own), {"input_ids": [[1]], **settings})


def test_an_argument_comes_before_the_configuration_and_that_before_the_models_own():
    from transformers import GenerationConfig

    given = GenerationConfig(max_new_tokens=7, do_sample=True, temperature=1.0, top_k=0, top_p=1.0)
    assert asked(generation_config=given) == sampling.Choice(7, (2, 3), 2, 1.0, 1.0, 0)
    assert asked(max_new_tokens=5) == sampling.Choice(5, (2, 3), 2, 0.6, 0.95, 20)
    assert asked(max_new_tokens=5, do_sample=False, temperature=None).temperature == 0
    assert asked() is None  # no limit


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.6}, {"min_p": 0.2}])
def test_tokens_are_drawn_as_often_as_transformers_own_warpers_say(settings):
    torch.manual_seed(0)
    logits = torch.randn(1, 12) * 2
    choice = sampling.Choice(1, (), 0, **{"temperature": 1.0, **settings})
    scores = logits
    for warper in choice._warpers():
        scores = warper(None, scores)
    wanted = scores.softmax(-1)[0]
    drawn = torch.bincount(choice(logits.expand(40_000, -1)), minlength=12) / 40_000
    assert (drawn[wanted == 0] == 0).all()
    assert torch.allclose(drawn, wanted, atol=0.012)  # five standard deviations at p = .5


# --- what cannot share


def configured(**changes):
    config = SimpleNamespace(_attn_implementation="sdpa", get_text_config=lambda: config)
    vars(config).update(changes)
    return SimpleNamespace(config=config)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layer_types": ["full_attention", "linear_attention"]}, "linear_attention"),
        ({"_attn_implementation": "flash_attention_2"}, "flash_attention_2, which takes no mask"),
        ({"_attn_implementation": "eager"}, "only sdpa does"),
        ({"sliding_window": 512}, "512 tokens is narrower than model.max_seq_length 513"),
        ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
        ({"attention_dropout": 0.1}, "attention_dropout"),
        ({"num_local_experts": 8}, "experts"),
        ({}, ""),
        ({"sliding_window": 513, "layer_types": ["full_attention", "sliding_attention"]}, ""),
        ({"sliding_window": 512, "use_sliding_window": False}, ""),
        ({"attention_dropout": 0.0, "attn_logit_softcapping": None, "layer_types": None}, ""),
    ],
)
def test_models_whose_attention_cannot_share_are_named(changes, told):
    found = prefix.obstacle(configured(**changes), 513)
    assert told in found and bool(told) == bool(found)


def test_a_model_that_gives_other_numbers_is_refused_in_one_line(policies, monkeypatch):
    right = prefix._causal

    def leaking(module, query, key, value, *, scaling):
        return right(module, query, key, value.flip(2), scaling=scaling)

    monkeypatch.setattr(prefix, "_causal", leaking)
    with pytest.raises(PolicyError, match=r"^grpo\.share_prefix: x cannot share .* apart; write share_prefix: false$"):
        prefix.refuse_unshareable(policies["shared"].model, "x", 64)


def test_the_trial_is_of_the_base_since_a_trained_adapter_magnifies_rounding(tmp_path, monkeypatch):
    """A resume was refused: log-probabilities of 18 tokens were at most 0.58 apart in bfloat16, in float32 0."""
    settings = {"name": str(make_tiny_model(tmp_path)), "backend": "transformers", "dtype": "float32"}
    policy = load_policy(Model.model_validate(settings), trainable=True, share_prefix=True)
    right = prefix._causal
    monkeypatch.setattr(prefix, "_causal", lambda m, q, k, v, *, scaling: right(m, q, k, v.flip(2), scaling=scaling))
    untrained = prefix.trial(policy.model)
    torch.manual_seed(0)
    for name, weight in policy.model.named_parameters():
        if ".lora_" in name:
            weight.data = torch.randn(weight.shape).to(weight.dtype)
    assert prefix.trial(policy.model) == untrained > 0


def test_a_model_whose_own_code_knows_no_prefix_is_refused_in_one_line(policies, monkeypatch):
    def fails(**_):
        raise TypeError("forward() got an unexpected keyword argument 'prefix'\nand more")

    monkeypatch.setattr(policies["shared"].model, "forward", fails)
    with pytest.raises(PolicyError, match=r"a trial ends with TypeError: forward\(\) got an .* 'prefix'; write share"):
        prefix.refuse_unshareable(policies["shared"].model, "x", 64)


@pytest.mark.parametrize(("dtype", "allowed"), [("bfloat16", 0.5), ("float32", 0.01)])
def test_what_rounding_explains_goes_by_what_a_4_bit_model_computes_in(tmp_path, monkeypatch, dtype, allowed):
    """Its embeddings and norms are in 32 bits in any case."""
    settings = {"name": str(make_tiny_model(tmp_path / "model")), "backend": "transformers", "load_in_4bit": True}
    model = load_policy(Model.model_validate(settings | {"dtype": dtype}), trainable=True, share_prefix=True).model
    assert next(model.parameters()).dtype == torch.float32
    monkeypatch.setattr(prefix, "trial", lambda _: allowed)
    prefix.refuse_unshareable(model, "x", 64)
    monkeypatch.setattr(prefix, "trial", lambda _: allowed * 1.01)
    with pytest.raises(PolicyError, match=r"apart; write share_prefix: false$"):
        prefix.refuse_unshareable(model, "x", 64)


@pytest.mark.parametrize(
    ("dtypes", "found"),
    [(["float32"], False), (["float64"], False), (["float32", "bfloat16"], True), (["int8", "float32"], True)],
)
def test_numbers_of_any_size_round_or_do_not(dtypes, found):
    kinds = [torch.nn.Parameter(torch.ones(1, dtype=getattr(torch, kind)), requires_grad=False) for kind in dtypes]
    assert prefix.rounds(torch.nn.ParameterList(kinds)) == found


def test_unsloths_own_loss_on_a_gpu_is_left_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    loading.refuse_unsloths_own("transformers")
    with pytest.raises(PolicyError, match=r"write share_prefix: false, or model\.backend: transformers"):
        loading.refuse_unsloths_own("unsloth")


def test_a_repetition_penalty_is_transformers_own_also_with_shared_prompts(policies):
    plain, how = policies["plain"], {"max_new_tokens": 20, "repetition_penalty": 1.9}
    encoded = plain._encode([plain.prompt_text(PROMPTS[1])])
    with torch.no_grad():
        written = plain.model.generate(**encoded, **how, do_sample=False, eos_token_id=sorted(plain.eos_ids))
    text = plain.tokenizer.decode(written[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
    assert [one.text for one in plain.generate(PROMPTS[1:2], **how)] == [text]
    assert [one.text for one in policies["shared"].generate(PROMPTS[1:2], **how)] == [text]
    assert [one.text for one in plain.generate(PROMPTS[1:2], max_new_tokens=20)] != [text]
