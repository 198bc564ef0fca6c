"""Labels of a plan as pixels."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

from al_loop.campaigns.importing import ImportPlan
from models.card import IGNORE
from models.rasters.masks import polygons_to_codes
from models.rasters.reading import read_header


def painted(plan: ImportPlan) -> dict[str, NDArray[np.uint8]]:
    """Image -> codes of shape (H, W)."""
    classes, found = plan.tasks[0].classes, {}
    for label in plan.labels():
        assert label.path is not None
        assert label.features is not None
        polygons = [
            (
                IGNORE if entry["properties"]["label"] is None else classes.index(entry["properties"]["label"]) + 1,
                shapely.to_wkb(shape(entry["geometry"])),
            )
            for entry in label.features["features"]
        ]
        header = read_header(plan.root / label.path)
        found[label.path] = polygons_to_codes(polygons, header.height, header.width)
    return found
