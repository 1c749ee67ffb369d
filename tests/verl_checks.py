"""What verl itself makes of an exported job. Run by verl's own Python, for verl needs an environment of its own.

    VERL_PYTHON -m tests.verl_checks FOLDER

FOLDER/ask.json: {"commands": {name: [override, …]}, "job": name, "completions": [[place, text, ended], …]}, with
the completions those of the prompts in FOLDER/cases/train.parquet. Writes FOLDER/told.json, and dumps of the
completions by verl's own writer into FOLDER/cases.
No GPU, no vLLM and no Ray cluster: composing, checking, reading, rewarding and dumping are verl's, on a CPU.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import torch
import verl
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tensordict import TensorDict
from torch.nn.utils.rnn import pad_sequence
from torchdata.stateful_dataloader import StatefulDataLoader
from verl import DataProto
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker, migrate_legacy_reward_impl
from verl.trainer.ppo.utils import create_rl_dataset, create_rl_sampler, need_critic, need_reference_policy
from verl.trainer.ppo.v1.trainer_base import PPOTrainer
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.utils.dataset.rl_dataset import collate_fn
from verl.utils.tokenizer import hf_tokenizer

ROOT = Path(verl.__file__).parent


def stand_in_for_vllm() -> None:
    """verl's check of the LoRA rank stands in a module that imports vLLM, which a CPU has not: take the check alone."""
    name, wanted = "verl.workers.rollout.vllm_rollout.utils", "get_vllm_max_lora_rank"
    source = (ROOT / "workers" / "rollout" / "vllm_rollout" / "utils.py").read_text()
    function = next(n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == wanted)
    module = types.ModuleType(name)
    module.__dict__.update(Literal=typing.Literal, get_args=typing.get_args)
    exec(compile(ast.Module([function], []), name, "exec"), module.__dict__)
    package = types.ModuleType(name.rpartition(".")[0])
    package.__path__ = []
    sys.modules |= {package.__name__: package, name: module}


def composed(overrides: list[str]) -> Any:
    """As `python -m verl.trainer.main_ppo` composes and checks its settings."""
    with initialize_config_dir(str(ROOT / "trainer" / "config"), version_base=None):
        config = compose("ppo_trainer", overrides=overrides)
    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    for section in ("actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.model", "algorithm"):
        if section != "actor_rollout_ref.model":  # that one would fetch the model
            omega_conf_to_dataclass(OmegaConf.select(config, section))
    return config


def otherwise(config: Any, overrides: list[str]) -> dict[str, list[Any]]:
    """Settings that did not come out as they were written."""
    found = {}
    for text in overrides:
        name, _, value = text.lstrip("+").partition("=")
        written, effective = OmegaConf.create({"value": None}), OmegaConf.select(config, name)
        written = OmegaConf.from_dotlist([f"value={value}"])["value"]
        if str(written) != str(effective) and written != effective:
            found[name] = [str(written), str(effective)]
    return found


def batches(config: Any, tokenizer: Any) -> dict[str, Any]:
    """The training data as verl's trainer reads it."""
    dataset = create_rl_dataset(config.data.train_files, config.data, tokenizer, None)
    loader = StatefulDataLoader(
        dataset=dataset,
        batch_size=config.data.train_batch_size,
        num_workers=0,
        drop_last=True,
        collate_fn=collate_fn,
        sampler=create_rl_sampler(config.data, dataset),
    )
    kwargs = dict(config.data.apply_chat_template_kwargs)
    lengths = [
        len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False, **kwargs))
        for row in dataset.dataframe
    ]
    return {
        "index": [[info["index"] for info in batch["extra_info"]] for batch in loader],
        "tau": [sorted({info["tau"] for info in batch["extra_info"]}) for batch in loader],
        "prompts": [message["content"] for message in dataset[0]["raw_prompt"]],
        "longest": max(lengths),
    }


