"""Webhooks: signs what the outbox holds and has it sent until it arrives. Knows nothing of HTTP clients."""
