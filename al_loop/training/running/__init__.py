"""The training program of a round: its files, its attempts, its limits."""
