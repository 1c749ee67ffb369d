"""The one door to unsloth, transformers, peft and bitsandbytes."""

from socialr1_lite.policy.model import (
    Generation,
    Message,
    Policy,
    add_lora,
    bfloat16_is_native,
    choose_backend,
    describe_machine,
    load_policy,
)

__all__ = [
    "Generation",
    "Message",
    "Policy",
    "add_lora",
    "bfloat16_is_native",
    "choose_backend",
    "describe_machine",
    "load_policy",
]
