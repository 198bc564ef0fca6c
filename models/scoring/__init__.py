"""Scores and embeddings of a pool of images: computed in a subprocess, kept in files, read back. Without torch."""
