"""Large scenes: registered as grids of windows, labelled and exported as one."""
