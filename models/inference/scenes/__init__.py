"""Whole scenes predicted in bounded memory: tiles blended, written row by row, resumable."""
