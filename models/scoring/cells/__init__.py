"""Scores and embeddings of parts of an image."""
