"""For the first person with a GPU: does it all work here, and is it as was predicted.

    make gpu-check          or   python -m socialr1_lite.doctor --gpu-check [--out gpu-check.json]

Imports everything; trains for a few steps, each time in a process of its own: SmolLM2 in 4 bits, killed once and
resumed; Qwen3-0.6B and Qwen3-4B with random weights (memory and speed do not care), without and with vLLM where that is
installed. No network is needed. Compares memory and step time with `plan`, the effective settings with the recipe, the
traces with `score`. Without a GPU the first runs on the CPU, and the table says what was skipped.
"""
