"""Learning curves on labelled folders (`al-loop simulate`): simulated annotator, runs, comparison, plot and table."""
