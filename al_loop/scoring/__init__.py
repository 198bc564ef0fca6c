"""Scores of the pool: score runs, light heads, and which scores rank now."""
