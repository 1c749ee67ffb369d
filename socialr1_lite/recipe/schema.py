"""The forms of a recipe's sections: each setting with its type, its range, its default and its unit.

Unknown keys are refused. Every field that Unsloth would otherwise rewrite on a GPU is explicit here, so that a recipe
means the same on a CPU. Names of judges, story dimensions and benchmarks belong to their tables and are checked there.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

EMBEDDED_MODEL = "smollm2-135m"
ON_THE_WAY = 64  # questions of a held-out check between two steps, where the recipe names no number


def _no_bool(value: object) -> object:
    """Refuse true and false as numbers, which Python counts as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def hub_name(value: str) -> str:
    """Return the name of a hub repository. Raises ValueError for one that huggingface_hub would refuse."""
    if not re.fullmatch(r"(?!.*(?:--|\.\.|\.git$))\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", value, re.ASCII):
        raise ValueError("owner/name, of letters, digits, '-', '_' and '.'")
    return value


def row_name(value: str) -> str:
    """Return the name of a row. Raises ValueError for one that trackers would refuse in the name of a metric."""
    if not re.fullmatch(r"[\w.-][\w .-]{0,39}", value, re.ASCII):
        raise ValueError("a name of letters, digits, ' ', '_', '.' and '-', of 40 at most")
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
    """The adapter: r x (inputs + outputs) weights for every adapted layer, scaled by alpha / r."""

    r: Count = 16
    alpha: Positive = 32
    dropout: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"  # or names of layers: [q_proj, v_proj]
    rslora: bool = False  # scale by alpha / sqrt(r) instead


class Model(Section):
    """Which model, in which precision, through which backend."""

    name: Annotated[str, Field(min_length=1)] = EMBEDDED_MODEL  # or a hub id, or a folder
    revision: str | None = None  # a hub commit, tag or branch
    backend: Literal["auto", "unsloth", "transformers"] = "auto"
    load_in_4bit: bool = False  # NF4 with double quantisation (QLoRA)
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"  # auto: bfloat16 if native
    max_seq_length: Count = 1024  # tokens of prompt and completion together
    trust_remote_code: bool = False
    allow_pickle: bool = False  # read weights from .bin or .pt, which may hold code, where there are no safetensors
    lora: Lora = Lora()
    gradient_checkpointing: bool = False
    fast_inference: bool = False  # Unsloth's vLLM, sharing weights with training; needs a GPU
    gpu_memory_utilization: Annotated[Real, Field(gt=0, le=1)] = 0.5  # vLLM's share of GPU memory


class Names(Section):
    """Those of `include` (all, where it is empty) without those of `exclude`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Objects(Section):
    """How much there is in a generated story: each one has one of these numbers, as far as its template takes it."""

    places: tuple[Annotated[Whole, Field(ge=2, le=4)], ...] = ()  # of the thing that is asked about; (): as it comes
    people: tuple[Annotated[Whole, Field(ge=3, le=8)], ...] = ()  # (): 3 or 4, one or two more than the order
    chapters: tuple[Annotated[Whole, Field(ge=1, le=3)], ...] = ()  # rooms and things; (): 1


class Told(Section):
    """What other generated stories are about than those of the section around; null: the same."""

    dimensions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    orders: Annotated[tuple[Natural, ...], Field(min_length=1)] | None = None
    templates: Names | None = None
    perturbations: Names | None = None
    objects: Objects | None = None

    @property
    def narrows(self) -> bool:
        """Whether anything but the orders is another."""
        return any((self.dimensions, self.templates, self.perturbations, self.objects))


class Difficulty(Told):
    """Until this share of the run is over, only these of the stories: what each names must be among data's own."""

    until: Annotated[Real, Field(gt=0, le=1)]


class Transfer(Told):
    """A row of the held-out check: stories of a kind that training never sees, or with the names that it sees."""

    name: Annotated[str, AfterValidator(row_name)]
    items: Count = 32
    names: Literal["unseen", "seen"] = "unseen"  # people, things and rooms: of the held-out split, or training's own


class Source(Section):
    """Where questions come from."""

    source: Annotated[str, Field(min_length=1)] = "stories"  # or tombench-hard, a .jsonl/.csv/.parquet file, a hub id
    config: str | None = None  # a hub dataset's configuration
    split: str = "train"
    revision: str | None = None
    columns: dict[str, str | tuple[str, ...]] = {}  # a Scenario's field: the source's column, or columns
    gold_from: Literal[0, 1] | None = None  # the number of the first option in a gold; None: 0 where that can be told
    limit: Count | None = None  # rows at most


