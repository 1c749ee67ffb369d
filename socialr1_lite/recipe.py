"""What a run is: a YAML file becomes one frozen Recipe, and every mistake in it is told at once.

`load_recipe` follows `extends:`, applies `key=value` overrides, refuses unknown keys with the nearest known name
and checks what fields mean together. Every field that Unsloth would otherwise rewrite on a GPU is explicit here,
so that a recipe means the same on a CPU. Names of judges, story dimensions and benchmarks belong to their tables
and are checked there.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from socialr1_lite import placed_yaml
from socialr1_lite.errors import RecipeError
from socialr1_lite.placed_yaml import COMMAND_LINE, Keys, Mistake, Placed, dotted
from socialr1_lite.recipe_checks import cross_checks, generation_batch, processes

EMBEDDED_MODEL = "smollm2-135m"
OFFLINE_JUDGES = frozenset({"facts", "rules"})  # the judges that need neither a model nor an endpoint

# What a smoke run shrinks to: enough for every branch of a real run, in about a minute on two cores.
SMOKE_STEPS = 2
SMOKE_GROUP = 4
SMOKE_TOKENS = 48
SMOKE_PROMPT_TOKENS = 1024

# Names that people bring along from other trainers, papers and older versions of TRL.
FOREIGN_NAMES = {
    "lr": "learning_rate",
    "kl_beta": "grpo.beta",
    "kl_coef": "grpo.beta",
    "group_size": "grpo.num_generations",
    "max_prompt_length": "data.max_prompt_tokens (longer prompts are left out, not cut)",
    "warmup_ratio": "warmup_steps (a number of steps)",
    "use_vllm": "grpo.vllm",
    "model_name": "model.name",
    "output_dir": "run.root and run.name",
    "batch_size": "grpo.per_device_train_batch_size",
}

PHRASES = {  # pydantic's error types that read badly in its own words
    "model_type": "`key: value` lines",
    "dict_type": "`key: value` lines",
    "tuple_type": "a list, like [a, b]",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "too_short": "a list of at least one",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "a plain folder name of letters, digits, '_', '.' and '-'",
}


def _no_bool(value: object) -> object:
    """Python counts True as 1; a recipe that says `max_steps: true` is mistaken."""
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


Real = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_no_bool)]
Count = Annotated[Whole, Field(ge=1)]  # 1, 2, ...
Natural = Annotated[Whole, Field(ge=0)]  # 0, 1, ...
Share = Annotated[Real, Field(ge=0, le=1)]
NotNegative = Annotated[Real, Field(ge=0)]
Positive = Annotated[Real, Field(gt=0)]
Schedule = Literal["constant", "constant_with_warmup", "linear", "cosine"]


class Section(BaseModel):
    """A closed, frozen part of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Lora(Section):
    """The adapter. Weights added: r x (inputs + outputs) for every adapted linear layer, scaled by alpha / r."""

    r: Count = 16
    alpha: Positive = 32
    dropout: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"  # or names of layers: [q_proj, v_proj]
    rslora: bool = False  # scale by alpha / sqrt(r) instead


class Model(Section):
    """Which model, in which precision, through which backend."""

    name: Annotated[str, Field(min_length=1)] = EMBEDDED_MODEL  # the embedded model, a hub id, or a local folder
    revision: str | None = None  # a hub commit, tag or branch
    backend: Literal["auto", "unsloth", "transformers"] = "auto"
    load_in_4bit: bool = False  # NF4 with double quantisation (QLoRA)
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"  # auto: bfloat16 where the hardware has it
    max_seq_length: Count = 1024  # tokens of prompt and completion together
    trust_remote_code: bool = False
    lora: Lora = Lora()
    gradient_checkpointing: bool = False
    fast_inference: bool = False  # Unsloth's vLLM, sharing weights with training; needs a GPU
    gpu_memory_utilization: Annotated[Real, Field(gt=0, le=1)] = 0.5  # vLLM's share of GPU memory


class Difficulty(Section):
    """Until this share of the run is over, only stories of these belief orders."""

    until: Annotated[Real, Field(gt=0, le=1)]
    orders: Annotated[tuple[Natural, ...], Field(min_length=1)]


