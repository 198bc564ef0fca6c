"""Scores and embeddings of a pool of images."""
