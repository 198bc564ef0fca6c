"""Exports for labelling tools: CVAT and Label Studio."""
