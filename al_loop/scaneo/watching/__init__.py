"""Notices what changed in SCANEO, with few requests."""
