"""What the OpenAPI document has beyond the routes: examples and bodies of uploads."""
