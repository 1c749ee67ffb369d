"""The parts of benchmarks/ablation.py: what a run came to, the table over all runs, its figures, its power."""
