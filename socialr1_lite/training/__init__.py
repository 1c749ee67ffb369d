"""From a recipe to an adapter: cold start, preflight, GRPO, held-out checks, reward models."""