class Data(Section):
    """What is asked, and what is held out."""

    source: Annotated[str, Field(min_length=1)] = "stories"  # stories, a .jsonl/.csv/.parquet file, or a hub id
    config: str | None = None  # a hub dataset's configuration
    split: str = "train"
    revision: str | None = None
    columns: dict[str, str] = {}  # a Scenario's field: the source's column
    limit: Count | None = None  # rows at most
    max_prompt_tokens: Count = 768  # longer prompts are left out: nothing truncates them later
    dimensions: Annotated[tuple[str, ...], Field(min_length=1)] = ("belief", "knowledge")
    orders: Annotated[tuple[Natural, ...], Field(min_length=1)] = (0, 1, 2)
    size: Count = 2000  # stories to generate for training
    heldout: Natural = 128  # scenarios kept from training
    heldout_source: str | None = None  # a file or hub id instead
    seed: Natural = 7
    mix: dict[str, NotNegative] = {}  # a dimension: its share; empty means equal shares
    difficulty: tuple[Difficulty, ...] | None = None


class Prompt(Section):
    """How it is asked."""

    style: Literal["sip", "socialr1", "direct", "cot"] = "sip"
    answer: Literal["letter", "text"] = "letter"
    system: str | None = None  # instead of the style's own system message
    enable_thinking: bool | None = None  # handed to chat templates that know it (Qwen3)
    chat_template_kwargs: dict[str, Any] = {}


class Warmup(Section):
    """The cold start: supervised steps on gold replies before GRPO. 0 steps: none."""

    steps: Natural = 0
    batch_size: Count = 4
    learning_rate: Positive = 2e-4
    examples: Count = 256  # gold replies to draw from
    merge: bool = False  # merge the cold start into the base, then start a fresh adapter
    lr_scheduler_type: Schedule = "linear"
    warmup_steps: Natural = 0


class Weights(Section):
    """A weight for each component; `format` and `length` are gates in gated mode and count only in additive mode."""

    format: NotNegative = 0.2
    outcome: NotNegative = 1.0
    structure: NotNegative = 0.5
    content: NotNegative = 0.5
    length: NotNegative = 0.2


class FormatReward(Section):
    """strict: all checks or nothing. graded: the share of checks that hold."""

    mode: Literal["strict", "graded"] = "strict"


class StructureReward(Section):
    """Settings of the structure component."""

    min_words: Natural = 4  # words that make a stage present
    option_penalty: NotNegative = 0.5  # for each reference to an option before the last stage


class JudgeEntry(Section):
    """One judge of the content component: a name of the judges' table, and what it takes."""

    name: Annotated[str, Field(min_length=1)] = "rules"
    weight: Positive = 1.0
    settings: dict[str, Any] = {}


class ContentReward(Section):
    """Settings of the content component."""

    judges: Annotated[tuple[JudgeEntry, ...], Field(min_length=1)] = (JudgeEntry(),)
    max_judge_failures: Share = 0.05  # of the last 200 calls; beyond it the run stops


class LengthReward(Section):
    """The efficiency gate: half height at min_tokens and at max_tokens."""

    min_tokens: Natural = 40
    max_tokens: Count = 400
    k: Positive = 50  # steepness
    ngram: Annotated[Whole, Field(ge=2)] = 4  # words; repeated n-grams count as repetition
    tolerance: Annotated[Real, Field(ge=0, lt=1)] = 0.1  # share of repetition that costs nothing


class Curriculum(Section):
    """The process weight tau: tau0 until p0 of the run, rising to 1 at p1."""

    tau0: Share = 0.2
    p0: Share = 0.1
    p1: Share = 0.6


class Rewards(Section):
    """The SIP reward stack."""

    mode: Literal["gated", "additive"] = "gated"
    weights: Weights = Weights()
    aggregation: Literal["sum_then_normalize", "normalize_then_sum"] = "sum_then_normalize"
    format: FormatReward = FormatReward()
    structure: StructureReward = StructureReward()
    content: ContentReward = ContentReward()
    length: LengthReward = LengthReward()
    curriculum: Curriculum = Curriculum()


