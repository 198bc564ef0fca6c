"""From a snapshot to batches of tensors: reading, crops, augmentation, band statistics."""
