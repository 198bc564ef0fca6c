"""Trains an encoder on images without labels (Barlow Twins), with torch."""
