"""What a recipe's fields must mean together, each check with its arithmetic and the way to fix it.

A check names the sections that it looks at as its parameters and yields a (keys, message) pair for each
mistake, so that it can run as soon as those sections are well-formed, whatever is wrong elsewhere.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping

from socialr1_lite.recipe.located_yaml import Keys
from socialr1_lite.recipe.schema import Data, Evaluation, Grpo, Model, Rewards, Run, Section, Told, Warmup

Found = Iterator[tuple[Keys, str]]

MOST_STORIES = 100_000  # each takes some milliseconds to make [ours]
MOST_PROMPTS = 1_000_000  # the whole order is laid out before the first step [ours]


def cross_checks(sections: Mapping[str, Section]) -> Found:
    """Run every check whose sections are all there."""
    for check in CHECKS:
        wanted = inspect.signature(check).parameters
        if sections.keys() >= wanted.keys():
            yield from check(**{name: sections[name] for name in wanted})


def processes() -> int:
    """Return how many training processes there are: WORLD_SIZE as torchrun and accelerate set it, else 1."""
    given = os.environ.get("WORLD_SIZE", "1")
    return int(given) if given.isdecimal() and int(given) > 0 else 1


def generation_batch(grpo: Grpo, run: Run) -> int:
    """Return how many completions are sampled at once, over all processes."""
    return grpo.per_device_train_batch_size * (run.processes or processes()) * grpo.generation_steps


def started_as_written(run: Run) -> Found:
    """Refuse another number of processes: it would make other batches of the same recipe."""
    if run.processes and "WORLD_SIZE" in os.environ and run.processes != processes():
        yield ("run", "processes"), f"{run.processes} are written here and {processes()} were started"


def groups_fill_the_batch(grpo: Grpo, run: Run) -> Found:
    """Refuse a batch without whole groups, as TRL does; Unsloth changes the batch size instead."""
    size, group, batch = generation_batch(grpo, run), grpo.num_generations, grpo.per_device_train_batch_size
    if size % group:
        unit = group // math.gcd(group, size // batch)  # what every fitting batch is a multiple of
        nearest = [batch // unit * unit, (batch // unit + 1) * unit]
        yield (
            ("grpo", "num_generations"),
            f"one generation batch is per_device_train_batch_size {batch} x processes {run.processes or processes()} x "
            f"steps_per_generation {grpo.generation_steps} = {size} completions, {size / group:.2f} groups of "
            f"num_generations {group}; it must be a whole number of groups, e.g. per_device_train_batch_size "
            f"{' or '.join(str(one) for one in nearest if one)}",
        )


def saves_fall_between_generations(grpo: Grpo, run: Run) -> Found:
    """Refuse a save within a generation batch: a resume would sample it anew and shift every later batch."""
    micro_batches = run.save_steps * grpo.gradient_accumulation_steps
    block = grpo.generation_steps * grpo.num_iterations
    if micro_batches % block:
        yield (
            ("run", "save_steps"),
            f"a checkpoint falls after save_steps {run.save_steps} x gradient_accumulation_steps "
            f"{grpo.gradient_accumulation_steps} = {micro_batches} micro-batches, within a generation batch "
            f"(steps_per_generation {grpo.generation_steps} x num_iterations {grpo.num_iterations} = "
            f"{block}); a resume could not go on from there; {block} must divide the product",
        )


def lists_have_an_end(data: Data, warmup: Warmup, grpo: Grpo, run: Run) -> Found:
    """Refuse what would be made for hours, or fill the memory, before the first step."""
    step = grpo.per_device_train_batch_size * (run.processes or processes()) * grpo.gradient_accumulation_steps
    prompts = max(grpo.max_steps * step, generation_batch(grpo, run)) // grpo.num_generations
    for keys, what, amount, most in (
        (("data", "size"), "stories", data.size, MOST_STORIES),
        (("data", "heldout"), "stories", data.heldout, MOST_STORIES),
        (("data", "transfer"), "stories", sum(one.items for one in data.transfer), MOST_STORIES),
        (("warmup", "examples"), "gold replies", warmup.examples, MOST_STORIES),
        (("warmup", "steps"), "gold replies in all steps", warmup.steps * warmup.batch_size, MOST_PROMPTS),
        (("grpo", "max_steps"), "steps", grpo.max_steps, MOST_PROMPTS),
        (("grpo", "max_steps"), "prompts in all steps", prompts, MOST_PROMPTS),
    ):
        if amount > most:
            yield keys, f"{amount} {what}; allowed: {most} at most"


def texts_fit_the_model(model: Model, data: Data, grpo: Grpo) -> Found:
    """Let the longest prompt and its completion fit, since nothing truncates a prompt any more."""
    longest = data.max_prompt_tokens + grpo.max_completion_length
    if longest > model.max_seq_length:
        yield (
            ("model", "max_seq_length"),
            f"data.max_prompt_tokens {data.max_prompt_tokens} + grpo.max_completion_length "
            f"{grpo.max_completion_length} = {longest} tokens, more than max_seq_length {model.max_seq_length}",
        )


def length_window_is_reachable(rewards: Rewards, grpo: Grpo) -> Found:
    """Put the window's two edges in order, the lower one below the token limit."""
    low, high, limit = rewards.length.min_tokens, rewards.length.max_tokens, grpo.max_completion_length
    at = ("rewards", "length", "min_tokens")
    if low >= high:
        yield at, f"{low} must be below max_tokens {high}"
    if low >= limit:
        yield at, f"{low} must be below grpo.max_completion_length {limit}: no completion could be long enough"


