"""What the OpenAPI document needs beyond the routes: examples and upload bodies."""
