"""Pairs of images of one place at low and high resolution: which files, on one grid, and as a folder."""
