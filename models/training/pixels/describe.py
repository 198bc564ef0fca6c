"""`python -m models.training.pixels.describe SPEC.json --out DIR`: features of random pixels of a pool's images.

They are what the head of pixels of a quick round sees, by the frozen shipped encoder. Leaves `features.npy` and
`pixels.npy` (`models.training.pixels.spec`); reports in `progress.jsonl`, phase "scoring".
A known failure exits with code 2 after one sentence in `DIR/error.txt`.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.pool_look import look_at_pool
from models.encoders.stages import CHANNELS
from models.errors import ModelsError, RasterError, UnusableRasterError
from models.progress import Progress
from models.rasters.bands import invalid_pixels
from models.rasters.reading import read_header, read_raster
from models.training.data.statistics import estimate_statistics
from models.training.data.stride import STRIDE_PX
from models.training.pixels.examples import fit_pixel_scaling
from models.training.pixels.head import PixelFeatures
from models.training.pixels.spec import FEATURES_FILE, PIXELS_FILE, PixelSpec

logger = logging.getLogger(__name__)

ERROR_FILE = "error.txt"
KNOWN_FAILURE = 2
WINDOW_PX = 1024
"""Larger images are described in windows of this side."""

SCALING_IMAGES = 50
SCALING_PX = 512
"""Upper left part of an image that features are standardised by."""


def main(arguments: Sequence[str]) -> int:
    """Describe the images of a spec; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.pixels.describe", description="Features of pixels."
    )
    parser.add_argument("spec", type=Path, help="spec.json, see models.training.pixels.spec")
    parser.add_argument("--out", type=Path, required=True, help="existing directory for the results")
    parser.add_argument("--supervised", action="store_true", help="ask on stdin before working, die with the parent")
    options = parser.parse_args(arguments)
    try:
        with Progress(options.out, supervised=options.supervised) as progress:
            spec = msgspec.json.decode(options.spec.read_bytes(), type=PixelSpec)
            features, pixels = describe(spec, progress)
            np.save(options.out / FEATURES_FILE, features)
            np.save(options.out / PIXELS_FILE, pixels)
    except (ModelsError, msgspec.MsgspecError, OSError) as error:
        (options.out / ERROR_FILE).write_text(f"{error}\n")
        return KNOWN_FAILURE
    return 0


def describe(spec: PixelSpec, progress: Progress) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Features (M, D) and pixels (M, 3) of all images that can be read.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: No image can be read, or the sensor contradicts the number of bands.
    """
    known = [spec.paths[number] for number in spec.scaled_by]
    look = look_at_pool(known, spec.source_bands, spec.bands, spec.sensor, spec.band_policy, spec.band_names)
    statistics = estimate_statistics(known, spec.bands, spec.band_policy)
    network = FrozenFeatures(statistics, look.kinds, eight_bit=look.eight_bit, scale=scale_for(look.side_px))
    examples = list(_scaling_images(spec, known[:: max(1, len(known) // SCALING_IMAGES)]))
    pixels = PixelFeatures(fit_pixel_scaling(network, examples), CHANNELS, network.stage_strides)
    features, places = [np.empty((0, sum(CHANNELS)), np.float16)], [np.empty((0, 3), np.int64)]
    progress.enter("scoring", total=len(spec.paths))
    for number, path in enumerate(spec.paths):
        try:
            for rows, columns, values in _sampled(network, pixels, spec, Path(path), np.random.default_rng(number)):
                features.append(values.astype(np.float16))
                places.append(np.column_stack([np.full(len(rows), number), rows, columns]))
        except (RasterError, UnusableRasterError) as error:
            logger.warning("left out: %s", error)
        progress.step(number + 1, len(spec.paths))
    return np.concatenate(features), np.concatenate(places)


def _scaling_images(spec: PixelSpec, paths: Sequence[str]) -> Iterator[NDArray[np.float32]]:
    for path in paths:
        try:
            header = read_header(Path(path), policy=spec.band_policy)
            window = 0, 0, min(header.width, SCALING_PX), min(header.height, SCALING_PX)
            yield _padded(read_raster(Path(path), spec.bands, window=window, policy=spec.band_policy))
        except (RasterError, UnusableRasterError) as error:
            logger.warning("left out of the scaling: %s", error)


def _sampled(
    network: FrozenFeatures, features: PixelFeatures, spec: PixelSpec, path: Path, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Rows, columns and features of random pixels with data, by window."""
    header = read_header(path, policy=spec.band_policy)
    size = header.width * header.height
    rows, columns = np.divmod(rng.choice(size, min(spec.per_image, size), replace=False), header.width)
    windows, window_of = np.unique(np.column_stack([rows, columns]) // WINDOW_PX, axis=0, return_inverse=True)
    for number, (top, left) in enumerate((windows * WINDOW_PX).tolist()):
        inside = np.flatnonzero(window_of.ravel() == number)
        part = left, top, min(WINDOW_PX, header.width - left), min(WINDOW_PX, header.height - top)
        image = read_raster(path, spec.bands, window=part, policy=spec.band_policy)
        inside = inside[~invalid_pixels(image)[rows[inside] - top, columns[inside] - left]]
        if not len(inside):
            continue
        with torch.inference_mode():
            stages = network.stage_maps(torch.from_numpy(_padded(image)[None]))
            places = torch.from_numpy(rows[inside] - top), torch.from_numpy(columns[inside] - left)
            yield rows[inside], columns[inside], features.at(stages, *places)


def _padded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """With NaN to multiples of the stride."""
    sides = [(0, -side % STRIDE_PX) for side in image.shape[1:]]
    return np.pad(image, ((0, 0), *sides), constant_values=np.float32(np.nan))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