class MixedSource(Source):
    """One of several sources, and its share of the prompts, relative to the others'."""

    source: Annotated[str, Field(min_length=1)]
    share: Positive


class Data(Source):
    """What is asked, and what is held out."""

    sources: tuple[MixedSource, ...] = ()  # several ones instead
    max_prompt_tokens: Count = 768  # longer prompts are left out: nothing truncates them later
    dimensions: Annotated[tuple[str, ...], Field(min_length=1)] = ("belief", "knowledge")
    orders: Annotated[tuple[Natural, ...], Field(min_length=1)] = (0, 1, 2)
    size: Count = 2000  # stories to generate for training
    heldout: Natural = 128  # scenarios kept from training
    heldout_source: str | None = None  # a file or hub id instead
    seed: Natural = 7
    mix: dict[str, NotNegative] = {}  # a dimension: its share; empty means equal shares
    difficulty: tuple[Difficulty, ...] | None = None
    templates: Names = Names()  # of stories; python -m socialr1_lite.stories names lists them
    perturbations: Names = Names()  # what makes the pairs; one left out happens in no story
    objects: Objects = Objects()
    transfer: tuple[Transfer, ...] = ()  # further rows of the held-out check
    twins: Literal["apart", "together"] = "apart"  # together: both of a pair in one batch, and in one optimizer step


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
    contrast: bool = False  # their cues also tell what decides a twin's answer, in the story's order
    merge: bool = False  # merge the cold start into the base, then start a fresh adapter
    lr_scheduler_type: Schedule = "linear"
    warmup_steps: Natural = 0


class Weights(Section):
    """A weight for each component; in gated mode `format` and `length` are gates and their weights idle."""

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
    weight: NotNegative = 1.0  # 0: a monitor, which is asked and logged and never paid
    settings: dict[str, Any] = {}


def somebody_is_paid(judges: tuple[JudgeEntry, ...]) -> tuple[JudgeEntry, ...]:
    """Return the judges. Raises ValueError where all are monitors: they judge nothing that is paid."""
    if judges and not any(entry.weight for entry in judges):
        raise ValueError("a judge with a weight above 0 among them (weight 0 is a monitor, logged and never paid)")
    return judges


class ContentReward(Section):
    """Settings of the content component."""

    judges: Annotated[tuple[JudgeEntry, ...], Field(min_length=1), AfterValidator(somebody_is_paid)] = (JudgeEntry(),)
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
    steps_per_generation: Count | None = None  # micro-batches sampled at once; null: one step's
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
    share_prefix: bool = False  # read the prompt of a group's completions once, in sampling and in training
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
    items_on_the_way: Count | None = None  # whole stories of the first so many; null: items, at most 64
    batch_size: Count = 32
    max_new_tokens: Count | None = None  # null: grpo.max_completion_length

    @property
    def on_the_way(self) -> int:
        """Questions of a check between two steps, at most."""
        return min(self.items, ON_THE_WAY) if self.items_on_the_way is None else self.items_on_the_way


class Logging(Section):
    """How often to log, and where to besides metrics.jsonl."""

    steps: Count = 1
    report_to: tuple[Literal["wandb", "mlflow", "tensorboard", "trackio"], ...] = ()


class Run(Section):
    """The run folder and its checkpoints."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] | None = None  # null: the recipe file's stem
    root: str = "runs"
    seed: Natural = 42
    processes: Count | None = None  # null: as many as torchrun or accelerate start, else 1
    save_steps: Count = 10
    # Two at least: while a new checkpoint is being written, the one before it is the only whole one.
    save_total_limit: Annotated[Whole, Field(ge=2)] | None = 2
    scratch: str | None = None  # a local folder where checkpoints are made before they are copied into run.root whole
    resume: Literal["auto", "never"] = "auto"
    push_to_hub: Annotated[str, AfterValidator(hub_name)] | None = None  # owner/name of a private repository
    max_hours: Positive | None = None  # of one launch: it then stops after a step, and the same command goes on
    must_fit: bool = True  # refuse to start what `plan` predicts not to fit into memory
