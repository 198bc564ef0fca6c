"""Trains, calibrates, evaluates and exports a network; the only room, with `pretraining`, that imports torch."""
