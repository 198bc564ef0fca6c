"""Generated scenes with labels."""
