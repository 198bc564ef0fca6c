"""What features of pixels a subprocess makes of a pool, for simulations. Knows nothing of torch."""

import msgspec

from models.card import BandPolicy

FEATURES_FILE = "features.npy"
"""(M, D) float16, of about unit length."""
PIXELS_FILE = "pixels.npy"
"""(M, 3) int64: number of the image in `PixelSpec.paths`, row, column; ordered by image."""


class PixelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Which images are described, and how."""

    paths: list[str]
    """Absolute paths of rasters."""
    scaled_by: list[int]
    """Numbers of those that features are standardised by: not the test's."""
    per_image: int
    """Random pixels of each image; those without data are left out."""
    source_bands: int
    bands: list[int]
    """1-based bands in the model's order."""
    band_policy: BandPolicy
    sensor: str | None = None
    band_names: list[str] | None = None
