"""Compare a model whose adapter is fresh with one whose adapter was loaded, on Unsloth:

    python -m tests.policy.patched MODEL FOLDER   -> one JSON object

`fresh`, `resumed`, `asked`: the methods that each module has of its own, which is how Unsloth patches; `moved`: how many
of the adapter's weights are other than those that were saved.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.recipe import Model


def patched(policy: Policy) -> dict[str, list[str]]:
    """Return, by module, the names of methods and functions that hang on the module itself, and of Unsloth's flags."""
    found = {}
    for name, module in policy.model.named_modules():
        own = [
            f"{key} -> {getattr(value, '__name__', '')}"
            for key, value in vars(module).items()
            if isinstance(value, types.MethodType | types.FunctionType)
        ]
        own += [f"{key} = {value}" for key, value in vars(module).items() if key == "_unsloth_gradient_checkpointing"]
        if own:
            found[name] = sorted(own)
    return found


def weights(policy: Policy) -> dict[str, object]:
    return {name: one.detach().clone() for name, one in policy.model.named_parameters() if ".lora_" in name}


def main(model: str, folder: str) -> None:
    import torch

    settings = Model.model_validate(
        {"name": model, "backend": "unsloth", "gradient_checkpointing": True, "lora": {"r": 4, "alpha": 12}}
    )
    first = load_policy(settings, trainable=True, seed=5)
    with torch.no_grad():
        for name, one in first.model.named_parameters():
            if ".lora_" in name:
                one.normal_(std=0.1)
    first.save_adapter(Path(folder))
    resumed = load_policy(settings, adapter=Path(folder), trainable=True)
    asked = load_policy(settings, adapter=Path(folder))
    saved = weights(first)
    moved = [
        sum(not torch.equal(saved[name], one) for name, one in weights(policy).items()) for policy in (resumed, asked)
    ]
    trained = [sum(one.requires_grad for one in policy.model.parameters()) for policy in (first, resumed, asked)]
    result = {"fresh": patched(first), "resumed": patched(resumed), "asked": patched(asked)}
    print(json.dumps(result | {"moved": moved, "trained": trained, "weights": len(saved)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
