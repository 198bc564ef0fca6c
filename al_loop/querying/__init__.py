"""Which samples an annotator gets next: strategies, rankings made ahead, the parts of a query, leases."""
