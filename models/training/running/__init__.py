"""A training while it runs: what it goes on from when it is cut off, and when it will be done."""