def something_is_rewarded(rewards: Rewards) -> Found:
    """Refuse all weights at zero: every advantage would be zero."""
    gated = ("outcome", "structure", "content")
    counted = gated if rewards.mode == "gated" else ("format", *gated, "length")
    if not any(getattr(rewards.weights, name) for name in counted):
        yield (
            ("rewards", "weights"),
            f"{', '.join(counted)} are all 0, so in {rewards.mode} mode every completion earns the same; "
            "at least one must be above 0",
        )


def aggregation_suits_the_mode(rewards: Rewards) -> Found:
    """Refuse to normalise components one by one where they are not summed one by one."""
    if rewards.aggregation == "normalize_then_sum" and rewards.mode != "additive":
        yield (
            ("rewards", "aggregation"),
            "normalize_then_sum normalises each component by itself, and gated mode multiplies them into "
            "one; write rewards.mode: additive, or aggregation: sum_then_normalize",
        )


def curriculum_runs_forward(rewards: Rewards) -> Found:
    """Put the beginning of tau's ramp before its end."""
    p0, p1 = rewards.curriculum.p0, rewards.curriculum.p1
    if p0 >= p1:
        yield ("rewards", "curriculum", "p0"), f"{p0:g} must be below p1 {p1:g} (both are shares of the run)"


def sources_are_mixed_by_share(data: Data) -> Found:
    """Let each source of a mixture stand once, with its own settings, and no second mixture or source beside it."""
    if not (names := [one.source for one in data.sources]):
        return
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("data", "sources", index, "source"), f"{name} is named twice; give it one entry and one share"
    if data.source not in ("stories", *names):
        yield ("data", "source"), f"{data.source} is none of data.sources; write it there with a share, or leave it out"
    for name in ("config", "split", "revision", "columns", "limit", "mix"):
        if getattr(data, name) != Data.model_fields[name].default:
            yield ("data", name), "with data.sources it has no meaning; an entry has a share and settings of its own"