class Grpo(Section):
    """The optimisation, in TRL's own words. Batch sizes count completions, not prompts."""

    max_steps: Count = 20  # optimizer steps
    num_generations: Annotated[Whole, Field(ge=2)] = 8  # completions in a group
    per_device_train_batch_size: Count = 8
    gradient_accumulation_steps: Count = 2
    steps_per_generation: Count | None = None  # micro-batches sampled at once; null: gradient_accumulation_steps
    num_iterations: Count = 1  # times each generation batch is trained on
    max_completion_length: Count = 256  # tokens
    learning_rate: Positive = 1e-5
    lr_scheduler_type: Schedule = "constant"
    warmup_steps: Natural = 0
    optim: Literal["adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_8bit"] = "adamw_torch_fused"
    weight_decay: NotNegative = 0.0
    max_grad_norm: NotNegative = 1.0
    adam_beta1: Annotated[Real, Field(ge=0, lt=1)] = 0.9
    adam_beta2: Annotated[Real, Field(ge=0, lt=1)] = 0.99
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"] = "dapo"
    beta: NotNegative = 0.0  # weight of the KL term; 0 needs no reference model
    epsilon: Positive = 0.2
    epsilon_high: Positive | None = None  # null: epsilon
    scale_rewards: Literal["group", "batch", "none"] = "group"
    mask_truncated_completions: bool = False
    importance_sampling_level: Literal["token", "sequence"] = "token"
    top_entropy_quantile: Annotated[Real, Field(gt=0, le=1)] = 1.0
    temperature: Annotated[Real, Field(gt=0, lt=10)] = 1.0
    top_p: Annotated[Real, Field(gt=0, le=1)] = 1.0
    top_k: Natural = 0  # 0: off
    min_p: Share | None = None
    repetition_penalty: Positive = 1.0
    vllm: Literal["colocate", "server"] | None = None
    vllm_importance_sampling_correction: bool = True

    @property
    def generation_steps(self) -> int:
        """Micro-batches that are sampled at once."""
        return self.steps_per_generation or self.gradient_accumulation_steps

    @property
    def clip_high(self) -> float:
        """The upper clipping range, never null."""
        return self.epsilon if self.epsilon_high is None else self.epsilon_high


class Evaluation(Section):
    """The held-out check during training and the table at its end."""

    every: Natural = 0  # optimizer steps; 0: only before and after
    items: Natural = 128
    batch_size: Count = 32
    max_new_tokens: Count | None = None  # null: grpo.max_completion_length


class Logging(Section):
    """How often to log, and where to besides metrics.jsonl."""

    steps: Count = 1
    report_to: tuple[Literal["tensorboard", "trackio"], ...] = ()


