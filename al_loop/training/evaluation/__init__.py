"""What a round measured: leakage, slices, reliability, mistakes, and the report of all of it."""
