"""Whether a candidate may serve: what is asked of it, the decision, and who has the last word."""
