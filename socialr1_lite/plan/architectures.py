"""What a model is made of: the published numbers of a few architectures, or those of any local config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socialr1_lite.errors import RecipeError
from socialr1_lite.policy.adapters import ALL_LINEAR, PROJECTIONS
from socialr1_lite.recipe import Model


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder of Llama's or Qwen3's form: grouped-query attention, a gated MLP, RMSNorm; sizes as config.json."""

    name: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    mlp: int
    tied: bool  # the LM head is the embedding
    head_norms: bool = False  # Qwen3 normalises each query and key head
    attention_bias: bool = False  # Qwen2 has a bias on q, k and v

    @property
    def queries(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_width

    @property
    def keys(self) -> int:
        """Width of all key heads (or value heads) together."""
        return self.kv_heads * self.head_width

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Each linear layer of one decoder layer: (inputs, outputs)."""
        return {
            "q_proj": (self.hidden, self.queries),
            "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys),
            "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.mlp),
            "up_proj": (self.hidden, self.mlp),
            "down_proj": (self.mlp, self.hidden),
        }

    @property
    def linear_parameters(self) -> int:
        """Weights of all decoder layers' linear layers: what 4-bit loading quantises."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.projections.values())

    @property
    def other_parameters(self) -> int:
        """Embedding, LM head where it is not the embedding, norms and biases."""
        norms = 2 * self.hidden + (2 * self.head_width if self.head_norms else 0)
        biases = self.queries + 2 * self.keys if self.attention_bias else 0
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return embeddings + self.layers * (norms + biases) + self.hidden

    @property
    def parameters(self) -> int:
        """All weights, the tied ones once."""
        return self.linear_parameters + self.other_parameters

    def lora_parameters(self, r: int, targets: str | tuple[str, ...]) -> int:
        """Count an adapter's weights: r x (inputs + outputs) for every adapted layer (LoRA, Hu et al. 2021).

        Raises RecipeError for a target that no decoder layer has.
        """
        return self.layers * r * sum(sum(self.projections[name]) for name in _named(targets))

    def adapted_parameters(self, targets: str | tuple[str, ...]) -> int:
        """Count the weights of all layers that an adapter changes. Raises RecipeError for an unknown target."""
        shapes = (self.projections[name] for name in _named(targets))
        return self.layers * sum(inputs * outputs for inputs, outputs in shapes)


def _named(targets: str | tuple[str, ...]) -> tuple[str, ...]:
    names = PROJECTIONS if targets == ALL_LINEAR else ((targets,) if isinstance(targets, str) else targets)
    if unknown := sorted(set(names) - set(PROJECTIONS)):
        allowed = f"allowed: all-linear or some of {', '.join(PROJECTIONS)}"
        raise RecipeError(f"model.lora.targets: {', '.join(unknown)} cannot be planned; {allowed}")
    return names


# From each model's config.json on the hub; tests/plan/test_plan.py builds every one with transformers and counts.
ARCHITECTURES: dict[str, Architecture] = {
    model.name.lower(): model
    for model in (
        Architecture("Qwen3-0.6B", 151936, 1024, 28, 16, 8, 128, 3072, tied=True, head_norms=True),
        Architecture("Qwen3-1.7B", 151936, 2048, 28, 16, 8, 128, 6144, tied=True, head_norms=True),
        Architecture("Qwen3-4B", 151936, 2560, 36, 32, 8, 128, 9728, tied=True, head_norms=True),
        Architecture("Qwen3-8B", 151936, 4096, 36, 32, 8, 128, 12288, tied=False, head_norms=True),
        Architecture("Llama-3.1-8B", 128256, 4096, 32, 32, 8, 128, 14336, tied=False),
        Architecture("SmolLM2-135M", 49152, 576, 30, 9, 3, 64, 1536, tied=True),
    )
}
_ENDINGS = ("-instruct", "-base", "-bnb-4bit", "-unsloth")  # of the same architecture's other releases
_FAMILIES = {"llama", "mistral", "qwen2", "qwen3"}


def find_architecture(name: str) -> Architecture:
    """Find it by a recipe's model.name: one of the table in any release, or a folder with a config.json.

    Raises RecipeError when it is neither, naming what is allowed.
    """
    config = Path(name) / "config.json"
    if config.is_file():
        return read_config(config)
    plain = name.rpartition("/")[2].lower().removeprefix("meta-")
    while ending := next((end for end in _ENDINGS if plain.endswith(end)), ""):
        plain = plain.removesuffix(ending)
    if plain not in ARCHITECTURES:
        raise RecipeError(
            f"model.name: the sizes of {name!r} are not known here; known: {', '.join(ARCHITECTURES)}, or a folder "
            "with its config.json (--config FILE)"
        )
    return ARCHITECTURES[plain]


def loadable_architecture(model: Model) -> Architecture:
    """Find it as `find_architecture` does; for other hub models, read the config as training will.

    Raises RecipeError when the sizes cannot be had.
    """
    try:
        return find_architecture(model.name)
    except RecipeError as unknown:
        from socialr1_lite.policy import choose_backend

        choose_backend(model.backend)  # Unsloth, where it is used, must come before transformers
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(model.name, revision=model.revision)
        except (OSError, ValueError):  # not there, no network, or a kind that transformers does not know
            raise unknown from None
        return from_config(config.to_dict(), model.name)


def read_config(path: Path) -> Architecture:
    """Read the architecture in a model's config.json. Raises RecipeError for one that is not of Llama's form."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: not a model's config.json ({type(error).__name__}: {error})") from error
    return from_config(config, path.parent.name, str(path))


def from_config(config: Mapping[str, Any], name: str, where: str = "") -> Architecture:
    """Read the architecture from a config's mapping. Raises RecipeError naming `where` for one not of Llama's form."""
    where = where or f"model.name: the config of {name}"
    kind = str(config.get("model_type"))
    if kind not in _FAMILIES:
        raise RecipeError(f"{where}: model_type {kind!r} cannot be planned; allowed: {', '.join(sorted(_FAMILIES))}")
    try:
        heads = int(config["num_attention_heads"])
        return Architecture(
            name=name or kind,
            vocabulary=int(config["vocab_size"]),
            hidden=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_width=int(config.get("head_dim") or config["hidden_size"] // heads),
            mlp=int(config["intermediate_size"]),
            tied=bool(config.get("tie_word_embeddings", False)),
            head_norms=kind == "qwen3",
            attention_bias=kind == "qwen2",
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{where}: not a model's config.json ({type(error).__name__}: {error})") from error
