"""Light linear heads on cached embeddings, refitted after each label. Without torch."""
