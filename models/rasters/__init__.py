"""Reads and writes rasters: windows, masks, regions, thumbnails, CRSs. Knows nodata and band order."""
