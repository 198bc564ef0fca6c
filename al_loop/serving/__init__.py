"""Loaded models, predictions, suggestions."""
