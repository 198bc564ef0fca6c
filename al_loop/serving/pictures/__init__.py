"""What a person or a GIS looks at: thumbnails with overlays, uncertainty rasters, the most uncertain regions."""
