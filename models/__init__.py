"""Arrays and files: read imagery, train, export, register and run models.

Knows nothing of HTTP, DuckDB, campaigns' rules or annotators.
"""
