"""Whole runs with `grpo.share_prefix`, and the cold start's loss over one row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialr1_lite.policy import load_policy, prefix
from socialr1_lite.recipe import Model, Recipe
from socialr1_lite.training.grpo_shared import sharing_supervised
from tests import launches
from tests.tiny import make_tiny_model
from tests.training.test_determinism import ADAPTER, said, train, written

torch = pytest.importorskip("torch")

BEGIN = [5, 6, 7, 8, 9, 10]
N = prefix.IGNORED


def supervised(tiny_model, folder: Path, *, shared: bool):
    import datasets
    import trl

    settings = Model.model_validate({"name": str(tiny_model), "backend": "transformers", "dtype": "float32"})
    policy = load_policy(settings, trainable=True, seed=1, share_prefix=shared)
    torch.manual_seed(3)
    for key, weight in policy.model.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(weight, std=0.3)
    kind = sharing_supervised(trl.SFTTrainer) if shared else trl.SFTTrainer
    return kind(
        model=policy.model,
        args=trl.SFTConfig(
            output_dir=str(folder), use_cpu=True, bf16=False, report_to=[], gradient_checkpointing=False
        ),
        train_dataset=datasets.Dataset.from_list([{"prompt": "a", "completion": "b"}]),
        processing_class=policy.tokenizer,
    )


def rows(*sequences: list[int], labels: list[list[int]]) -> dict:
    longest = max(map(len, sequences))
    given = {
        "input_ids": [row + [2] * (longest - len(row)) for row in sequences],
        "attention_mask": [[1] * len(row) + [0] * (longest - len(row)) for row in sequences],
        "labels": [row + [N] * (longest - len(row)) for row in labels],
    }
    return {name: torch.tensor(value) for name, value in given.items()}


BATCHES = [
    rows([*BEGIN, 11, 20, 21], [*BEGIN, 12, 13, 30], labels=[[N] * 7 + [20, 21], [N] * 8 + [30]]),
    rows([*BEGIN, 20, 21], [*BEGIN, 30], labels=[[N] * 6 + [20, 21], [N] * 6 + [30]]),  # the same prompt
    rows([40, 41, 20], [50, 51, 30, 31], labels=[[N, N, 20], [N, N, 30, 31]]),  # nothing alike
    rows([*BEGIN, 20], labels=[[N] * 6 + [20]]),  # one row
    rows([*BEGIN, 20], [*BEGIN, 30], labels=[[N] * 6 + [20], [N] * 7]),  # one is cut before its first label
]


@pytest.fixture(scope="module")
def trainers(tiny_model, tmp_path_factory):
    return [supervised(tiny_model, tmp_path_factory.mktemp("sft"), shared=shared) for shared in (False, True)]


@pytest.mark.parametrize("given", BATCHES)
@pytest.mark.parametrize("items", [None, 7])
def test_the_cold_starts_loss_and_gradients_are_those_of_rows_with_padding(trainers, given, items):
    found = []
    for trainer in trainers:
        trainer.model.train()
        trainer.model.zero_grad()
        count = None if items is None else torch.tensor(items)
        loss = trainer.compute_loss(trainer.model, dict(given), num_items_in_batch=count)
        loss.backward()
        found.append((loss.detach(), [w.grad.clone() for w in trainer.model.parameters() if w.grad is not None]))
    (wanted, gradients), (loss, ours) = found
    assert torch.allclose(loss, wanted, atol=1e-5) and wanted > 0
    assert len(gradients) == len(ours) > 0
    for ours_, theirs in zip(ours, gradients, strict=True):
        assert torch.allclose(ours_, theirs, atol=1e-5, rtol=1e-3)


def test_what_all_rows_begin_with_stands_once_up_to_the_first_label():
    packed = [
        prefix.pack_labelled(*(given[name] for name in ("input_ids", "attention_mask", "labels"))) for given in BATCHES
    ]
    assert [one.groups for one in packed] == [[(5, (3, 3))], [(5, (2, 1))], [(0, (2, 3))], [(5, (1,))], [(5, (1, 1))]]
    assert packed[0].ids == [*BEGIN[:5], 10, 11, 20, 10, 12, 13]
    assert packed[0].labels == [N] * 5 + [N, 20, 21, N, N, 30]
    assert packed[0].positions == [0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 7]


@pytest.mark.slow
def test_a_run_with_shared_prompts_says_so_and_gives_the_same_bytes_after_a_kill(tmp_path):
    settings = launches.recipe(str(make_tiny_model(tmp_path / "model", ends=60))).model_dump(mode="json")
    settings["grpo"]["share_prefix"] = True
    recipe = written(tmp_path / "r.yaml", Recipe.model_validate(settings))
    calm = train(recipe, tmp_path / "calm", threads=1)
    killed = train(recipe, tmp_path / "killed", threads=1, killed_at=2)
    assert (calm.path / ADAPTER).read_bytes() == (killed.path / ADAPTER).read_bytes()
    assert said(calm) == said(killed) != []
    assert json.loads(calm.environment.read_text())["share_prefix"] is True