def trajectories(config: Any, tokenizer: Any, cases: str, completions: list[list[Any]]) -> DataProto:
    """Real completions as verl's rollout hands them on: padded ids, and the columns of each one's prompt."""
    dataset = create_rl_dataset(cases, config.data, tokenizer, None, is_train=False)
    items = [dataset[i] for i in range(len(dataset))]
    chosen = [items[place] for place, _, _ in completions]
    prompts = [
        torch.tensor(
            tokenizer.apply_chat_template(list(item["raw_prompt"]), add_generation_prompt=True, return_dict=False)
        )
        for item in chosen
    ]
    responses = [
        torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] * ended)
        for _, text, ended in completions
    ]
    left = pad_sequence([ids.flip(0) for ids in prompts], batch_first=True, padding_value=tokenizer.pad_token_id).flip(
        1
    )
    right = pad_sequence(responses, batch_first=True, padding_value=tokenizer.pad_token_id)
    seen = pad_sequence([torch.ones_like(ids) for ids in prompts], batch_first=True).flip(1)
    made = pad_sequence([torch.ones_like(ids) for ids in responses], batch_first=True)
    batch = TensorDict(
        {"prompts": left, "responses": right, "attention_mask": torch.cat([seen, made], dim=1)}, batch_size=len(chosen)
    )
    columns = {}
    for name in ("data_source", "reward_model", "extra_info"):
        # Completions of one prompt share its dict, as rows that verl repeats do.
        columns[name] = np.fromiter((item[name] for item in chosen), dtype=object, count=len(chosen))
    return DataProto(batch=batch, non_tensor_batch=columns)


def dump(folder: Path, tokenizer: Any, data: DataProto, told: list[dict[str, Any]]) -> None:
    """By verl's own writer: what the training dump holds (no components), and what the dump of a validation holds."""
    columns = {
        "inputs": [tokenizer.decode(ids, skip_special_tokens=True) for ids in data.batch["prompts"]],
        "outputs": [tokenizer.decode(ids, skip_special_tokens=True) for ids in data.batch["responses"]],
        "gts": [item["ground_truth"] for item in data.non_tensor_batch["reward_model"]],
        "scores": [one["reward_score"] for one in told],
    }
    places = [info["index"] for info in data.non_tensor_batch["extra_info"]]
    uids = [f"prompt-{place}_{i}_0" for i, place in enumerate(places)]
    extra = {key: [one["reward_extra_info"][key] for one in told] for key in told[0]["reward_extra_info"]}
    PPOTrainer._write_generations(
        **columns, reward_extra_infos_dict={"uid": uids}, dump_path=str(folder / "rollouts"), global_steps=1
    )
    PPOTrainer._write_generations(
        **columns, reward_extra_infos_dict=extra | {"uid": uids}, dump_path=str(folder / "heldout"), global_steps=0
    )


def main() -> None:
    folder = Path(sys.argv[1])
    ask = json.loads((folder / "ask.json").read_text())
    stand_in_for_vllm()
    configs = {name: composed(overrides) for name, overrides in ask["commands"].items()}
    config = configs[ask["job"]]
    tokenizer = hf_tokenizer(config.actor_rollout_ref.model.path)
    data = trajectories(config, tokenizer, str(folder / "cases" / "train.parquet"), ask["completions"])
    worker = RewardLoopWorker(migrate_legacy_reward_impl(config))
    told = worker.loop.run_until_complete(worker.compute_score_batch(data))
    dump(folder / "cases", tokenizer, data, told)
    result = {
        "verl": verl.__version__,
        "manager": [kind.__name__ for kind in type(worker.reward_manager).__mro__],
        "otherwise": {name: otherwise(configs[name], overrides) for name, overrides in ask["commands"].items()},
        "data": batches(config, tokenizer),
        "tokens": data.batch["attention_mask"][:, data.batch["prompts"].shape[1] :].sum(dim=1).tolist(),
        "scores": told,
    }
    (folder / "told.json").write_text(json.dumps(result, default=float))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
