"""Self-supervised pretraining of an encoder."""
