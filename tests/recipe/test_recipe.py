"""Recipes: what is read, what is refused, and that each refusal says where, what was given and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import socialr1_lite
from socialr1_lite.errors import RecipeError
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe, load_recipe, located_yaml
from socialr1_lite.recipe.schema import Grpo, Section


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    return str(caught.value)


# --- reading


def test_the_defaults_are_a_valid_recipe(write) -> None:
    recipe = load_recipe(write("grpo: {}\n"))
    assert recipe.model_copy(update={"run": Recipe().run}) == Recipe()


def test_the_file_names_the_run(write) -> None:
    assert load_recipe(write("grpo: {}\n", "belief orders.v2.yaml")).run.name == "belief-orders.v2"
    assert load_recipe(write("run: {name: kept}\n")).run.name == "kept"


def test_what_is_written_is_read_with_its_type(write) -> None:
    recipe = load_recipe(
        write(
            "grpo: {learning_rate: 1e-5, max_steps: 1e3}\ndata: {seed: 010, orders: [0, 3]}\nmodel: {load_in_4bit: off}\n"
        )
    )
    assert recipe.grpo.learning_rate == 1e-5
    assert recipe.grpo.max_steps == 1000
    assert recipe.data.seed == 10  # YAML 1.1 would read octal
    assert recipe.data.orders == (0, 3)
    assert recipe.model.load_in_4bit is False


def test_a_key_that_yaml_1_1_takes_for_a_boolean_stays_text(write) -> None:
    recipe = load_recipe(write("data: {source: x.csv, columns: {question: no, gold: y}}\n"))
    assert recipe.data.columns == {"question": "no", "gold": "y"}


def test_a_recipe_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Recipe().grpo.beta = 1.0  # type: ignore[misc]


def test_extends_merges_mappings_and_replaces_lists(write) -> None:
    write("grpo: {beta: 0.1, max_steps: 7}\ndata: {orders: [0, 1, 2]}\nrun: {name: base}\n", "shared/base.yaml")
    write("extends: shared/base.yaml\ngrpo: {max_steps: 8}\nrun: {name: null}\n", "middle.yaml")
    recipe = load_recipe(write("extends: middle.yaml\ngrpo: {beta: 0.2}\ndata: {orders: [1]}\n"))
    assert (recipe.grpo.beta, recipe.grpo.max_steps, recipe.data.orders) == (0.2, 8, (1,))
    assert recipe.run.name == "mine"


def test_overrides_come_last_and_the_last_one_wins(write) -> None:
    path = write("grpo: {beta: 0.1}\n")
    recipe = load_recipe(path, ["grpo.beta=0.2", "grpo.beta=3e-1", "data.orders=[2]"])
    assert (recipe.grpo.beta, recipe.data.orders) == (0.3, (2,))
    assert load_recipe(path, ["prompt.system=x=y"]).prompt.system == "x=y"
    assert load_recipe(path, ["run.save_total_limit=null"]).run.save_total_limit is None


# --- refusing


def test_every_mistake_is_told_at_once_with_its_line(write) -> None:
    path = write(
        "modle: {}\n"
        "grpo:\n"
        "  learnin_rate: 1\n"
        "  num_generations: 1\n"
        "  loss_type: dpao\n"
        "rewards: {content: {judges: [{nam: x}]}}\n"
        "run:\n"
        "  save_total_limit: 1\n"
    )
    text = refusal(path)
    assert f"{path} has 6 mistakes" in text
    for line, what in (
        (1, "modle: unknown key; did you mean model?"),
        (3, "grpo.learnin_rate: unknown key; did you mean learning_rate?"),
        (4, "grpo.num_generations: given 1; allowed: greater than or equal to 2"),
        (5, "grpo.loss_type: given 'dpao'; allowed: 'grpo', "),
        (6, "rewards.content.judges[0].nam: unknown key; did you mean name?"),
        (8, "run.save_total_limit: given 1; allowed: greater than or equal to 2"),
    ):
        assert f"{path}:{line}: {what}" in text
    assert "(did you mean dapo?)" in text


def test_sections_that_are_well_formed_are_checked_together_though_others_are_not(write) -> None:
    text = refusal(write("model: {nme: x}\ngrpo: {num_generations: 3}\n"))
    assert "unknown key; did you mean name?" in text
    assert "16 completions, 5.33 groups" in text


def test_a_mistake_in_an_extended_file_names_that_file(write) -> None:
    base = write("grpo:\n  beta: much\n", "base.yaml")
    path = write("extends: base.yaml\ngrpo:\n  epsilon: -1\n")
    text = refusal(path)
    assert f"{base}:2: grpo.beta: given 'much'; allowed: a number" in text
    assert f"{path}:3: grpo.epsilon: given -1; allowed: greater than 0" in text


def test_a_mistake_on_the_command_line_says_so(write) -> None:
    path = write("grpo:\n  beta: 0\n")
    text = refusal(path, "grpo.beta=x", "grpo.epsilon", "grpo={epsilon: y}", "nosuch.key=1", "data.orders=[1")
    assert "on the command line: grpo.beta: given 'x'" in text
    assert "on the command line: 'grpo.epsilon': expected section.name=value" in text
    assert "on the command line: grpo.epsilon: given 'y'" in text
    assert "on the command line: nosuch: unknown key" in text
    assert "on the command line: 'data.orders=[1'" in text
    assert f"{path}:2" not in text


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("group_size: 4", "grpo.num_generations"),
        ("lr: 1", "learning_rate"),
        ("max_prompt_length: 5", "data.max_prompt_tokens"),
        ("warmup_ratio: 0.1", "warmup_steps"),
        ("save_steps: 5", "run.save_steps"),
        ("zzz: 1", "known here: max_steps, num_generations"),
    ],
)
def test_names_from_elsewhere_find_their_place(write, key: str, meant: str) -> None:
    assert meant in refusal(write(f"grpo: {{{key}}}\n"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grpo: {beta: 1, beta: 2}", "grpo.beta: given twice (first on line 1); keep one"),
        ("grpo: &a {beta: 1}\nwarmup: *a", "aliases (*a) are not supported"),
        ("grpo: !!python/object/apply:os.getcwd []", "tag tag:yaml.org,2002:python/object/apply:os.getcwd"),
        ("run: {name: !!python/name:os.system x}", "could not determine a constructor"),
        ("- 1", "expected `key: value` lines at the top, found a list"),
        ("", "found nothing (the file is empty)"),
        ("grpo: [", "not valid YAML"),
        ("grpo: 5", "grpo: given 5; allowed: `key: value` lines"),
        ("grpo: null", "grpo: given null; allowed: `key: value` lines"),
        ("grpo: {max_steps: yes}", "given 'yes'; allowed: a whole number"),
        ("grpo: {max_steps: true}", "given true; allowed: a number is needed"),
        ("grpo: {max_steps: 2.5}", "given 2.5; allowed: a whole number"),
        ("grpo: {beta: .nan}", "grpo.beta: given '.nan'; allowed: a"),
        ("grpo: {beta: .inf}", "grpo.beta: given '.inf'; allowed: a"),
        ("grpo: {beta: 1e999}", "1: column 14: not valid YAML: '1e999' is not a number that can be kept"),
        ("grpo: {vllm: off}", "given 'off'; allowed: 'colocate' or 'server'"),
        ("model: {revision: 1234567}", "given 1234567; allowed: text (put it in quotes)"),
        ("model: {name: ''}", "allowed: text that is not empty"),
        ("data: {dimensions: []}", "given []; allowed: a list of at least one"),
        ("data: {difficulty: [{orders: [1]}]}", "data.difficulty[0].until: is needed here"),
        ("run: {name: ../up}", "allowed: a plain folder name"),
        ("extends: 5", "extends: given 5"),
        ("extends: mine.yaml", "extends: runs in a circle: mine.yaml -> mine.yaml"),
        ("extends: nosuch.yaml", "mine.yaml:1: extends: "),
        ("[" * 1200, "mine.yaml"),
    ],
)
def test_bad_yaml_gets_one_clear_refusal(write, text: str, expected: str) -> None:
    assert expected in refusal(write(text))


def test_a_longer_circle_is_refused(write) -> None:
    write("extends: mine.yaml\n", "other.yaml")
    assert "mine.yaml -> other.yaml -> mine.yaml" in refusal(write("extends: other.yaml\n"))


def test_a_missing_file_lists_its_neighbours(write) -> None:
    path = write("grpo: {}\n")
    assert "mine.yaml" in refusal(path.with_name("nine.yaml"))
    assert "no folder" in refusal(path.parent / "nowhere" / "x.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00grpo")
    assert "cannot be read" in refusal(path)


# --- fields together


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 10 x 1 x 2 = 20 completions; 20 / 8 = 2.5
        (
            "grpo: {per_device_train_batch_size: 10, gradient_accumulation_steps: 2, num_generations: 8}",
            "per_device_train_batch_size 10 x processes 1 x steps_per_generation 2 = 20 completions, 2.50 groups "
            "of num_generations 8; it must be a whole number of groups, e.g. per_device_train_batch_size 8 or 12",
        ),
        (
            "grpo: {gradient_accumulation_steps: 2, steps_per_generation: 4}\nrun: {save_steps: 3}",
            "save_steps 3 x gradient_accumulation_steps 2 = 6 micro-batches",
        ),
        ("grpo: {num_iterations: 3}", "num_iterations 3 = 6); a resume could not go on"),
        ("grpo: {max_completion_length: 257}", "768 + grpo.max_completion_length 257 = 1025 tokens"),
        ("rewards: {length: {min_tokens: 50, max_tokens: 50}}", "50 must be below max_tokens 50"),
        ("rewards: {length: {min_tokens: 256}}", "256 must be below grpo.max_completion_length 256"),
        (
            "rewards: {weights: {outcome: 0, structure: 0, content: 0}}",
            "outcome, structure, content are all 0, so in gated mode every completion earns the same",
        ),
        ("rewards: {weights: {outcome: -1}}", "given -1; allowed: greater than or equal to 0"),
        ("rewards: {aggregation: normalize_then_sum}", "write rewards.mode: additive"),
        ("rewards: {curriculum: {p0: 0.6}}", "0.6 must be below p1 0.6"),
        ("rewards: {curriculum: {tau0: 1.1}}", "given 1.1; allowed: less than or equal to 1"),
        (
            "data: {difficulty: [{until: 0.5, orders: [0]}, {until: 0.5, orders: [1]}]}",
            "data.difficulty[1].until: 0.5 must be above the one before (0.5)",
        ),
        ("data: {difficulty: [{until: 0.5, orders: [4]}]}", "[4] are not among data.orders [0, 1, 2]"),
        (
            "warmup: {steps: 5}\ngrpo: {beta: 0.04}",
            "the KL reference would be the cold-started adapter on a CPU but the untrained base",
        ),
        (
            "warmup: {steps: 5, merge: true}\nmodel: {load_in_4bit: true}",
            "cannot be merged into a 4-bit model without loss",
        ),
        ("grpo: {loss_type: dr_grpo}", "write scale_rewards: none"),
        ("grpo: {loss_type: cispo}", "loss_type cispo needs it in writing"),
        ("grpo: {warmup_steps: 5}", "grpo.warmup_steps: 5 has no effect with lr_scheduler_type constant"),
        ("grpo: {temperature: 10}", "given 10; allowed: less than 10"),
        ("grpo: {temperature: 0}", "given 0; allowed: greater than 0"),
        ("grpo: {top_p: 0}", "given 0; allowed: greater than 0"),
        ("grpo: {top_k: -1}", "given -1; allowed: greater than or equal to 0"),
        ("grpo: {vllm: colocate}", "colocate needs model.fast_inference: true"),
        ("model: {fast_inference: true}", "given null; with model.fast_inference: true it must be colocate"),
        ("model: {fast_inference: true, backend: transformers}", "is Unsloth's"),
        ("evaluation: {items: 200}", "200 asks for more scenarios than data.heldout keeps (128)"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(write, text: str, expected: str) -> None:
    message = refusal(write(text + "\n"))
    assert expected in message
    assert re.search(r"mine\.yaml:\d+: |by default", message)


@pytest.mark.parametrize(
    "text",
    [
        "warmup: {steps: 5}\ngrpo: {beta: 0}",
        "warmup: {steps: 5, merge: true}\ngrpo: {beta: 0.04}",
        "grpo: {beta: 0.04}",
        "model: {load_in_4bit: true}\nwarmup: {merge: true}",  # no cold start, nothing to merge
        "rewards: {mode: additive, aggregation: normalize_then_sum}",
        "rewards: {mode: additive, weights: {outcome: 0, structure: 0, content: 0}}",
        "grpo: {loss_type: dr_grpo, scale_rewards: none}",
        "grpo: {vllm: server}",
        "grpo: {vllm: colocate}\nmodel: {backend: transformers}",
        "grpo: {vllm: colocate}\nmodel: {fast_inference: true}",
        "grpo: {lr_scheduler_type: constant_with_warmup, warmup_steps: 5}",
        "evaluation: {items: 200}\ndata: {heldout_source: other.jsonl}",
        "grpo: {per_device_train_batch_size: 1, gradient_accumulation_steps: 8}",  # a group over 8 micro-batches
    ],
)
def test_near_misses_are_accepted(write, text: str) -> None:
    assert load_recipe(write(text + "\n"))


def test_a_recipe_built_in_python_is_checked_too() -> None:
    with pytest.raises(ValidationError, match=r"5\.33 groups"):
        Recipe(grpo=Grpo(num_generations=3))


def test_the_processes_count_in_the_batch(write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("grpo: {per_device_train_batch_size: 3, gradient_accumulation_steps: 1, num_generations: 6}\n")
    assert "3 x processes 1" in refusal(path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    recipe = load_recipe(path)
    assert (recipe.completions_per_step, recipe.groups_per_generation, recipe.prompts_per_step) == (6, 1, 1.0)
    # What two processes wrote is read by one, as the viewer does, and continued by no other number of them.
    written = write(recipe.to_yaml(), "written.yaml")
    monkeypatch.delenv("WORLD_SIZE")
    assert load_recipe(written) == recipe
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert "run.processes: 2 are written here and 3 were started" in refusal(written)


def test_batch_arithmetic_by_hand() -> None:
    # 4 a micro-batch, 4 micro-batches a step, 2 sampled at once: 16 a step = 2 groups of 8, 1 group at once;
    # 5 steps x 4 micro-batches = 20, each sampled block used twice = 4 micro-batches a block: 5 generations
    grpo = Grpo(
        max_steps=5,
        num_generations=8,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
        steps_per_generation=2,
        num_iterations=2,
    )
    recipe = Recipe(grpo=grpo)
    assert recipe.completions_per_step == 16
    assert recipe.prompts_per_step == 2
    assert recipe.groups_per_generation == 1
    assert recipe.generations == 5


# --- writing


def test_the_written_recipe_reads_back_the_same_and_in_every_yaml(write) -> None:
    path = write(
        "model: {name: 'no', revision: '1e5', lora: {targets: [q_proj, 'on']}}\nprompt: {system: 'a: b # c'}\n"
        "data: {columns: {gold: '010', story: '0x1', id: '~'}, difficulty: [{until: 1, orders: [0]}]}\n"
        "rewards: {content: {judges: [{name: llm, settings: {url: 'x', n: 3}}]}}\n"
    )
    recipe = load_recipe(path)
    again = write(recipe.to_yaml(), "again.yaml")
    assert load_recipe(again) == recipe
    assert yaml.safe_load(recipe.to_yaml()) == recipe.model_dump(mode="json")
    assert list(yaml.safe_load(recipe.to_yaml())) == list(Recipe.model_fields)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@settings(max_examples=150)
@given(
    st.dictionaries(
        texts,
        texts
        | st.integers(-(2**63) + 1, 2**63 - 1)
        | st.booleans()
        | st.none()
        | st.floats(allow_nan=False, allow_infinity=False),
        max_size=4,
    )
)
def test_any_settings_survive_the_round_trip(values: dict[str, Any]) -> None:
    text = located_yaml.dump({"top": values})
    assert located_yaml.parse(text, "here").values == {"top": values}


@settings(max_examples=200)
@given(st.text(max_size=60) | st.text(alphabet="{}[]:,-*&!|>'\"# \nabc1e", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        located_yaml.parse(text, "here")
    except RecipeError as error:
        assert str(error).startswith("here")


def test_the_digest_follows_what_is_trained_and_nothing_else(write) -> None:
    path = write("grpo: {beta: 0}\n")
    digest = load_recipe(path).digest
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    for same in ("run.name=x", "run.root=/elsewhere", "run.resume=never", "grpo.beta=0.0"):
        assert load_recipe(path, [same]).digest == digest
    for other in (
        "grpo.beta=0.1",
        "run.seed=1",
        "run.processes=2",
        "data.seed=1",
        "model.revision=abc",
        "run.save_steps=5",
    ):
        assert load_recipe(path, [other]).digest != digest


# --- the form itself


def sections(kind: type[Section]) -> list[type[Section]]:
    return [
        kind,
        *(
            inner
            for field in kind.model_fields.values()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
            for inner in sections(field.annotation)
        ),
    ]


@pytest.mark.parametrize("kind", sections(Recipe), ids=lambda kind: kind.__name__)
def test_every_section_is_closed_and_frozen(kind: type[Section]) -> None:
    assert kind.model_config["extra"] == "forbid" and kind.model_config["frozen"]


def test_the_embedded_model_is_named_in_one_place() -> None:
    """Twice the same constant is two to change."""
    package = Path(socialr1_lite.__file__).parent
    naming = [path for path in package.rglob("*.py") if f' = "{EMBEDDED_MODEL}"' in path.read_text(encoding="utf-8")]
    assert [path.relative_to(package).as_posix() for path in naming] == ["recipe/schema.py"]
