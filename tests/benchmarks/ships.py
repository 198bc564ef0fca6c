"""Chips of Sentinel-2 with one labelled ship each, by place, and the recipe of the tutorials to compare with."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import shapely
import torch
from numpy.typing import NDArray
from scipy import ndimage
from shapely.affinity import affine_transform
from torch import nn

NIR = 7
"""Index of the near infrared band, in which water is black."""

RECIPE_SCALE = 4000.0
RECIPE_RATE = 1e-3
LEAST_MASK_PX = 2
"""Smaller components of a mask are no box."""


class Ship(NamedTuple):
    """One chip."""

    path: Path
    image: NDArray[np.float32]
    """(12, H, W), values as stored."""
    box: NDArray[np.float64]
    """Left, top, right, bottom in pixels."""
    polygon: shapely.Geometry
    """In pixels."""
    place: int
    """Chips that share ground have the same."""


def read_ships(folder: Path) -> list[Ship]:
    """All chips; those that overlap, directly or by others, are one place."""
    ships: list[Ship] = []
    frames = []
    for path in sorted(folder.glob("*.tif")):
        features = json.loads(path.with_suffix(".geojson").read_text())["features"]
        with rasterio.open(path) as source:
            image = source.read().astype(np.float32)
            to_pixels = ~source.transform
            frames.append(shapely.box(*source.bounds))
        by_task = {entry["properties"]["task"]: shapely.geometry.shape(entry["geometry"]) for entry in features}
        matrix = [to_pixels.a, to_pixels.b, to_pixels.d, to_pixels.e, to_pixels.c, to_pixels.f]
        box, polygon = (affine_transform(by_task[task], matrix) for task in ("detection", "segmentation"))
        ships.append(Ship(path, image, np.array(box.bounds), polygon, -1))
    places = np.arange(len(ships))
    for one, other in shapely.STRtree(frames).query(frames, predicate="intersects").T.tolist():
        places[places == places[one]] = places[other]
    return [ship._replace(place=int(place)) for ship, place in zip(ships, places, strict=True)]


def folds_by_place(ships: list[Ship], folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of each chip; places stay together and folds are about equally large."""
    rng = np.random.default_rng(seed)
    places, sizes = np.unique([ship.place for ship in ships], return_counts=True)
    filled, fold_of = np.zeros(folds), {}
    for row in rng.permutation(len(places)).tolist():
        fold = int(filled.argmin())
        fold_of[int(places[row])] = fold
        filled[fold] += sizes[row]
    return np.array([fold_of[ship.place] for ship in ships])


def train_recipe(ships: list[Ship], encoder: str, seconds: float, seed: int) -> nn.Module:
    """The tutorials' segmenter: smp U-Net, BCE, Adam, batches of 8, values divided by 4,000.

    It starts from random weights, since none can be fetched here, and trains for as much processor time as it is given.
    """
    import segmentation_models_pytorch as smp
    from rasterio.features import rasterize

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = smp.Unet(encoder, encoder_weights=None, in_channels=len(ships[0].image), classes=1)
    images = torch.from_numpy(np.stack([ship.image for ship in ships]) / RECIPE_SCALE)
    drawn = [rasterize([ship.polygon], ship.image.shape[1:], all_touched=True) for ship in ships]
    masks = torch.from_numpy(np.stack(drawn).astype(np.float32))
    optimizer = torch.optim.Adam(network.parameters(), RECIPE_RATE)
    started, order = time.process_time(), list[int]()
    network.train()
    while time.process_time() - started < seconds:
        if len(order) < 8:
            order += rng.permutation(len(ships)).tolist()
        batch, order = order[:8], order[8:]
        loss = nn.functional.binary_cross_entropy_with_logits(network(images[batch])[:, 0], masks[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def recipe_boxes(network: nn.Module, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Connected components of the mask as boxes (m, 6), scored by their highest probability."""
    with torch.inference_mode():
        likely = network(torch.from_numpy(image[None] / RECIPE_SCALE))[0, 0].sigmoid().numpy()
    rows = []
    for least in (0.5, 0.1):  # a mask that is empty at one half still has a best place
        labels, _ = ndimage.label(likely >= least)
        for number, found in enumerate(ndimage.find_objects(labels), start=1):
            inside = labels[found] == number
            if inside.sum() >= LEAST_MASK_PX:
                down, across = found
                score = float(likely[found][inside].max())
                rows.append([across.start, down.start, across.stop, down.stop, score, 0])
        if rows:
            break
    return np.array(rows, np.float32).reshape(-1, 6)


def brightest(image: NDArray[np.float32]) -> tuple[float, float]:
    """Column and row of the brightest pixel in the near infrared, smoothed a little."""
    row, column = np.unravel_index(ndimage.gaussian_filter(image[NIR], 1).argmax(), image.shape[1:])
    return float(column) + 0.5, float(row) + 0.5
