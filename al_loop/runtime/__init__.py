"""How work runs: jobs in subprocesses, a background thread, slots. Knows nothing of labels or models."""
