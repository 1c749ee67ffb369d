"""A prompt that is read once for its group gives TRL what TRL computes from whole sequences, in float32."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from socialr1_lite.policy import load_policy, prefix
from socialr1_lite.recipe import Recipe
from socialr1_lite.recipe.schema import Grpo
from socialr1_lite.training.grpo_config import build_config, grpo_settings
from socialr1_lite.training.grpo_shared import sharing, together

torch = pytest.importorskip("torch")

LOSSES = get_args(Grpo.model_fields["loss_type"].annotation)
PAD = 2


def recipe(model: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "model": {"name": str(model), "backend": "transformers", "dtype": "float32", "lora": {"r": 4}},
            "grpo": {
                "num_generations": 2,
                "per_device_train_batch_size": 6,
                "gradient_accumulation_steps": 1,
                "max_completion_length": 9,
                "temperature": 0.9,
            },
            "rewards": {"length": {"min_tokens": 3, "max_tokens": 12, "k": 4}},
        }
    )


@pytest.fixture(scope="module")
def trainers(tiny_model, tmp_path_factory):
    """TRL's own trainer and ours, around adapters with the same weights."""
    import datasets
    import trl

    made = {}
    for name in ("plain", "shared"):
        told = recipe(tiny_model)
        policy = load_policy(told.model, trainable=True, seed=1, share_prefix=name == "shared")
        torch.manual_seed(3)
        for key, weight in policy.model.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(weight, std=0.3)
        kind = sharing(trl.GRPOTrainer) if name == "shared" else trl.GRPOTrainer
        settings = grpo_settings(told, policy, tmp_path_factory.mktemp(name)) | {"beta": 0.1}
        made[name] = kind(
            model=policy.model,
            reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
            args=build_config(settings, processes=1, full_device=False),
            train_dataset=datasets.Dataset.from_list([{"prompt": "a"}] * 6),
            processing_class=policy.tokenizer,
        )
        made[name].current_gradient_accumulation_steps = 1
        made[name].model.train()
    return made


def batch(*, lengths=(9, 4, 1, 6, 9, 2), prompts=(0, 0, 1, 0, 2, 1), cut=(), iterations=1, reference=True) -> dict:
    """Six completions of three prompts, padded as TRL pads; one prompt has a single one. cut: rows masked as a whole."""
    torch.manual_seed(11)
    texts = [torch.randint(3, 200, (n,)) for n in (13, 7, 20)]
    rows, width, longest = len(lengths), 20, max(lengths)
    made = {
        "prompt_ids": torch.full((rows, width), PAD),
        "prompt_mask": torch.zeros((rows, width), dtype=torch.long),
        "completion_ids": torch.randint(3, 200, (rows, longest)),
        "completion_mask": torch.zeros((rows, longest), dtype=torch.long),
        "advantages": torch.randn(rows),
    }
    for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
        made["prompt_ids"][row, width - len(texts[prompt]) :] = texts[prompt]
        made["prompt_mask"][row, width - len(texts[prompt]) :] = 1
        made["completion_mask"][row, : 0 if row in cut else length] = 1
        made["completion_ids"][row, length:] = PAD
    made["num_items_in_batch"] = made["completion_mask"].sum()
    if iterations > 1:
        made["old_per_token_logps"] = -5 + torch.randn(rows, longest) * made["completion_mask"]
    if reference:
        made["ref_per_token_logps"] = -5 + torch.randn(rows, longest) * made["completion_mask"]
    return made


def learned(trainer, given: dict, **changes):
    """The loss, and its gradient for each weight of the adapter. changes: attributes of the trainer for this once."""
    usual = {name: getattr(trainer, name) for name in changes}
    vars(trainer).update(changes)
    try:
        trainer.model.zero_grad()
        loss = trainer._compute_loss(trainer.model, given)
        loss.backward()
    finally:
        vars(trainer).update(usual)
    return loss.detach(), {
        name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.grad is not None
    }


def assert_the_same(trainers, given: dict, **changes) -> None:
    (plain, wanted), (shared, found) = (learned(trainers[name], given, **changes) for name in ("plain", "shared"))
    assert torch.isfinite(plain)
    assert torch.allclose(plain, shared, atol=1e-5, rtol=1e-4)
    assert wanted.keys() == found.keys() and any("lora_A" in name for name in wanted)
    size = max(grad.abs().max() for grad in wanted.values())
    assert size > 0
    for name, grad in wanted.items():
        assert torch.allclose(grad, found[name], atol=float(size) * 1e-4, rtol=1e-3), name


@pytest.mark.parametrize("loss_type", LOSSES)
@pytest.mark.parametrize("beta", [0.0, 0.2])
@pytest.mark.parametrize("iterations", [1, 2])
def test_every_loss_and_its_gradients(trainers, loss_type, beta, iterations):
    given = batch(iterations=iterations, reference=bool(beta))
    assert_the_same(trainers, given, loss_type=loss_type, beta=beta)


