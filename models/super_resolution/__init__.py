"""Super-resolution: pairs of low and high resolution, a small network, its measures, and pictures of twice the size."""
