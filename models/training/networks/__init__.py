"""The network: encoder, embedding and the head of each task."""