@pytest.mark.parametrize("level", ["token", "sequence"])
@pytest.mark.parametrize("quantile", [1.0, 0.5])
def test_sequences_as_a_whole_and_entropies(trainers, level, quantile):
    changes = {"importance_sampling_level": level, "top_entropy_quantile": quantile}
    assert_the_same(trainers, batch(iterations=2), **changes)


@pytest.mark.parametrize(
    "given",
    [
        {"cut": (1, 4)},  # of a group one of three, and the only one
        {"lengths": (5, 5, 5, 5, 5, 5)},
        {"lengths": (3,), "prompts": (0,)},  # one completion
        {"lengths": (1, 1, 1), "prompts": (0, 0, 0)},  # nothing but the first token, which the prompt predicts
        {"lengths": (4, 6), "prompts": (1, 2)},  # no prompt twice
    ],
)
def test_truncated_even_single_and_short_completions(trainers, given):
    assert_the_same(trainers, batch(**given, iterations=2), loss_type="dapo")


def test_a_batch_without_a_token_to_learn_from_learns_nothing(trainers):
    loss, grads = learned(trainers["shared"], batch(cut=range(6)), loss_type="dapo")
    assert loss == 0
    assert all(not grad.any() for grad in grads.values())


def logps(trainer, given: dict, **settings):
    ids, seen = (torch.cat([given[f"prompt_{kind}"], given[f"completion_{kind}"]], 1) for kind in ("ids", "mask"))
    width = given["completion_ids"].shape[1]
    return trainer._get_per_token_logps_and_entropies(
        trainer.model, ids, seen, width, compute_entropy=True, **settings
    )[:2]


@pytest.mark.parametrize("size", [None, 1, 4])
def test_log_probabilities_and_entropies_in_any_batch_with_and_without_gradients(trainers, size):
    given = batch(cut=(0,))
    wanted, choice = logps(trainers["plain"], given)
    with torch.no_grad():
        still, _ = logps(trainers["shared"], given, batch_size=size)
    found, entropy = logps(trainers["shared"], given, batch_size=size)
    shown = given["completion_mask"].bool()
    assert (found[~shown] == 0).all()
    for ours in (found, still):
        assert torch.allclose(ours[shown], wanted[shown], atol=1e-4)
    assert torch.allclose(entropy[shown], choice[shown], atol=1e-4)


def test_fused_attention_for_long_groups_gives_the_same(trainers, monkeypatch):
    """Above MOST_SCORES scores a CPU takes torch's kernel."""
    monkeypatch.setattr(prefix, "MOST_SCORES", 0)
    assert_the_same(trainers, batch(iterations=2))


def test_gradient_checkpointing_gives_the_same(trainers):
    inner = trainers["shared"].model
    inner.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    inner.enable_input_require_grads()
    try:
        assert_the_same(trainers, batch())
    finally:
        inner.gradient_checkpointing_disable()


def test_a_prompt_stands_once(trainers):
    given = batch()
    ids, seen = (torch.cat([given[f"prompt_{kind}"], given[f"completion_{kind}"]], 1) for kind in ("ids", "mask"))
    packing = prefix.pack(ids, seen, 9)
    assert packing.groups == [(12, (9, 4, 6)), (6, (1, 2)), (19, (9,))]
    assert len(packing.ids) == 12 + 6 + 19 + 9 + 4 + 1 + 6 + 9 + 2
    first = given["prompt_ids"][0, 7:].tolist()
    assert packing.ids[:13] == first
    assert packing.positions[12:15] == [12, 13, 14] and packing.positions[21:23] == [12, 13]


def test_a_branch_sees_nothing_of_its_siblings(trainers):
    """The near miss: the sibling's tokens stand in the same row, before it."""
    one, other = batch(lengths=(6, 6), prompts=(0, 0)), batch(lengths=(6, 6), prompts=(0, 0))
    other["completion_ids"][0] = 5
    for given in (one, other):
        given["found"] = logps(trainers["shared"], given)[0].detach()
    assert torch.allclose(one["found"][1], other["found"][1], atol=1e-6)
    assert not torch.allclose(one["found"][0], other["found"][0], atol=1e-2)


def test_rows_of_a_step_are_sorted_by_prompt_and_stay_in_their_step():
    prompts = torch.tensor([[3], [1], [1], [3], [1], [3], [2], [2]])
    rows = {"prompt_ids": prompts, "reward": torch.arange(8), "num_items_in_batch": torch.tensor(5), "old": None}
    batches = [
        {name: v[i : i + 2] if torch.is_tensor(v) and v.ndim else v for name, v in rows.items()} for i in (0, 2, 4, 6)
    ]
    sorted_ = together(batches, 2)
    assert [one["prompt_ids"].flatten().tolist() for one in sorted_] == [[3, 3], [1, 1], [1, 3], [2, 2]]
    assert [one["reward"].tolist() for one in sorted_] == [[0, 3], [1, 2], [4, 5], [6, 7]]
    assert all(one["num_items_in_batch"] == 5 and one["old"] is None for one in sorted_)
    assert all(set(one) == set(rows) for one in sorted_)


