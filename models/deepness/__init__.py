"""ONNX files that the QGIS plugin Deepness and the library GeoDeep run: their metadata, and graphs of one task."""