class Run(Section):
    """The run folder and its checkpoints."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] | None = None  # null: the recipe file's stem
    root: str = "runs"
    seed: Natural = 42
    save_steps: Count = 10
    # Two at least: while a new checkpoint is being written, the one before it is the only whole one.
    save_total_limit: Annotated[Whole, Field(ge=2)] | None = 2
    resume: Literal["auto", "never"] = "auto"


class Recipe(Section):
    """What a run is. Build it with `load_recipe`, or from a mapping with `Recipe.model_validate`."""

    model: Model = Model()
    data: Data = Data()
    prompt: Prompt = Prompt()
    warmup: Warmup = Warmup()
    rewards: Rewards = Rewards()
    grpo: Grpo = Grpo()
    evaluation: Evaluation = Evaluation()
    logging: Logging = Logging()
    run: Run = Run()

    @model_validator(mode="after")
    def _hold_together(self) -> Recipe:
        if wrong := [f"{dotted(keys)}: {what}" for keys, what in cross_checks(dict(self))]:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def completions_per_step(self) -> int:
        """Completions that one optimizer step trains on, over all processes."""
        grpo = self.grpo
        return grpo.per_device_train_batch_size * processes() * grpo.gradient_accumulation_steps

    @property
    def prompts_per_step(self) -> float:
        """Prompt groups that one optimizer step trains on; a fraction when a group is spread over steps."""
        return self.completions_per_step / self.grpo.num_generations

    @property
    def groups_per_generation(self) -> int:
        """Prompt groups that are sampled at once, over all processes."""
        return generation_batch(self.grpo) // self.grpo.num_generations

    @property
    def generations(self) -> int:
        """Times that the whole run samples a generation batch."""
        micro_batches = self.grpo.max_steps * self.grpo.gradient_accumulation_steps
        return -(-micro_batches // (self.grpo.generation_steps * self.grpo.num_iterations))

    def to_yaml(self) -> str:
        """Every setting, defaults included, in the order of the sections; loads back as the same recipe."""
        return placed_yaml.dump(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides what is trained: not where the run folder lies or whether to resume."""
        settings = self.model_dump(mode="json")
        settings["run"] = {key: settings["run"][key] for key in ("seed", "save_steps", "save_total_limit")}
        return hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, complete and check a recipe.

    Args:
        path: the YAML file; `extends:` in it names another one, relative to it.
        overrides: `section.key=value` each, the value in YAML; they come last.

    Raises:
        RecipeError: naming the file and line of every mistake, what was given and what is allowed.
    """
    path = Path(path)
    tree = _read_chain(path)
    for text in overrides:
        _override(tree, text)
    sections = _read_sections(tree)
    for keys, what in cross_checks(sections):
        tree.mistakes.append(_mistake(tree, keys, what))
    if tree.mistakes:
        raise RecipeError(_tell(path, tree.mistakes))
    recipe = Recipe.model_validate(sections)
    return recipe if recipe.run.name else _named(recipe, path.stem)


def smoke(recipe: Recipe) -> Recipe:
    """The same recipe made small: the embedded model, two steps, short texts, no GPU, nothing from the network.

    What is learnt from (prompt, rewards, loss, schedule) stays; what costs time or needs a service goes.
    """
    group = min(recipe.grpo.num_generations, SMOKE_GROUP)
    iterations = min(recipe.grpo.num_iterations, SMOKE_STEPS)
    judges = tuple(judge for judge in recipe.rewards.content.judges if judge.name in OFFLINE_JUDGES)
    low = min(recipe.rewards.length.min_tokens, SMOKE_TOKENS // 4)
    changes: dict[str, dict[str, Any]] = {
        "model": {
            "name": EMBEDDED_MODEL,
            "revision": None,
            "backend": "auto",
            "load_in_4bit": False,
            "dtype": "auto",
            "max_seq_length": SMOKE_PROMPT_TOKENS + SMOKE_TOKENS,
            "trust_remote_code": False,
            "gradient_checkpointing": False,
            "fast_inference": False,
        },
        "data": {
            "source": "stories",
            "config": None,
            "revision": None,
            "columns": {},
            "limit": None,
            "max_prompt_tokens": SMOKE_PROMPT_TOKENS,
            "size": 16,
            "heldout": 4,
            "heldout_source": None,
        },
        "warmup": {"steps": min(recipe.warmup.steps, SMOKE_STEPS), "batch_size": 2, "examples": 8},
        "rewards": {
            "content": recipe.rewards.content.model_copy(update={"judges": judges or (JudgeEntry(name="rules"),)}),
            "length": recipe.rewards.length.model_copy(update={"min_tokens": low}),
        },
        "grpo": {
            "max_steps": SMOKE_STEPS,
            "num_generations": group,
            "per_device_train_batch_size": group,
            "gradient_accumulation_steps": 1,
            "steps_per_generation": None,
            "num_iterations": iterations,
            "max_completion_length": SMOKE_TOKENS,
            "optim": "adamw_torch_fused",
            "vllm": None,
        },
        "evaluation": {
            "every": SMOKE_STEPS if recipe.evaluation.every else 0,
            "items": 4,
            "batch_size": 4,
            "max_new_tokens": None,
        },
        "logging": {"steps": 1, "report_to": ()},
        "run": {"name": f"{recipe.run.name or 'run'}-smoke", "save_steps": iterations},
    }
    sections = {name: section.model_copy(update=changes.get(name, {})) for name, section in recipe}
    return Recipe.model_validate({name: section.model_dump() for name, section in sections.items()})


def _named(recipe: Recipe, name: str) -> Recipe:
    """The file's stem becomes the run's name; what a folder name cannot hold becomes a dash."""
    plain = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name).strip(".-") or "run"
    return recipe.model_copy(update={"run": recipe.run.model_copy(update={"name": plain})})


def _read_chain(path: Path) -> Placed:
    """The file and all that it extends, the most basic one first underneath."""
    layers: list[Placed] = []
    seen: list[Path] = []
    while True:
        if path.resolve() in seen:
            circle = " -> ".join(file.name for file in [*seen, path])
            raise RecipeError(f"{path}: extends runs in a circle: {circle}")
        seen.append(path.resolve())
        layers.append(placed_yaml.read(path) if len(layers) == 0 else _read_extended(path, layers[-1]))
        parent = layers[-1].values.pop("extends", None)
        if parent is None:
            break
        if not isinstance(parent, str):
            raise RecipeError(f"{layers[-1].place(('extends',))}: extends: given {parent!r}; a file name is needed")
        path = path.parent / parent
    tree = Placed()
    for layer in reversed(layers):
        tree.overlay(layer)
    return tree


def _read_extended(path: Path, child: Placed) -> Placed:
    try:
        return placed_yaml.read(path)
    except RecipeError as wrong:
        raise RecipeError(f"{child.place(('extends',))}: extends: {wrong}") from None


def _override(tree: Placed, text: str) -> None:
    """Lay `section.key=value` over the tree; what cannot be read is a mistake like any other."""
    name, equals, given = text.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        tree.mistakes.append(Mistake(str(COMMAND_LINE), f"{text!r}: expected section.key=value"))
        return
    try:
        value = placed_yaml.scalar(given)
    except RecipeError as wrong:
        tree.mistakes.append(Mistake(str(COMMAND_LINE), f"{text!r}: {wrong}"))
        return
    nested = value
    for key in reversed(keys):
        nested = {key: nested}
    places: dict[Keys, placed_yaml.Place] = {keys[:n]: COMMAND_LINE for n in range(1, len(keys) + 1)}
    tree.overlay(Placed(nested, places))


def _read_sections(tree: Placed) -> dict[str, Section]:
    """Each section that is well-formed by itself; the mistakes of the others join the tree's."""
    sections: dict[str, Section] = {}
    for name in tree.values.keys() - Recipe.model_fields.keys():
        tree.mistakes.append(_mistake(tree, (name,), _unknown((name,), Recipe)))
    for name, known in Recipe.model_fields.items():
        kind: type[Section] = known.annotation  # type: ignore[assignment]
        try:
            sections[name] = kind.model_validate(tree.values.get(name, {}))
        except ValidationError as wrong:
            tree.mistakes += _phrase(tree, (name,), kind, wrong)
    return sections


