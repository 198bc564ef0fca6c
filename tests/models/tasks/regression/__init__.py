"""A third task, as small as one can be: how much of something is in this image? See docs/adding-a-task.md."""
