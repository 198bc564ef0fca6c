"""What promoted models answer: loading them, predictions, suggestions, pictures and outlines of clicked objects."""
