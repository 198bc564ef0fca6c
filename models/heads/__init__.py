"""Light linear heads on cached embeddings."""
