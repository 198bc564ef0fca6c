"""The link to SCANEO: what its records mean to us. Knows nothing of HTTP: see `service.scaneo` for the calls."""