def _phrase(tree: Placed, at: Keys, kind: type[Section], wrong: ValidationError) -> Iterator[Mistake]:
    """Pydantic's findings in our words, one for each value."""
    told: set[Keys] = set()
    for error in wrong.errors(include_url=False, include_context=True):
        keys = (*at, *_written(error["loc"], tree.values.get(at[0])))
        if keys in told or (error["type"] == "too_short" and error["input"]):
            continue  # a union reports once for each of its members, a list again after its items
        told.add(keys)
        if error["type"] == "extra_forbidden":
            yield _mistake(tree, keys, _unknown(keys, _section_at(kind, error["loc"][:-1])))
        else:
            yield _mistake(tree, keys, _allowed(error))


def _written(loc: Keys, values: Any) -> Keys:
    """The part of pydantic's location that is in the file (it appends names of types and validators)."""
    keys: list[str | int] = []
    for key in loc:
        if isinstance(values, Mapping) and key in values:
            values = values[key]
        elif isinstance(values, list) and isinstance(key, int) and key < len(values):
            values = values[key]
        elif not keys or isinstance(values, Mapping):
            values = None  # a required key that is missing
        else:
            break
        keys.append(key)
    return tuple(keys)


def _section_at(kind: type[Section], loc: Keys) -> type[Section]:
    """The section that holds the value at `loc`."""
    for key in loc:
        field = kind.model_fields.get(str(key))
        if field is not None:
            kind = next(_sections_in(field.annotation), kind)
    return kind


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_in(part)


def _unknown(keys: Keys, kind: type[Section]) -> str:
    """Say what an unknown key probably meant: a neighbour, another section's field, or an older name of it."""
    name = str(keys[-1])
    everywhere = dict(_all_fields(Recipe))
    if renamed := FOREIGN_NAMES.get(name):
        return f"unknown key; use {renamed}"
    if near := difflib.get_close_matches(name, kind.model_fields, n=1, cutoff=0.7):
        return f"unknown key; did you mean {near[0]}?"
    if name in everywhere:
        return f"unknown key here; did you mean {everywhere[name]}?"
    if near := difflib.get_close_matches(name, everywhere, n=1, cutoff=0.8):
        return f"unknown key; did you mean {everywhere[near[0]]}?"
    return f"unknown key; known here: {', '.join(kind.model_fields)}"


def _all_fields(kind: type[Section], at: Keys = ()) -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        inner = next(_sections_in(field.annotation), None)
        if inner is None:
            yield name, dotted((*at, name))
        else:
            yield from _all_fields(inner, (*at, name))


def _allowed(error: ErrorDetails) -> str:
    """`given 1; allowed: greater than or equal to 2`."""
    if error["type"] == "missing":
        return "is needed here"
    message = PHRASES.get(error["type"]) or error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    given = error["input"]
    hint = ""
    if error["type"] == "string_type" and given is not None and not isinstance(given, (dict, list)):
        hint = " (put it in quotes)"
    elif error["type"] == "literal_error" and isinstance(given, str):
        near = difflib.get_close_matches(given, error["ctx"]["expected"].replace("'", "").split(", "), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
    return f"given {_short(given)}; allowed: {message}{hint}"


def _short(value: object) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _mistake(tree: Placed, keys: Keys, what: str) -> Mistake:
    return Mistake(str(tree.place(keys) or "by default"), f"{dotted(keys)}: {what}")


def _tell(path: Path, mistakes: Sequence[Mistake]) -> str:
    lines = [f"  {mistake.where}: {mistake.what}" for mistake in mistakes]
    return f"{path} has {len(lines)} mistake{'s' if len(lines) > 1 else ''}\n" + "\n".join(lines)
