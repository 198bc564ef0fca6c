"""From a snapshot to batches of tensors."""
