"""Where images lie on the ground: footprints, locations, projections."""
