"""One controller a resource; each handler is one call into the loop."""
