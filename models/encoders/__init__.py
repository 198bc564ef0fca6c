"""Encoders with knowledge from elsewhere: shipped weights, bands by what they are, frozen features."""
