"""Imports what the check's trainings import: python -m socialr1_lite.gpu_check.imports prints their versions."""

from __future__ import annotations

import importlib
from importlib.metadata import packages_distributions, version

from socialr1_lite import __version__
from socialr1_lite.errors import command
from socialr1_lite.policy.backends import quiet_libraries, stdout_to_stderr

# Every library that a module of the check reaches, and what Unsloth and the trainers take: Unsloth patches the others,
# so it comes first; a name after a colon is one that a library loads only when it is asked for.
IMPORTS = (
    *("torch", "unsloth:FastLanguageModel", "unsloth_zoo", "trl:GRPOTrainer", "trl:SFTTrainer", "peft:PeftModel"),
    *("transformers:AutoModelForCausalLM", "transformers.models.qwen3:Qwen3ForCausalLM"),
    *("transformers.models.llama:LlamaForCausalLM", "transformers:BitsAndBytesConfig", "accelerate:PartialState"),
    *("bitsandbytes", "datasets:Dataset", "tokenizers.trainers", "safetensors.torch", "huggingface_hub:HfApi"),
    *("triton.language", "cut_cross_entropy", "pyarrow.parquet", "pandas", "numpy", "psutil", "orjson", "pydantic"),
    *("pydantic_core", "rich.console", "yaml", "packaging.requirements", "socialr1_lite.training.session"),
)


def main() -> None:
    """Import everything, in order, and print the versions by library; whatever else is said goes to stderr."""
    quiet_libraries()
    owners = packages_distributions()
    found: dict[str, str] = {}
    with stdout_to_stderr():
        for wanted in IMPORTS:
            module, _, name = wanted.partition(":")
            getattr(importlib.import_module(module), name or "__name__")
            library = module.partition(".")[0]
            found[library] = next(map(version, owners.get(library, ())), __version__)
    print(", ".join(f"{library} {number}" for library, number in found.items()))


if __name__ == "__main__":
    command(main)
