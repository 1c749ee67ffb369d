"""Unsloth's CUDA code, run on a CPU. What this instrument can show and what it cannot: docs/gpu.md."""

# Triton interprets its kernels, and nothing is compiled for a card that is not there.
ENVIRONMENT = {
    "TRITON_INTERPRET": "1",
    "UNSLOTH_ALLOW_CPU": "1",
    "UNSLOTH_COMPILE_DISABLE": "1",
    "TORCHDYNAMO_DISABLE": "1",
}
