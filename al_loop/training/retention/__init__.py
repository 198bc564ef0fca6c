"""What is kept of rounds, versions, scores and encoders, and the removal of the rest."""
