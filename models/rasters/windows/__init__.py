"""Windows of large rasters: how they are named, how a scene is cut into them, and how they are read."""
