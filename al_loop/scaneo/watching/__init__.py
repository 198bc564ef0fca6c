"""Notice what changed in SCANEO with few requests."""
