"""Which bands of a file are data and which one is alpha: one policy for all files of a campaign.

GDAL reports an alpha band where the file declares one (TIFF by its `ExtraSamples` tag). Only one kind is uncertain:
GDAL itself writes that tag into every 8-bit TIFF of four bands unless it is told otherwise, near infrared or not.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.windows import Window

from models.card import BandPolicy
from models.errors import UnusableRasterError

RGB_BANDS = 3
DATA_SHARE = 0.1
"""A fourth band with a larger share of textured pixels holds data: alpha is 0, 255 or a smooth ramp, but for edges."""

_PROBE_PX = 64
"""Side of the windows that are looked at."""
_TEXTURE = 3
"""Second difference along a row from which a value between 0 and 255 counts as texture; a ramp has 1 by rounding."""
_MOST_NAMED = 6

AS_DECLARED = BandPolicy()
"""Each file by itself, as GDAL says."""


class BandLayout(NamedTuple):
    """What the bands of one file are under a policy."""

    data_bands: int
    """Bands with data, after expansion."""
    alpha: bool
    """Whether the last stored band is alpha."""
    expanded: Literal["grey", "palette"] | None = None
    """What its single band becomes red, green and blue from."""

    @property
    def remark(self) -> str | None:
        """What a person is told of it; None: nothing unusual."""
        if self.expanded is None:
            return None
        how = "by its colour table" if self.expanded == "palette" else "in all three"
        return f"its one {self.expanded} band is read as red, green and blue, {how}"


def layout_of(dataset: DatasetReader, policy: BandPolicy) -> BandLayout:
    """What the bands of an open dataset are; no pixel is read."""
    alpha = _has_alpha(dataset, policy)
    count = dataset.count - alpha
    expanded = _expansion(dataset, policy, count)
    return BandLayout(count if expanded is None else RGB_BANDS, alpha, expanded)


def _has_alpha(dataset: DatasetReader, policy: BandPolicy) -> bool:
    if policy.alpha == "none" or dataset.count < 2:
        return False
    fits = policy.source_bands == dataset.count
    if policy.alpha == "last" and not fits:
        return True
    return declares_alpha(dataset) and not (fits and is_default_tag(dataset))


def declares_alpha(dataset: DatasetReader) -> bool:
    """Whether the file says that its last band is alpha."""
    return bool(dataset.count > 1 and dataset.colorinterp[-1] == ColorInterp.alpha)


def is_default_tag(dataset: DatasetReader) -> bool:
    """Whether an alpha band may be declared only because GDAL does so for 8-bit TIFFs of four bands by default."""
    return bool(dataset.driver == "GTiff" and dataset.count == RGB_BANDS + 1 and dataset.dtypes[0] == "uint8")


def _expansion(dataset: DatasetReader, policy: BandPolicy, count: int) -> Literal["grey", "palette"] | None:
    if not policy.expand or count != 1 or policy.source_bands != RGB_BANDS or dataset.dtypes[0] != "uint8":
        return None
    first = dataset.colorinterp[0]
    if first == ColorInterp.palette:
        return "palette"
    if first == ColorInterp.gray and "NBITS" not in dataset.tags(1, ns="IMAGE_STRUCTURE"):
        return "grey"
    return None


def expand(
    raw: NDArray[Any], invalid: NDArray[np.bool_], layout: BandLayout, palette: NDArray[np.uint8] | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Red, green and blue of a single band.

    Args:
        raw: Shape (1, H, W), as stored.
        invalid: Broadcastable to it.
        layout: Of the file, with `expanded`.
        palette: From `palette_of`, for a palette band.

    Returns:
        Shape (3, H, W), and where it is invalid; transparent entries of the palette are.
    """
    if palette is None or layout.expanded == "grey":
        return np.repeat(raw[:1], RGB_BANDS, axis=0), invalid
    colours = np.moveaxis(palette[raw[0]], -1, 0)
    return colours[:RGB_BANDS], invalid | (colours[RGB_BANDS:] == 0)


def palette_of(dataset: DatasetReader, layout: BandLayout) -> NDArray[np.uint8] | None:
    """Colour table, (256, 4) uint8 red, green, blue, alpha; entries that it lacks are transparent. None: not needed."""
    if layout.expanded != "palette":
        return None
    table = np.zeros((256, 4), np.uint8)
    for code, colour in dataset.colormap(1).items():
        if code < len(table):
            table[code] = colour
    return table


def invalid_pixels(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels without data, (..., H, W) of values (..., C, H, W): NaN in every band.

    The one rule for all of training, serving, scores and pictures. What makes a value NaN is `BandPolicy`'s matter; a
    pixel that is NaN in some bands only is valid, and what it lacks is the band's mean to a model.
    """
    invalid: NDArray[np.bool_] = np.logical_and.reduce(np.isnan(values), axis=-3)
    return invalid


def filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values (C, H, W) in which valid pixels have all bands: a missing one gets the band's mean, 0 without any."""
    missing = np.isnan(values)
    partly = missing & ~np.logical_and.reduce(missing, axis=0)
    if not partly.any():
        return values
    counts = np.maximum((~missing).sum(axis=(1, 2)), 1)
    means = np.where(missing, np.float32(0), values).sum(axis=(1, 2), dtype=np.float64) / counts
    return np.where(partly, means[:, None, None].astype(np.float32), values)


def data_share(dataset: DatasetReader) -> float:
    """Share of textured pixels in the last band, 0 to 1, over up to nine windows; see `DATA_SHARE`."""
    textured = pixels = 0
    for row in _probe_offsets(dataset.height):
        for column in _probe_offsets(dataset.width):
            size = Window(column, row, min(_PROBE_PX, dataset.width), min(_PROBE_PX, dataset.height))
            values = dataset.read(dataset.count, window=size).astype(np.int32)
            between = (values > 0) & (values < 255)
            if values.shape[1] > 2:
                bends = np.abs(values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]) >= _TEXTURE
                between = between[:, 1:-1] & bends
            textured += int(np.count_nonzero(between))
            pixels += between.size
    return textured / pixels


def _probe_offsets(length: int) -> list[int]:
    return sorted({0, max(0, length - _PROBE_PX) // 2, max(0, length - _PROBE_PX)})


def describe_bands(dataset: DatasetReader) -> str:
    """The bands as GDAL shows them, such as "4 bands of uint8 (red, green, blue, alpha by its ExtraSamples tag)"."""
    names = [colour.name.replace("gray", "grey") for colour in dataset.colorinterp]
    if names[-1] == "alpha" and dataset.driver == "GTiff":
        names[-1] = "alpha by its ExtraSamples tag"
    if len(names) > _MOST_NAMED:
        names = [*names[: _MOST_NAMED - 2], "..", names[-1]]
    bits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    depth = "" if bits is None else f" with {bits} bits"
    plural = "band" if dataset.count == 1 else "bands"
    return f"{dataset.count} {plural} of {dataset.dtypes[0]}{depth} ({', '.join(names)})"


def check_bands(bands: Sequence[int], band_count: int, name: str) -> None:
    """Refuse 1-based band numbers that do not exist, and an empty choice."""
    if not bands:
        raise UnusableRasterError(name, "no band was asked for")
    wrong = [band for band in bands if not 1 <= band <= band_count]
    if wrong:
        raise UnusableRasterError(name, f"there is no band {wrong[0]}; it has {band_count} (the first is 1)")
