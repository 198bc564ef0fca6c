"""Scores and embeddings of the cells of an image, for segmentation."""
