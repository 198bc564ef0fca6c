"""Generated satellite scenes with known land cover, for tests, the demo and the tutorial."""
