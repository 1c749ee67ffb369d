"""A reward model from pairs to judge on a random model: what is loaded gives the very scores that were trained."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from socialr1_lite.errors import DivergedError, JudgeError, PolicyError, RecipeError
from socialr1_lite.judges import build_judge, reward_process
from socialr1_lite.judges.addressed import stages_about
from socialr1_lite.judges.audit.measure import ORDERS
from socialr1_lite.judges.classifier import load_judge, logits, probe_tolerance, sigmoid
from socialr1_lite.judges.reward_model import counted, judged_text
from socialr1_lite.judges.reward_process import RewardProcess
from socialr1_lite.judges.rules import share_about
from socialr1_lite.judges.token_tree import ATTENTION, grouped, grow, tree_attention, tree_scores
from socialr1_lite.pairs import make_pairs
from socialr1_lite.recipe.judge import JudgeRecipe, load_judge_recipe
from socialr1_lite.runlog import RunFolder, mark_complete, read_traces
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.training.reward_model import measure, train_judge
from socialr1_lite.training.soundness import Soundness
from tests.conftest import SCENARIO
from tests.scripted import STAGES as GOOD

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes" / "judges").glob("*.yaml"))


def trained(test: Any) -> Any:
    """Loads trl and trains for two steps: slow, and what this file is for."""
    return pytest.mark.slow(pytest.mark.essential(test))


REPLY = parse(reply_text(GOOD, "B"), SCENARIO.options)


@pytest.fixture(scope="module")
def judge_folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = JudgeRecipe.model_validate(
        {
            "model": {"name": str(tiny_model), "max_length": 256},
            "pairs": {"size": 28, "heldout": 28},
            "training": {"max_steps": 2, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1,
                         "learning_rate": 0.01},
        }
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("judges") / "tiny"
    report = train_judge(recipe, folder)
    assert report["accuracy"]["n"] == sum(stage["n"] for stage in report["stages"].values()) > 8
    return folder


def record(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "judge.json").read_text(encoding="utf-8")))


@trained
def test_the_loaded_judge_gives_the_very_logits_it_had(judge_folder: Path) -> None:
    probes = record(judge_folder)["probes"]
    model, tokenizer = load_judge(judge_folder)
    found = logits(model, tokenizer, [one["text"] for one in probes], max_length=256, batch_tokens=300)
    assert found == pytest.approx([one["logit"] for one in probes], abs=1e-4)
    assert len({round(one, 3) for one in found}) > 1
    assert model.config._attn_implementation == ATTENTION
    assert not model.training and not any(weight.requires_grad for weight in model.parameters())


@trained
def test_a_text_scores_in_a_tree_what_the_model_gives_it_alone(judge_folder: Path) -> None:
    import torch

    model, tokenizer = load_judge(judge_folder)
    texts = ["Mara left.", "Mara left the attic and the violin in the trunk, and Tomas moved it.", "So?", "Mara left"]
    alone = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            alone.append(float(model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).logits))
    assert logits(model, tokenizer, texts, max_length=256) == pytest.approx(alone, abs=1e-4)
    assert logits(model, tokenizer, texts, max_length=256, batch_tokens=1) == pytest.approx(alone, abs=1e-4)
    assert len({round(one, 3) for one in alone}) > 2


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=12), st.integers(1, 20))
@settings(max_examples=60)
def test_a_tree_holds_every_text_and_shares_every_beginning(texts: list[list[int]], limit: int) -> None:
    tree = grow(texts)
    for text, leaf in zip(texts, tree.leaves, strict=True):
        read = []
        while leaf >= 0:
            assert tree.depths[leaf] == len(text) - 1 - len(read) and tree.parents[leaf] < leaf
            read.append(tree.tokens[leaf])
            leaf = tree.parents[leaf]
        assert read[::-1] == text
    assert len(tree.tokens) == len({tuple(text[: i + 1]) for text in texts for i in range(len(text))})
    groups = list(grouped(texts, limit))
    assert sorted(i for group in groups for i in group) == list(range(len(texts)))
    assert all(len(group) == 1 or len(grow([texts[i] for i in group]).tokens) <= limit for group in groups)


@pytest.mark.parametrize("block", [1, 3, 7, 128])
@pytest.mark.parametrize("heads", [2, 6])
def test_attention_in_a_tree_is_what_the_fused_kernel_gives(
    heads: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    monkeypatch.setattr("socialr1_lite.judges.token_tree.BLOCK", block)
    torch.manual_seed(heads)
    query, key, value = (torch.randn(1, one, 7, 8, requires_grad=True) for one in (heads, 2, 2))
    seen = torch.eye(7, dtype=torch.bool)
    for node, parent in enumerate((-1, 0, 1, 1, 0, 4, 4)):
        seen[node] |= seen[parent] if parent >= 0 else seen[node]
    mask = torch.zeros(1, 1, 7, 7).masked_fill_(~seen, torch.finfo(torch.float32).min)
    module = torch.nn.Module()
    module.num_key_value_groups = heads // 2  # type: ignore[assignment]
    found = []
    for attend in (tree_attention, sdpa_attention_forward):
        out = attend(module, query, key, value, mask, scaling=0.3)[0]
        found.append((out, *torch.autograd.grad(out.square().sum(), (query, key, value))))
    for mine, fused in zip(*found, strict=True):
        torch.testing.assert_close(mine, fused)


def test_a_text_without_tokens_has_no_score() -> None:
    with pytest.raises(ValueError, match="without tokens"):
        grow([[1], []])


@trained
def test_a_judge_without_its_score_head_is_refused(judge_folder: Path, tmp_path: Path) -> None:
    """What loading an adapter folder the easy way gives, and what nothing else would notice."""
    import shutil

    spoilt = tmp_path / "spoilt"
    shutil.copytree(judge_folder, spoilt)
    weights = load_file(spoilt / "adapter" / "adapter_model.safetensors")
    assert any("score" in name for name in weights)
    save_file(
        {name: -weight if "score" in name else weight for name, weight in weights.items()},
        spoilt / "adapter" / "adapter_model.safetensors",
    )
    with pytest.raises(JudgeError, match="score otherwise than when it was saved"):
        load_judge(spoilt)


@pytest.mark.parametrize(
    ("dtype", "saved", "allowed"),
    [
        ("float32", [4.0, -4.0], 0.05),  # nothing is rounded, however sure the judge is
        ("bfloat16", [0.5, -0.5], 0.3),
        ("bfloat16", [2.63, -2.96], 0.559),  # a sure judge is rounded more, and a wrong one is units away
        ("float16", [], 0.05),
    ],
)
def test_a_judge_may_differ_from_itself_by_what_rounding_does(dtype: str, saved: list[float], allowed: float) -> None:
    assert probe_tolerance(dtype, saved) == pytest.approx(allowed)


@trained
def test_the_judge_scores_stages_between_0_and_1_and_remembers(judge_folder: Path) -> None:
    judge = build_judge("reward_model", {"path": str(judge_folder), "batch_tokens": 300})
    first = judge.judge([REPLY, parse("", SCENARIO.options)], SCENARIO)
    assert all(0 < (first[0].scores[stage] or 0) < 1 for stage in STAGES)
    assert first[1].scores == dict.fromkeys(STAGES, 0.0) and not first[0].failed
    fresh = build_judge("reward_model", {"path": str(judge_folder), "batch_tokens": 300})
    assert fresh.judge([parse("", SCENARIO.options), REPLY], SCENARIO) == first[::-1]
    read = judge._logits.cache_info().misses  # type: ignore[attr-defined]
    assert judge.judge([REPLY], SCENARIO)[0] == first[0]
    assert judge._logits.cache_info().misses == read > 0  # type: ignore[attr-defined]


@trained
def test_beside_the_layers_that_unsloth_puts_in_on_a_gpu_the_judge_still_gives_its_scores(judge_folder: Path) -> None:
    """What a training on CUDA does to transformers' Llama, of which policy and judge both are."""
    code = """
import sys
from unsloth.models.llama import FastLlamaModel
FastLlamaModel.pre_patch()
from pathlib import Path
from transformers.models.llama.modeling_llama import LlamaModel
from socialr1_lite.judges import build_judge
from socialr1_lite.judges.classifier import load_judge
from tests.conftest import SCENARIO
from tests.training.test_reward_model import REPLY
assert LlamaModel.forward.__module__.startswith("unsloth")
try:
    load_judge(Path(sys.argv[1]))
    print("in the same process: as it was saved")
except Exception as error:
    print("in the same process:", type(error).__name__)
print(*build_judge("reward_model", {"path": sys.argv[1]}).judge([REPLY], SCENARIO)[0].scores.values())
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(judge_folder)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *_, beside, scores = done.stdout.splitlines()
    alone = build_judge("reward_model", {"path": str(judge_folder)}).judge([REPLY], SCENARIO)[0].scores.values()
    assert list(map(float, scores.split())) == pytest.approx(list(alone), abs=1e-5)
    assert beside != "in the same process: as it was saved", "then a process of its own is no longer needed"


def about(options: Sequence[str]) -> str:
    """A well-formed reply that says something of each scenario, though little."""
    return reply_text([f"{text} It has to do with {options[0]}." for text in GOOD], "A")


@trained
def test_a_mix_of_judges_scores_a_training_as_each_scores_alone(judge_folder: Path, tiny_model: Path) -> None:
    """GRPO through Unsloth. A random model writes no stages, so each completion is read as a well-formed reply."""
    code = """
