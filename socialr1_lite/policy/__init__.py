"""The model: the one place that meets unsloth, transformers, peft and bitsandbytes.

Heavy imports live inside functions, Unsloth always first: on a GPU it must patch the others before anyone binds
their names.
"""

from socialr1_lite.policy.backends import bfloat16_is_native, choose_backend
from socialr1_lite.policy.gpus import refuse_idle_gpus, refuse_unusable_driver
from socialr1_lite.policy.loading import add_lora, load_policy
from socialr1_lite.policy.machine import describe_machine, describe_policy
from socialr1_lite.policy.model import Policy

__all__ = [
    "Policy",
    "add_lora",
    "bfloat16_is_native",
    "choose_backend",
    "describe_machine",
    "describe_policy",
    "load_policy",
    "refuse_idle_gpus",
    "refuse_unusable_driver",
]
