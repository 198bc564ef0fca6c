"""`make demo`: the whole loop against a running service, with a simulated annotator; leaves a report with pictures."""
