"""What a run leaves for others: its adapter, a merged model, a GGUF file, a hub repository, a verl job, Inspect logs.

    python -m socialr1_lite.export RUN --to adapter|merged|gguf -o PATH
    python -m socialr1_lite.export RUN --to hub --repo OWNER/NAME [--private | --public]
    python -m socialr1_lite.export RECIPE --to verl -o DIR
    python -m socialr1_lite.export RUN --to inspect -o DIR

Every model must answer eight greedy prompts as the run's own policy does, or the command fails and says where.
"""
