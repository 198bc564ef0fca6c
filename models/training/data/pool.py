"""What the pool of a run is like."""

from models.encoders.pool_look import PoolLook, look_at_pool
from models.manifest import Manifest


def look_at(manifest: Manifest) -> PoolLook:
    """What some images of the pool say of all, see `look_at_pool`.

    Raises:
        TrainingDataError: No image can be read, or what is said of the bands contradicts their number.
    """
    return look_at_pool(
        manifest.statistics_paths, manifest.source_bands, manifest.bands, manifest.sensor, manifest.reading,
        manifest.band_names,
    )  # fmt: skip