@pytest.mark.parametrize("iterations", [1, 2, 3])
@pytest.mark.parametrize(("sampled", "accumulated"), [(3, 2), (2, 3), (4, 3), (5, 4), (4, 2), (2, 4), (1, 2), (6, 4)])
def test_steps_that_end_within_a_generation_train_on_what_they_would(sampled, accumulated, iterations):
    """TRL takes micro-batch i of the newest generation at each step; the optimizer moves after every few of them."""
    torch.manual_seed(5)

    def trained(sorting) -> list[list[int]]:
        rows = []
        for micro in range(5 * sampled * iterations * accumulated):
            if micro % (sampled * iterations) == 0:
                first = 1000 * micro
                ids = torch.arange(first, first + 2 * sampled)
                made = [{"prompt_ids": ids[i : i + 2, None] % 3, "row": ids[i : i + 2]} for i in range(0, len(ids), 2)]
                made = together(made, accumulated, micro, iterations) if sorting else made
            rows.append(made[micro % sampled]["row"].tolist())
        steps = range(0, len(rows), accumulated)
        return [sorted(row for one in rows[i : i + accumulated] for row in one) for i in steps]

    assert trained(sorting=True) == trained(sorting=False)


@pytest.mark.parametrize(
    "changes", [{"loss_type": loss} for loss in LOSSES] + [{"loss_type": "dapo", "top_entropy_quantile": 0.5}]
)
def test_a_step_of_several_micro_batches_learns_what_trls_does(trainers, changes):
    """Three samplings of three micro-batches each, of which two make a step: every other step has some of two."""
    found = {}
    for name, trainer in trainers.items():
        usual = {key: getattr(trainer, key) for key in ("loss_type", "top_entropy_quantile", "_step", "num_iterations")}
        sampled = trainer.args.steps_per_generation, trainer.args.gradient_accumulation_steps
        given = batch(prompts=(0, 1, 0, 2, 1, 0), iterations=2)
        trainer.args.steps_per_generation, trainer.args.gradient_accumulation_steps = 3, 2
        vars(trainer).update(changes | {"_step": 0, "_buffered_inputs": None, "num_iterations": 1})
        trainer.current_gradient_accumulation_steps = 2
        trainer._generate_and_score_completions = lambda _, given=given: dict(given)
        try:
            sums = []
            for micro in range(6):
                trainer._step = micro
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("trl.trainer.grpo_trainer.shuffle_sequence_dict", lambda rows: rows)
                    taken = trainer._prepare_inputs([{"prompt": "a"}] * 6)
                sums.append(learned(trainer, taken))
            found[name] = [
                (sums[i][0] + sums[i + 1][0], {key: sums[i][1][key] + sums[i + 1][1][key] for key in sums[i][1]})
                for i in (0, 2, 4)
            ]
        finally:
            del trainer._generate_and_score_completions
            vars(trainer).update(usual)
            trainer._buffered_inputs, trainer.current_gradient_accumulation_steps = None, 1
            trainer.args.steps_per_generation, trainer.args.gradient_accumulation_steps = sampled
    for (loss, grads), (other, others) in zip(found["plain"], found["shared"], strict=True):
        assert torch.allclose(loss, other, atol=1e-5, rtol=1e-4)
        size = float(max(grad.abs().max() for grad in grads.values()))
        assert size and all(torch.allclose(grads[key], others[key], atol=size * 1e-4, rtol=1e-3) for key in grads)


def test_sampling_trains_on_groups_and_counts_what_trl_counts(trainers):
    """TRL's own step, from sampling to the micro-batches: six completions of three prompts in three of two."""
    trainer = trainers["shared"]
    trainer.args.steps_per_generation = trainer.args.gradient_accumulation_steps = 3
    trainer._step, trainer._buffered_inputs = 0, None
    prompts = [{"prompt": text} for text in ("one", "one", "another one", "another one", "3", "3")]
    torch.manual_seed(0)
    given = trainer._prepare_inputs(prompts)
    assert given is trainer._buffered_inputs[0]
    for one in trainer._buffered_inputs:
        first, second = one["prompt_ids"].tolist()
        assert first == second
    kept = trainer._buffered_inputs
    trainer._step = 1
    assert trainer._prepare_inputs(prompts) is kept[1], "sorted anew, or sampled anew"
    assert all(before != after for before, after in pairwise(str(one["prompt_ids"]) for one in kept))
