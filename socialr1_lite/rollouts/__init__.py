"""One completion and what it earned: the types that trainer, run folder, `score` and viewer share."""
