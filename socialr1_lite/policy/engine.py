"""The vLLM engine of a training, where it has one: held-out checks and Unsloth's preflight are sampled by it too.

Unsloth's shares the weights and is there from the loading on; each request brings the adapter. TRL's is made with the
trainer, which hands it the weights of each step. Neither has been run on a GPU yet.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from trl import GRPOTrainer

Ids = list[list[int]]  # a text each
Sampling = dict[str, float]  # vLLM's max_tokens, temperature (0: greedy), top_p, top_k (-1: all)
Engine = Callable[["PreTrainedModel", Ids, Sampling, int], Ids]  # model, prompts, sampling, seed -> completions


def unsloth_engine(model: PreTrainedModel, prompts: Ids, sampling: Sampling, seed: int) -> Ids:
    """Ask `model.fast_generate` with the adapter as it is now, as Unsloth's GRPO trainer does; before there is one."""
    from vllm import SamplingParams

    # Its configuration is written there, the weights come from the model.
    folder = Path(tempfile.gettempdir()) / f"socialr1_lite-adapter-{os.getpid()}"
    made = model.fast_generate(
        [{"prompt_token_ids": ids} for ids in prompts],
        # A seed each: the completions of a group would be alike.
        sampling_params=[SamplingParams(**sampling, seed=seed + place) for place in range(len(prompts))],
        use_tqdm=False,
        lora_request=model.load_lora(str(folder), load_tensors=True),
    )
    return [list(one.outputs[0].token_ids) for one in made]


def trainer_engine(trainer: GRPOTrainer) -> Engine:
    """Return the trainer's own way to its engine, colocated or a server: it cares for weights, adapter and sleep.

    A server gathers the prompts of all processes, which must ask together and as many each.
    """

    def sample(_: PreTrainedModel, prompts: Ids, sampling: Sampling, __: int) -> Ids:
        import torch

        generation = trainer.vllm_generation
        if trainer.state.global_step != trainer._last_loaded_step:  # as GRPOTrainer._generate_single_turn does
            with torch.no_grad():
                generation.sync_weights()
            trainer._last_loaded_step = trainer.state.global_step
        wanted = {"max_completion_length": sampling["max_tokens"], "min_p": None, "repetition_penalty": 1.0}
        wanted |= {name: sampling[name] for name in ("temperature", "top_p", "top_k")}
        usual = {name: getattr(generation, name) for name in wanted}
        vars(generation).update(wanted)
        try:
            return list(map(list, generation.generate(prompts=prompts, images=None, num_generations=1)[1]))
        finally:
            vars(generation).update(usual)

    return sample
