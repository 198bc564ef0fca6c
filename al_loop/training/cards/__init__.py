"""Cards of model versions for people."""
