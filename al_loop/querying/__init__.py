"""Which samples an annotator gets next."""
