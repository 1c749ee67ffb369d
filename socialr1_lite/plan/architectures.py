"""What a model is made of: the published numbers of a few architectures, or those of any local config.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

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
        hidden, keys, mlp = self.hidden, (self.hidden, self.keys), (self.hidden, self.mlp)
        attention = {"q_proj": (hidden, self.queries), "k_proj": keys, "v_proj": keys, "o_proj": (self.queries, hidden)}
        return attention | {"gate_proj": mlp, "up_proj": mlp, "down_proj": mlp[::-1]}

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
# Of the same architecture's other releases.
_ENDINGS = ("-instruct", "-base", "-thinking", "-2507", "-bnb-4bit", "-unsloth")
_FAMILIES = {"llama", "mistral", "qwen2", "qwen3"}


def local_file(name: str, file: str, revision: str | None = None) -> Path | None:
    """Return a model's file where it is on this machine: in the folder of that name, or in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = Path(name) / file if Path(name).is_dir() else try_to_load_from_cache(name, file, revision=revision)
    except ValueError:  # no name that the hub could have
        return None
    return Path(cached) if isinstance(cached, str | Path) and Path(cached).is_file() else None


def find_architecture(name: str, revision: str | None = None) -> Architecture:
    """Find it by a recipe's model.name: one of the table in any release, or any with a config.json on this machine.

    Raises RecipeError when it is neither, naming what is allowed.
    """
    plain = name.rpartition("/")[2].lower().removeprefix("meta-")
    while ending := next((end for end in _ENDINGS if plain.endswith(end)), ""):
        plain = plain.removesuffix(ending)
    if plain in ARCHITECTURES and not Path(name).is_dir():
        return ARCHITECTURES[plain]
    if config := local_file(name, "config.json", revision):
        return replace(read_config(config), name=Path(name).name if Path(name).is_dir() else name)
    raise RecipeError(
        f"model.name: the sizes of {name!r} are not known here; known: {', '.join(ARCHITECTURES)}, a folder with its "
        "config.json (--config FILE), or a model in the hub's cache"
    )


def loadable_architecture(model: Model) -> Architecture:
    """Find it as `find_architecture` does; of other hub models, fetch the config as training will.

    Raises RecipeError when the sizes cannot be had.
    """
    try:
        return find_architecture(model.name, model.revision)
    except RecipeError as unknown:
        from huggingface_hub import hf_hub_download

        try:
            config = hf_hub_download(model.name, "config.json", revision=model.revision)
        except (OSError, ValueError):  # not there, or no network
            raise unknown from None
        return replace(read_config(Path(config)), name=model.name)


def read_config(path: Path) -> Architecture:
    """Read the architecture in a model's config.json. Raises RecipeError for one that is not of Llama's form."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if (kind := str(config.get("model_type"))) not in _FAMILIES:
            allowed = ", ".join(sorted(_FAMILIES))
            raise RecipeError(f"{path}: model_type {kind!r} cannot be planned; allowed: {allowed}")
        heads = int(config["num_attention_heads"])
        return Architecture(
            name=path.parent.name or kind,
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
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError(f"{path}: not a model's config.json ({type(error).__name__}: {error})") from error
