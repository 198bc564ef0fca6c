"""Runs exported models with ONNX Runtime: sessions, batching, tiling, prompts. Without torch."""
