"""The typed HTTP client of the service. Loads neither DuckDB, ONNX Runtime nor torch."""
