"""Run an exported model: sessions, batching, prompts. Without torch."""
