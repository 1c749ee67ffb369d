"""The door to the model: what can be shown on a tiny random one, without Unsloth and in seconds."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import adapters, backends, choose_backend, embedded, generation, load_policy
from socialr1_lite.policy.logprobs import PlainLogProbs
from socialr1_lite.recipe import Model
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.runlog.checkpoints import sha256

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def tiny(tiny_model):
    """A two-layer Llama with a LoRA adapter whose B is not zero, through the plain backend."""
    loaded = load_policy(settings(tiny_model), trainable=True, seed=1)
    torch.manual_seed(3)
    for name, weight in loaded.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return loaded


def settings(folder, **changes) -> Model:
    return Model.model_validate({"name": str(folder), "backend": "transformers", "dtype": "float32", **changes})


PROMPTS = [[{"role": "user", "content": text}] for text in ("Where is it?", "Who knows? " * 12, "Why")]


def test_all_linear_layers_get_an_adapter(tiny):
    adapted = {name.split(".lora_A")[0].split(".")[-1] for name, _ in tiny.model.named_parameters() if "lora_A" in name}
    assert adapted == set(adapters.PROJECTIONS)


def test_only_the_adapter_is_trained(tiny):
    trained = [name for name, weight in tiny.model.named_parameters() if weight.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)


def test_generation_does_not_depend_on_the_batch(tiny):
    together = tiny.generate(PROMPTS, max_new_tokens=12)
    alone = [tiny.generate([prompt], max_new_tokens=12)[0] for prompt in PROMPTS]
    assert together == alone


def test_a_completion_that_reaches_the_limit_says_so(tiny):
    completion = tiny.generate(PROMPTS[:1], max_new_tokens=5)[0]
    assert (completion.tokens, completion.finish) == (5, "length")


def test_the_end_token_stops_and_counts(tiny):
    end = next(iter(tiny.eos_ids))
    assert tiny._read([7, 8, end, 9], False) == Completion(tiny.tokenizer.decode([7, 8]), 3, "stop")


def test_sampling_is_repeatable_and_leaves_the_random_state_alone(tiny):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = tiny.generate(PROMPTS, max_new_tokens=8, temperature=1.0, seed=11)
    assert torch.equal(torch.rand(3), expected)
    assert one == tiny.generate(PROMPTS, max_new_tokens=8, temperature=1.0, seed=11)
    assert one != tiny.generate(PROMPTS, max_new_tokens=8, temperature=1.0, seed=12)


def test_generation_leaves_training_mode_and_cache_setting_as_they_were(tiny):
    tiny.model.train()
    tiny.model.config.use_cache = False
    tiny.generate(PROMPTS[:1], max_new_tokens=2)
    assert tiny.model.training
    assert tiny.model.config.use_cache is False


def test_a_stream_grows_into_what_generate_says(tiny):
    pieces = list(tiny.stream(PROMPTS[0], max_new_tokens=8))
    assert all(later.startswith(earlier) for earlier, later in pairwise(pieces))
    assert pieces[-1].strip() == tiny.generate(PROMPTS[:1], max_new_tokens=8)[0].text.strip()


def test_a_stream_can_be_stopped(tiny):
    stop = threading.Event()
    stop.set()
    assert len(list(tiny.stream(PROMPTS[0], max_new_tokens=400, stop=stop))) < 20


def test_folding_gives_the_same_logits_and_puts_every_bit_back(tiny):
    encoded = tiny._encode([tiny.prompt_text(PROMPTS[0])])
    before = {name: weight.clone() for name, weight in tiny.model.state_dict().items()}
    with torch.no_grad():
        unfolded = tiny.model(**encoded).logits
        with generation.folded_adapter(tiny.model):
            folded = tiny.model(**encoded).logits
            with tiny.model.disable_adapter():
                base_is_folded = tiny.model(**encoded).logits
    assert torch.allclose(unfolded, folded, atol=1e-4)
    assert torch.equal(folded, base_is_folded)
    assert all(torch.equal(before[name], weight) for name, weight in tiny.model.state_dict().items())


def test_folding_does_nothing_while_the_adapter_is_switched_off(tiny):
    encoded = tiny._encode([tiny.prompt_text(PROMPTS[0])])
    with torch.no_grad(), tiny.model.disable_adapter():
        base = tiny.model(**encoded).logits
        with generation.folded_adapter(tiny.model):
            assert torch.equal(tiny.model(**encoded).logits, base)


def test_an_adapter_comes_back_as_it_was_saved(tiny, tiny_model, tmp_path):
    tiny.save_adapter(tmp_path / "adapter")
    again = load_policy(settings(tiny_model), adapter=tmp_path / "adapter")
    assert again.generate(PROMPTS, max_new_tokens=10) == tiny.generate(PROMPTS, max_new_tokens=10)


def test_merging_keeps_the_policy(tiny_model):
    loaded = load_policy(settings(tiny_model), trainable=True, seed=2)
    for name, weight in loaded.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    before = loaded.generate(PROMPTS, max_new_tokens=10)
    loaded.merge_adapter()
    assert not hasattr(loaded.model, "peft_config")
    assert loaded.generate(PROMPTS, max_new_tokens=10) == before


def test_the_plain_log_probabilities_are_the_textbook_ones_with_their_gradient():
    torch.manual_seed(0)
    hidden = torch.randn(2500, 8, requires_grad=True)  # more rows than one chunk
    weight, targets = torch.randn(30, 8), torch.randint(0, 30, (2500,))
    outputs = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
    found = PlainLogProbs.apply(hidden, weight, None, targets, 0.7, 32768, None, 1.0, outputs)
    found[0].sum().backward()
    ours = hidden.grad.clone()
    hidden.grad = None
    logits = hidden @ weight.t() / 0.7
    dist = torch.distributions.Categorical(logits=logits)
    dist.log_prob(targets).sum().backward()
    assert torch.allclose(found[0], dist.log_prob(targets), atol=1e-5)
    assert torch.allclose(found[1], dist.entropy(), atol=1e-5)
    assert torch.allclose(found[2].exp(), (dist.probs**2).sum(-1), atol=1e-5)
    assert torch.allclose(found[3], logits.mean(-1), atol=1e-5)
    assert torch.equal(found[4], logits.argmax(-1) == targets)
    assert torch.allclose(ours, hidden.grad, atol=1e-4)


def test_plain_log_probabilities_leave_out_what_was_not_asked_for():
    found = PlainLogProbs.apply(
        torch.randn(3, 4), torch.randn(5, 4), None, torch.tensor([0, 1, 2]), 1.0, 9, 2.0, 1.0, ()
    )
    assert [value is None for value in found] == [False, True, True, True, True]


def test_softcap_and_scale_are_applied_before_the_temperature():
    hidden, weight, targets = torch.randn(4, 6), torch.randn(9, 6), torch.tensor([1, 2, 3, 4])
    found = PlainLogProbs.apply(hidden, weight, None, targets, 2.0, 9, 3.0, 0.5, ())[0]
    logits = 3.0 * torch.tanh(hidden @ weight.t() * 0.5 / 3.0) / 2.0
    assert torch.allclose(found, torch.log_softmax(logits, -1)[range(4), targets], atol=1e-6)


def test_a_model_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(PolicyError, match=r"model\.name: cannot load '.*nowhere'.*smollm2-135m") as caught:
        load_policy(settings(tmp_path / "nowhere"))
    assert "\n" not in str(caught.value)


def test_a_folder_without_an_adapter_is_one_clear_line(tiny_model, tmp_path):
    with pytest.raises(PolicyError, match=r"adapter_config\.json is missing"):
        load_policy(settings(tiny_model), adapter=tmp_path)


def test_an_adapter_of_another_model_is_refused(tiny, tiny_model, tmp_path):
    tiny.save_adapter(tmp_path / "adapter")
    other = tmp_path / "other"
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(tiny_model, hidden_size=64, head_dim=16)
    AutoModelForCausalLM.from_config(config).save_pretrained(other)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(other)
    with pytest.raises(PolicyError, match="does not fit"):
        load_policy(settings(other), adapter=tmp_path / "adapter")


def test_unsloth_is_missed_only_where_it_was_asked_for(monkeypatch):
    monkeypatch.setattr(backends, "_unsloth_problem", lambda: "unsloth is not installed")
    assert choose_backend("auto") == "transformers"
    with pytest.raises(PolicyError, match="unsloth is not installed"):
        choose_backend("unsloth")


def test_a_gguf_that_is_not_the_known_one_is_refused(monkeypatch, tmp_path):
    (tmp_path / embedded._GGUF_NAME).write_bytes(b"not a model")
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(PolicyError, match=r"not the expected file.*--force-reinstall"):
        embedded._embedded_gguf()


def test_a_damaged_conversion_is_not_taken_for_whole(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "CONVERTED.json").write_text(f'{{"weights_sha256": "{sha256(tmp_path / "model.safetensors")}"}}')
    assert embedded._conversion_is_whole(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    assert not embedded._conversion_is_whole(tmp_path)


@pytest.mark.parametrize("masked", [False, True])
def test_one_query_attends_as_torchs_kernel_says(masked):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 6, 1, 8), torch.randn(3, 2, 9, 8), torch.randn(3, 2, 9, 8)
    mask = torch.rand(3, 1, 1, 9) > 0.4 if masked else None
    if masked:
        mask[..., -1] = True
    with torch.no_grad():
        found, _ = generation.cpu_attention(None, query, key, value, mask, scaling=0.3)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(3, 1), value.repeat_interleave(3, 1), attn_mask=mask, scale=0.3
    )
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


def test_the_quick_way_writes_what_the_stock_way_writes(tiny_model):
    from transformers import AutoModelForCausalLM

    quick = load_policy(settings(tiny_model))
    stock = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    assert quick.model.config._attn_implementation == generation.CPU_ATTENTION
    encoded = quick._encode([quick.prompt_text(prompt) for prompt in PROMPTS])
    written = [model.generate(**encoded, max_new_tokens=16, do_sample=False) for model in (quick.model, stock)]
    assert torch.equal(*written)