import sys
from pathlib import Path
from socialr1_lite.rewards import stack
from socialr1_lite.policy import choose_backend
from socialr1_lite.recipe import Recipe
from socialr1_lite.sip import parse
from socialr1_lite.train import run_recipe
from tests import launches
from tests.training.test_reward_model import about
choose_backend("auto")
stack.parse = lambda _, options, **how: parse(about(options), options)
model, judge, run = sys.argv[1:]
settings = launches.recipe(model).model_dump(mode="json")
settings["rewards"]["content"] = {
    "judges": [{"name": "facts", "weight": 3.0}, {"name": "reward_model", "settings": {"path": judge}}]
}
settings["grpo"] |= {"max_steps": 1}
run_recipe(Recipe.model_validate(settings), run_dir=Path(run), strict=False)
assert "unsloth" in sys.modules
"""
    run = judge_folder.parent / "run"
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code, str(tiny_model), str(judge_folder), str(run)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    scenarios = {one.id: one for one in RunFolder.open(run).read_scenarios()}
    judges = {"facts": build_judge("facts"), "reward_model": build_judge("reward_model", {"path": str(judge_folder)})}
    traces = [trace for trace in read_traces(RunFolder.open(run)) if trace.phase == "train"]
    assert len(traces) == 4
    for trace in traces:
        scenario = scenarios[trace.scenario]
        reply = parse(about(scenario.options), scenario.options)
        alone = {}
        for name, judge in judges.items():
            scores = [score or 0.0 for score in judge.judge([reply], scenario)[0].scores.values()]
            alone[name] = scores
            assert trace.score.parts[f"content.{name}"] == pytest.approx(fmean(scores), abs=1e-5), name
        mixed = (3 * fmean(alone["facts"]) + fmean(alone["reward_model"])) / 4
        apart = fmean(abs(one - other) for one, other in zip(*alone.values(), strict=True))
        assert trace.score.components["content"] == pytest.approx(mixed, abs=1e-5)
        assert trace.score.parts["content.disagreement"] == pytest.approx(apart, abs=1e-5) and apart > 0


@trained
def test_a_judge_whose_process_ends_is_told_in_one_line(
    judge_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reward_process, "GRACE_S", 300.0)  # a busy machine is slow to end a process, not wrong
    process = RewardProcess(judge_folder, device="cpu", batch_tokens=300)
    assert process.logits(["Mara left."]) == pytest.approx(process.logits(["Mara left."]))
    process._process.kill()
    with pytest.raises(JudgeError, match=r"its process ended \(status -9.*\); start the same command again"):
        process.logits(["Mara left."])
    process.close()

    for path, device, message in (
        (tmp_path, "cpu", "holds no judge.json"),
        (judge_folder, "cuda:7", "cannot be loaded: "),
    ):
        process = RewardProcess(path, device=device, batch_tokens=300)
        with pytest.raises(JudgeError, match=message) as caught:
            process.logits(["Mara left."])
        assert len(str(caught.value).splitlines()) == 1
        process.close()
        assert process._process.returncode == 0


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"path": "/nowhere"}, "holds no judge.json"),
        ({}, "path"),
        ({"path": "/nowhere", "batch_tokens": 0}, "batch_tokens: given 0"),
    ],
)
def test_wrong_settings_are_told_at_once(given_settings: dict[str, Any], message: str) -> None:
    with pytest.raises(JudgeError, match=message):
        build_judge("reward_model", given_settings)


RECORD = {"version": 3, "base": "b", "revision": None, "dtype": "float32", "max_length": 8, "center": 0, "probes": []}
ODD_PROBES: tuple[Any, ...] = (
    [1],
    [{"text": 1, "logit": 0.0}],
    [{"text": "a", "logit": "0"}],
    [{"text": "a"}],
    {"a": 1},
)


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 1}',
        "[" * 200_000,
        "null",
        *(json.dumps(RECORD | {name: odd}) for name in ("base", "dtype", "max_length", "probes") for odd in (None, [1], 1.5)),
        *(json.dumps(RECORD | {"probes": odd}) for odd in ODD_PROBES),
    ],
)  # fmt: skip
def test_a_damaged_record_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "judge.json").write_text(text)
    with pytest.raises(JudgeError, match="cannot be read"):
        build_judge("reward_model", {"path": str(tmp_path)})


def test_a_judge_of_an_older_kind_is_told_what_to_do(tmp_path: Path) -> None:
    """Version 1 was trained on texts without letters, 2 on stages with others before them: either would load."""
    known = {"base": "smollm2-135m", "revision": None, "dtype": "float32", "max_length": 8, "center": 0, "probes": []}
    for version in (1, 2):
        (tmp_path / "judge.json").write_text(json.dumps(known | {"version": version}), encoding="utf-8")
        with pytest.raises(JudgeError, match=f"of version {version}, this code reads 3; train it again"):
            build_judge("reward_model", {"path": str(tmp_path)})


def test_what_is_read_names_the_right_answer_with_its_letter() -> None:
    right = SCENARIO.options[SCENARIO.gold[0]]
    letter = SCENARIO.letters[SCENARIO.gold[0]]
    read = judged_text(SCENARIO, STAGES[3], "So it is.", {}, right)
    assert f"\nRight answer: {letter}. {right}\nAnswer given: {letter}. {right}\n" in read
    assert "\nAnswer given: something else\n" in judged_text(SCENARIO, STAGES[3], "So it is.", {}, "something else")
    assert "Answer given" not in judged_text(SCENARIO, STAGES[0], "So it is.", {}, right)


def test_what_is_wrong_elsewhere_in_a_reply_leaves_a_stage_its_score() -> None:
    others = {stage: f"What {stage} says." for stage in STAGES}
    for stage in STAGES[:3]:
        assert judged_text(SCENARIO, stage, "So it is.", others, "") == judged_text(
            SCENARIO, stage, "So it is.", {}, ""
        )
    read = judged_text(SCENARIO, STAGES[3], "So it is.", others, "")  # it must agree with the interpretation
    assert [stage for stage in STAGES if others[stage] in read] == [STAGES[1]]


@trained
def test_what_is_not_about_the_story_earns_nothing(judge_folder: Path) -> None:
    """Whatever the model makes of it: the score counts for the share of the words that are about the story."""
    cue = SCENARIO.story.split(". ")[0] + "."
    padding = " It is worth pausing here for a long while." * 7
    texts = {name: reply_text({STAGES[0]: text}, "A") for name, text in
             (("honest", cue), ("padded", cue + padding), ("idle", padding), ("twice", f"{cue} {cue}"))}  # fmt: skip
    judge = build_judge("reward_model", {"path": str(judge_folder)})
    shares = {}
    for name, text in texts.items():
        reply = parse(text, SCENARIO.options)
        raw = judge._logits((judged_text(SCENARIO, STAGES[0], reply.stage_text(STAGES[0]), {}, ""),))
        share = counted(STAGES[0], reply.stage_text(STAGES[0]), SCENARIO)
        shares[name] = share_about(STAGES[0], reply.stage_text(STAGES[0]), SCENARIO)
        (score,) = raw.values()
        given = judge.judge([reply], SCENARIO)[0].scores[STAGES[0]]
        assert given == pytest.approx(sigmoid(score - judge._record["center"]) * share, abs=1e-3), name
    assert shares["honest"] > 0.9 and shares["idle"] == 0 and shares["padded"] < 0.3
    assert shares["twice"] == pytest.approx(shares["honest"] / 2)
    foreign = replace(SCENARIO, story="小明把球放进盒子里。然后离开了房间。", question="小明会在哪里找球")
    assert share_about(STAGES[0], "小明离开了。", foreign) == 1.0


def test_thirty_words_may_be_about_something_else_and_padding_may_not() -> None:
    cue, aside = "Mara left the violin in the trunk.", " It is quite a nice day for going over such things."
    assert counted(STAGES[0], cue + aside, SCENARIO) == 1.0 and share_about(STAGES[0], cue + aside, SCENARIO) < 0.7
    padded = cue + aside + " One more thing to say is that one should not hurry with such matters at all." * 6
    assert counted(STAGES[0], padded, SCENARIO) < 0.5 and counted(STAGES[0], "", SCENARIO) == 0.0


def test_a_story_pasted_as_cues_counts_for_nothing_and_in_another_stage_as_it_stands() -> None:
    assert counted(STAGES[0], SCENARIO.story, SCENARIO) == 0.0
    assert counted(STAGES[1], SCENARIO.story, SCENARIO) == 1.0
    foreign = replace(SCENARIO, story="小明把球放进盒子里。然后离开了房间。", question="小明会在哪里找球")
    assert counted(STAGES[0], foreign.story, foreign) == 1.0


@pytest.mark.parametrize("order", ORDERS)
def test_what_a_reply_says_to_a_judge_is_not_read_and_a_story_is_read_as_it_stands(order: str) -> None:
    said = "Mara did not see it, so she still takes the violin to be in the trunk."
    reply = parse(reply_text([said, f"{said} {order}", said, said], "B"), SCENARIO.options)
    assert stages_about(reply, SCENARIO)[STAGES[1]][0] == said
    for story in (f"{SCENARIO.story} {order}", "The judge gave the cake ten points. Mara ignored all of it."):
        told = replace(SCENARIO, story=story)  # the same for every sibling, so it tilts no group
        assert f"Story: {story}\n" in judged_text(told, STAGES[1], "So it is.", {}, "")


class Cut(BaseException):
    """The process ends here."""


def small(model: Path, **run: Any) -> JudgeRecipe:
    return JudgeRecipe.model_validate(
        {
            "model": {"name": str(model), "max_length": 128, "lora": {"dropout": 0.1}},
            "pairs": {"size": 54, "heldout": 28},
            "training": {"max_steps": 5, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1,
                         "learning_rate": 0.01},
            "run": {"save_steps": 2} | run,
        }
    )  # fmt: skip


@trained
def test_a_training_cut_short_twice_gives_the_judge_that_nobody_cut(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut, recipe = tmp_path / "whole", tmp_path / "cut", small(tiny_model)
    train_judge(recipe, whole)

    calls = 0

    def dying(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:  # in the fourth step; the newest checkpoint is of the second
            raise Cut
        return tree_scores(*given)

    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr("socialr1_lite.training.reward_model.tree_scores", dying)
        train_judge(recipe, cut)
    assert not cut.exists()
    (tmp_path / "cut.begun" / "checkpoints" / "checkpoint-4").mkdir()  # what a crash in the middle of saving leaves

    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr("socialr1_lite.training.reward_model.measure", lambda *_: (_ for _ in ()).throw(Cut()))
        train_judge(recipe, cut)
    printed = capsys.readouterr().err
    assert "checkpoint-4 set aside" in printed and "going on from checkpoint-2 of 5" in printed and not cut.exists()

    with monkeypatch.context() as patched:
        patched.setattr(
            "socialr1_lite.training.reward_model._fit", None
        )  # trained already: only the figures were missing
        train_judge(recipe, cut)
    assert [one["logit"] for one in record(cut)["probes"]] == [one["logit"] for one in record(whole)["probes"]]
    assert record(cut)["report"] == record(whole)["report"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def broken_scores(step: int) -> Any:
    """tree_scores, whose result is no number in that step (from 1)."""
    calls = 0

    def scores(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        return tree_scores(*given) * (float("nan") if calls == step else 1.0)

    return scores


def broken_weight(step: int) -> Any:
    """Soundness.after_the_optimizer, after which a weight is infinite at the end of that step."""
    real = Soundness.after_the_optimizer

    def after(self: Soundness) -> None:
        real(self)
        if self.trainer.state.global_step == step:
            next(one for one in self.trainer.model.parameters() if one.requires_grad).data.view(-1)[0] = float("inf")

    return after


@trained
def test_a_number_that_is_none_is_never_kept_and_the_next_call_goes_on_before_it(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, mine, recipe = tmp_path / "whole", tmp_path / "mine", small(tiny_model)
    train_judge(recipe, whole)
    faults = [
        ("tree_scores", broken_scores(1), r"^step 1: the loss is nan; nothing of this step is kept.*learning_rate", []),
        ("Soundness.after_the_optimizer", broken_weight(2), "^the checkpoint of step 2 is not kept: ", []),
        ("tree_scores", broken_scores(4), "^step 4: the loss is nan", [2]),
        ("Soundness.after_the_optimizer", broken_weight(5), "^the judge is not kept: ", [2, 4]),
    ]
    begun = RunFolder(tmp_path / "mine.begun")
    for name, fault, said, kept in faults:
        with monkeypatch.context() as patched, pytest.raises(DivergedError, match=said) as caught:
            patched.setattr(f"socialr1_lite.training.reward_model.{name}", fault)
            train_judge(recipe, mine)
        assert "\n" not in str(caught.value) and not mine.exists()
        whole_ones = {path.parent.name for path in begun.checkpoints.glob("checkpoint-*/COMPLETE.json")}
        assert whole_ones == {f"checkpoint-{step}" for step in kept}

    newest = begun.checkpoints / "checkpoint-4"  # as a version that did not look may have left it
    weights = load_file(newest / "adapter_model.safetensors")
    next(iter(weights.values())).view(-1)[0] = float("nan")
    save_file(weights, newest / "adapter_model.safetensors")
    mark_complete(begun, newest)
    train_judge(recipe, mine)
    assert "checkpoint-4: " in (told := capsys.readouterr().err) and "going on from checkpoint-2 of 5" in told
    assert [one["logit"] for one in record(mine)["probes"]] == [one["logit"] for one in record(whole)["probes"]]


@pytest.mark.parametrize("done", [True, False])
def test_a_training_begun_with_other_settings_is_left_alone_once_there_is_work_to_lose(
    done: bool, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "mine.begun"
    (begun / "judge").mkdir(parents=True)
    (begun / "recipe.yaml").write_text("run: {seed: 1}\n")
    if done:
        (begun / "judge" / "judge.json").write_text("{}")
    recipe, began = small(tiny_model), []
    monkeypatch.setattr(
        "socialr1_lite.training.reward_model._fit", lambda *_: began.append(1) or (_ for _ in ()).throw(Cut())
    )
    with pytest.raises(RecipeError if done else Cut, match="begun with other settings" if done else None):
        train_judge(recipe, tmp_path / "mine")
    kept = (begun / "recipe.yaml").read_text(encoding="utf-8")
    assert (kept, began) == (("run: {seed: 1}\n", []) if done else (recipe.to_yaml(), [1]))


def test_a_base_that_cannot_be_loaded_leaves_nothing_behind(tmp_path: Path) -> None:
    recipe = JudgeRecipe.model_validate({"model": {"name": str(tmp_path / "nowhere")}, "pairs": {"size": 28}})
    with pytest.raises(PolicyError, match=r"model\.name: cannot load") as caught:
        train_judge(recipe, tmp_path / "mine")
    assert len(str(caught.value).splitlines()) == 1 and not list(tmp_path.iterdir())


def test_layers_that_the_base_has_not_are_told_before_anything_is_begun(tiny_model: Path, tmp_path: Path) -> None:
    settings = {
        "model": {"name": str(tiny_model), "lora": {"targets": ["query"]}},
        "pairs": {"size": 34, "heldout": 34},
    }
    with pytest.raises(PolicyError, match=r"model\.lora\.targets: .*query.* names no layer of"):
        train_judge(JudgeRecipe.model_validate(settings), tmp_path / "mine")
    assert not list(tmp_path.iterdir())


@trained
def test_a_judge_is_not_overwritten(judge_folder: Path) -> None:
    with pytest.raises(RecipeError, match="exists already"):
        train_judge(JudgeRecipe(), judge_folder)


def test_figures_worked_out_by_hand() -> None:
    pairs = make_pairs(28)[:4]
    report = measure(pairs, [(1.0, -1.0), (2.0, 0.0), (0.0, 2.0), (1.0, 1.0)])
    assert report["accuracy"]["value"] == 0.5 and report["accuracy"]["n"] == 4
    assert report["center"] == pytest.approx(0.75)
    # three pairs at confidence sigmoid(2) of which two are right, one tie at 0.5 that counts as wrong
    assert report["calibration_error"] == pytest.approx((3 * abs(sigmoid(2) - 2 / 3) + 0.5) / 4)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_shipped_judge_recipes_load_and_survive_being_written(path: Path, tmp_path: Path) -> None:
    recipe = load_judge_recipe(path)
    (tmp_path / path.name).write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_judge_recipe(tmp_path / path.name) == recipe
    assert f"python -m socialr1_lite.train_judge recipes/judges/{path.name}" in path.read_text(encoding="utf-8")


def test_there_are_judge_recipes_and_mistakes_are_placed(tmp_path: Path) -> None:
    assert {path.name for path in RECIPES} == {"judge_smollm2.yaml", "judge_qwen3_0.6b.yaml", "judge_qwen3_4b.yaml"}
    path = tmp_path / "wrong.yaml"
    path.write_text("pairs:\n  sise: 4\ntraining: {max_steps: 0}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"2 mistakes\n.*wrong\.yaml:2: pairs\.sise: .*size.*\n.*max_steps"):
        load_judge_recipe(path)
