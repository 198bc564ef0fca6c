"""The HTTP edge: routes, command line, composition. Holds no SQL, no numpy and no business rule."""
