"""Webhooks at the edge: which addresses they may go to, and the HTTP requests."""
