"""Where models come from, what labels went into, and whether a round can be repeated."""
