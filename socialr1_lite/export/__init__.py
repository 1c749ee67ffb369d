"""What a run leaves for others: its adapter, a merged model, a GGUF file, a hub repository, or a verl job.

    python -m socialr1_lite.export RUN --to adapter|merged|gguf -o PATH
    python -m socialr1_lite.export RUN --to hub --repo OWNER/NAME [--private | --public]
    python -m socialr1_lite.export RECIPE --to verl -o DIR

Every artefact must answer eight greedy prompts as the run's own policy does, or the command fails and says where.
"""
