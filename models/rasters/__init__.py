"""Reading and writing rasters: windows, masks, regions, thumbnails."""
