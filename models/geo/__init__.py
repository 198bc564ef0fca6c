"""Where things lie on the ground: footprints, places, projections."""
