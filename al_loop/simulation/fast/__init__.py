"""Fast mode of the simulation: light heads on embeddings instead of training runs."""
