"""Reads what clients send: JSON bodies, uploads, and the values of paths and queries."""
