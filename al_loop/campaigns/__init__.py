"""Create a campaign, register its imagery, tell whether it is ready to train."""
