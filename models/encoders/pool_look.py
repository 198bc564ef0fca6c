"""What a pool's files are like, as far as frozen features need to know."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from models.card import BandPolicy
from models.encoders.bands import band_kinds
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.rasters.files import open_file
from models.rasters.reading import RasterHeader, read_header

LOOKED_AT = 64
"""Images whose header tells the size and type of the pool."""


class PoolLook(NamedTuple):
    """What some files of a pool say of all."""

    kinds: list[str]
    """What each band that the model reads is, see `models.encoders.bands`."""
    eight_bit: bool
    """Whether values are 0 to 255."""
    side_px: int
    """Median of the longer sides."""


def look_at_pool(
    paths: Sequence[str],
    source_bands: int,
    bands: Sequence[int],
    sensor: str | None,
    policy: BandPolicy,
    names: Sequence[str] | None = None,
) -> PoolLook:
    """Look at the headers of some images; bands are named by the settings, or by what the first image says of them.

    Args:
        paths: In any order; the first `LOOKED_AT` are opened, those that cannot be are skipped.
        source_bands: Bands of the files.
        bands: 1-based bands in the model's order.
        sensor: What took them, as the campaign's settings say.
        policy: How they are read.
        names: What each band of the files is, as the campaign's settings say; wins over the sensor.

    Raises:
        TrainingDataError: No image can be read, or the settings contradict the number of bands.
    """
    headers: list[RasterHeader] = []
    descriptions: list[str | None] = []
    colours: list[str | None] = []
    for path in paths[:LOOKED_AT]:
        try:
            headers.append(read_header(Path(path), policy=policy))
            if not descriptions:
                with open_file(Path(path), Path(path).name) as dataset:
                    descriptions = list(dataset.descriptions[:source_bands])
                    colours = [colour.name for colour in dataset.colorinterp[:source_bands]]
        except (RasterError, UnusableRasterError, FileNotFoundError):
            continue
    if not headers:
        raise TrainingDataError("none of the images can be read")
    kinds = band_kinds(source_bands, sensor, descriptions, names=names, colours=colours)
    return PoolLook(
        kinds=[kinds[band - 1] for band in bands],
        eight_bit=all(header.dtype == "uint8" for header in headers),
        side_px=round(median(max(header.width, header.height) for header in headers)),
    )
