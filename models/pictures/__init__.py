"""Rasters as pictures for people: reduced levels, band maths, stretches and colours, class codes drawn over them."""
