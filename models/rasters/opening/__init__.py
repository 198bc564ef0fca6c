"""What is looked at before GDAL sees a file: directories, end, files beside it; and the net for GDAL's errors."""
