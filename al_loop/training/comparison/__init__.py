"""Models of one task each against one for all tasks."""
