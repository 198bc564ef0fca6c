"""Prometheus metrics: requests as they come, and the state of the loop when it is asked for."""
