"""Everything that trains and measures a network with torch."""
