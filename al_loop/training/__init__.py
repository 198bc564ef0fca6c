"""Snapshot, training run, gate; pretraining; when to retrain."""
