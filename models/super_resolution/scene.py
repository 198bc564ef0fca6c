"""Super-resolve a whole scene into a COG whose metadata say that it is synthetic."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from rasterio.transform import Affine

from models.errors import SuperResolutionError, UnusableRasterError
from models.files import STAGING_PREFIX, sync_directory
from models.inference.scenes.reading import check_unchanged, tiles_ahead
from models.rasters.cogs import open_cog
from models.rasters.opening.sidecars import stamp
from models.rasters.reading import read_header
from models.rasters.tiling import Tile
from models.super_resolution.resolver import SuperResolver

SYNTHETIC_TAG = "SYNTHETIC"


class ResolvedScene(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    file: str
    version: str
    factor: int
    width: int
    height: int
    """Of the written file."""
    tiles: int
    seconds: float
    synthetic: bool = True


def synthetic_words(version: str, factor: int) -> str:
    """What every picture and file of a model says of itself."""
    return f"super-resolved {factor}x by {version}: synthetic, not a measurement"


def resolve_scene(
    resolver: SuperResolver,
    scene: Path,
    out: Path,
    *,
    report: Callable[[int, int], object] = lambda done, total: None,
) -> ResolvedScene:
    """Write a scene with `factor` times as many rows and columns: float32, NaN where invalid, tagged as synthetic.

    Memory is that of a few tiles.

    Args:
        resolver: The model.
        scene: A raster of the bands that the model was trained on.
        out: GeoTIFF to write; replaced if it exists, once all of it is there.
        report: Called with tiles done and tiles in all.

    Raises:
        RasterError: The scene cannot be read.
        UnusableRasterError: Other bands, no valid pixel, or values that the model cannot digest.
        SuperResolutionError: It would overwrite the scene.
        SceneError: The scene was changed while it was read.
        OSError: No room.
    """
    began, card = time.monotonic(), resolver.card
    if out.exists() and out.resolve() == scene.resolve():
        raise SuperResolutionError(f"{out} is the scene itself; choose another file")
    header = read_header(scene, scene.name, policy=card.reading)
    resolver.check_bands(header.band_count, scene.name)
    if header.crs is not None and header.transform is not None:
        transform = list(Affine(*header.transform) @ Affine.scale(1 / card.factor))[:6]
    else:
        transform = None
    before = stamp(scene)
    plan = [Tile(seen, own) for seen, own in resolver.plan(header.height, header.width)]
    words = synthetic_words(card.version, card.factor)
    tags = {
        SYNTHETIC_TAG: "YES", "SYNTHETIC_METHOD": words, "MODEL_VERSION": card.version, "SCENE": scene.name,
        "IMAGEDESCRIPTION": words,
    }  # fmt: skip
    staging = out.with_name(f"{STAGING_PREFIX}{out.name}")
    staging.unlink(missing_ok=True)
    size = header.height * card.factor, header.width * card.factor
    names = [f"band {band}, synthetic" for band in card.bands]
    done = 0
    try:
        with (
            tiles_ahead(scene, scene.name, card.bands, card.reading, plan) as given,
            open_cog(
                staging, *size, crs=header.crs, transform=transform, description=names, unit="", tags=tags
            ) as writer,
        ):
            answered = False
            for tile in resolver.tiles(header.height, header.width, _counted(given, report, len(plan))):
                check_unchanged(scene, scene.name, before)
                writer.write(tile.window, tile.values)
                answered, done = True, done + 1
            if not answered:
                raise UnusableRasterError(scene.name, "every pixel is nodata")
        staging.replace(out)
    finally:
        staging.unlink(missing_ok=True)
    sync_directory(out.parent)
    return ResolvedScene(
        file=str(out), version=card.version, factor=card.factor, width=size[1], height=size[0], tiles=done,
        seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip


def _counted(
    given: Callable[..., "np.ndarray"], report: Callable[[int, int], object], total: int
) -> Callable[..., "np.ndarray"]:
    """`given`, which also reports how many tiles were asked for."""
    count = 0

    def read(window: object) -> "np.ndarray":
        nonlocal count
        values = given(window)
        report(count, total)
        count += 1
        return values

    return read