def difficulty_runs_forward(data: Data) -> Found:
    """Let stages of the curriculum end one after the other and draw on what the run is about."""
    previous = 0.0
    for index, stage in enumerate(data.difficulty or ()):
        at = ("data", "difficulty", index)
        if stage.until <= previous:
            yield (*at, "until"), f"{stage.until:g} must be above the one before ({previous:g})"
        if foreign := sorted(set(stage.orders or ()) - set(data.orders)):
            yield (*at, "orders"), f"{foreign} are not among data.orders {list(data.orders)}"
        if others := [name for name in stage.dimensions or () if name not in data.dimensions]:
            yield (*at, "dimensions"), f"{others} are not among data.dimensions {list(data.dimensions)}"
        if stage.dimensions and data.mix:
            yield (*at, "dimensions"), "with data.mix every stage asks all of the mix; leave one of the two out"
        if not (stage.orders or stage.narrows):
            yield at, "says nothing but until; it needs some of orders, dimensions, templates, perturbations, objects"
        yield from _within(data, stage, at)
        previous = stage.until


def _within(data: Data, stage: Told, at: Keys) -> Found:
    """Let a stage include only what the run does."""
    for name in ("templates", "perturbations"):
        whole, part = getattr(data, name), getattr(stage, name)
        for place, one in enumerate(part.include if part else ()):
            if (whole.include and one not in whole.include) or one in whole.exclude:
                yield (*at, name, "include", place), f"{one} is not among data.{name}"
    for name in ("places", "people", "chapters"):
        allowed, asked = getattr(data.objects, name), getattr(stage.objects, name) if stage.objects else ()
        allowed = allowed or ((1,) if name == "chapters" else ())
        if foreign := [number for number in asked if allowed and number not in allowed]:
            yield (*at, "objects", name), f"{foreign} are not among data.objects.{name} {list(allowed)}"


def transfer_is_told_apart(data: Data, evaluation: Evaluation) -> Found:
    """Let each row of the transfer have a name of its own, beside the held-out questions."""
    names = [one.name for one in data.transfer]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("data", "transfer", index, "name"), f"{name} is the name of two; give each its own"
    if names and not min(data.heldout, evaluation.items):
        yield ("data", "transfer"), "is asked beside the held-out questions, of which there are none (data.heldout)"


def stories_are_told(data: Data, warmup: Warmup) -> Found:
    """Refuse settings of generated stories where none is generated."""
    trained = {one.source for one in data.sources or (data,)}
    for index, stage in enumerate(data.difficulty or () if "stories" not in trained else ()):
        if stage.narrows:
            words = "narrows generated stories, and no source is `stories`; other questions have orders alone"
            yield ("data", "difficulty", index), words
    sources = {data.heldout_source, *trained}
    if "stories" in sources or warmup.steps or data.transfer:
        return
    for name in ("templates", "perturbations", "objects"):
        if getattr(data, name) != Data.model_fields[name].default:
            yield ("data", name), "is about generated stories, and no source is `stories`"


def twins_come_together(data: Data, warmup: Warmup, grpo: Grpo, run: Run) -> Found:
    """Let an optimizer step, and a batch of the cold start, hold whole pairs."""
    if data.twins != "together":
        return
    step = grpo.per_device_train_batch_size * (run.processes or processes()) * grpo.gradient_accumulation_steps
    if step % (2 * grpo.num_generations):
        prompts = f"{step} completions an optimizer step are {step / grpo.num_generations:g} prompts"
        words = f"together needs an even number of prompts a step; {prompts} of num_generations {grpo.num_generations}"
        yield ("data", "twins"), words
    if grpo.gradient_accumulation_steps % grpo.generation_steps:
        words = f"steps_per_generation {grpo.generation_steps} must divide gradient_accumulation_steps "
        because = f"{grpo.gradient_accumulation_steps}: one sampling for several steps parts the pairs"
        yield ("grpo", "steps_per_generation"), words + because
    if warmup.steps and warmup.batch_size % 2:
        yield ("warmup", "batch_size"), f"{warmup.batch_size} must be even with data.twins: together"


