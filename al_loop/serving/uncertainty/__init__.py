"""Where a model is unsure about an image: maps, rasters for a GIS, the most uncertain regions."""
