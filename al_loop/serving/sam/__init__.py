"""From clicked points to the outline of the thing that was clicked."""