def reference_means_the_same_everywhere(model: Model, warmup: Warmup, grpo: Grpo) -> Found:
    """Refuse a reference that TRL and Unsloth choose differently: the cold start's adapter, or the bare base."""
    if warmup.steps and grpo.beta and not warmup.merge:
        yield (
            ("grpo", "beta"),
            f"after a cold start (warmup.steps {warmup.steps}) and with beta {grpo.beta:g} the KL reference "
            "would be the cold-started adapter on a CPU but the untrained base with Unsloth on a GPU; "
            "write beta: 0, or warmup.merge: true (16-bit models only)",
        )
    if warmup.steps and warmup.merge and model.load_in_4bit:
        yield (
            ("warmup", "merge"),
            "an adapter cannot be merged into a 4-bit model without loss; "
            "write model.load_in_4bit: false, or merge: false with grpo.beta: 0",
        )


def rewrites_are_written_out(grpo: Grpo) -> Found:
    """Ask for what Unsloth would change by itself on a GPU to be written out."""
    if grpo.loss_type == "dr_grpo" and grpo.scale_rewards != "none":
        yield (
            ("grpo", "scale_rewards"),
            f"{grpo.scale_rewards!r} with loss_type dr_grpo: Dr. GRPO does not divide by a group's deviation "
            "and Unsloth would force 'none' on a GPU only; write scale_rewards: none",
        )
    if grpo.loss_type == "cispo" and grpo.epsilon_high is None:
        words = "loss_type cispo needs it in writing: Unsloth would take 5.0 on a GPU, TRL epsilon on a CPU"
        yield ("grpo", "epsilon_high"), words


def warmup_has_an_effect(grpo: Grpo, warmup: Warmup) -> Found:
    """Refuse warm-up steps with the constant schedule, which ignores them."""
    remedy = "has no effect with lr_scheduler_type constant; write constant_with_warmup"
    for name, section in (("grpo", grpo), ("warmup", warmup)):
        if section.lr_scheduler_type == "constant" and section.warmup_steps:
            yield (name, "warmup_steps"), f"{section.warmup_steps} {remedy}"


def sampler_is_available(model: Model, grpo: Grpo) -> Found:
    """Let vLLM be had: Unsloth's fast inference *is* colocated vLLM; TRL's own needs the plain backend."""
    at = ("grpo", "vllm")
    if model.fast_inference and model.backend == "transformers":
        yield ("model", "fast_inference"), "is Unsloth's; write backend: auto, or fast_inference: false"
    elif model.fast_inference and grpo.vllm != "colocate":
        yield at, f"given {grpo.vllm or 'null'}; with model.fast_inference: true it must be colocate"
    elif grpo.vllm == "colocate" and not model.fast_inference and model.backend != "transformers":
        yield at, "colocate needs model.fast_inference: true (Unsloth's) or model.backend: transformers"


def heldout_is_large_enough(data: Data, evaluation: Evaluation) -> Found:
    """Refuse a check on fewer items than it says: it would be reported with the wrong n."""
    if data.heldout_source is None and evaluation.items > data.heldout:
        asked = evaluation.items
        yield ("evaluation", "items"), f"{asked} asks for more scenarios than data.heldout keeps ({data.heldout})"
    if evaluation.on_the_way > evaluation.items:
        yield ("evaluation", "items_on_the_way"), f"{evaluation.on_the_way} is more than items ({evaluation.items})"


CHECKS: tuple[Callable[..., Found], ...] = (
    started_as_written,
    groups_fill_the_batch,
    saves_fall_between_generations,
    lists_have_an_end,
    texts_fit_the_model,
    length_window_is_reachable,
    something_is_rewarded,
    aggregation_suits_the_mode,
    curriculum_runs_forward,
    sources_are_mixed_by_share,
    difficulty_runs_forward,
    transfer_is_told_apart,
    stories_are_told,
    twins_come_together,
    reference_means_the_same_everywhere,
    rewrites_are_written_out,
    warmup_has_an_effect,
    sampler_is_available,
    heldout_is_large_enough,
)
