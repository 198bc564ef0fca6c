"""Models from elsewhere: ONNX files of others, put between our own input and outputs. Knows nothing of torch."""
