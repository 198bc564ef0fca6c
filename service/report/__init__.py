"""The report of a round as one HTML file that opens without a network."""
