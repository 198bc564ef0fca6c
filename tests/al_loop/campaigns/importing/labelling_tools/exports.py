"""Small exports of labelling tools, made up: images of 10 x 8 px and what was drawn in them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.importing import ImportPlan
from tests.al_loop.campaigns.importing.fixtures import write_raster

WIDTH, HEIGHT = 10, 8


def pack(mask: NDArray[np.bool_], literal: int = 0) -> list[int]:
    """A mask as Label Studio's brush stores it; `literal` words in a row are written as they are now and then."""
    words = np.repeat(mask.ravel(), 4).astype(int) * 255
    bits = f"{len(words):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    at, turn = 0, 0
    while at < len(words):
        turn += 1
        if literal and turn % 2:
            run = words[at : at + literal]
            bits += f"0{1:02b}{len(run) - 1:04b}" + "".join(f"{word:08b}" for word in run)
        else:
            same = np.flatnonzero(words[at:] != words[at])
            run = words[at : at + (same[0] if len(same) else len(words))]
            bits += f"1{3:02b}{len(run) - 1:016b}{run[0]:08b}"
        at += len(run)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def cvat(
    root: Path, labels: tuple[str, ...] = (), rest: str = "", size: tuple[int, int] = (10, 8), **images: str
) -> Path:
    """CVAT for images 1.1: image name -> its elements."""
    listed = "".join(f"<label><name>{name}</name></label>" for name in labels)
    inner = ""
    for number, (name, elements) in enumerate(images.items()):
        write_raster(root / f"images/{name}.png")
        inner += f'<image id="{number}" name="{name}.png" width="{size[0]}" height="{size[1]}">{elements}</image>'
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
        f"<meta><task><labels>{listed}</labels></task></meta>{inner}{rest}</annotations>"
    )
    return root


def result(kind: str, label: str | None = "field", **value: Any) -> dict[str, Any]:
    """One region or choice of Label Studio."""
    members = value if label is None else {**value, kind: [label]}
    return {"id": "r", "type": kind, "original_width": WIDTH, "original_height": HEIGHT, "value": members}


def task(name: str, *results: dict[str, Any], **annotation: Any) -> dict[str, Any]:
    """A task of Label Studio with one annotation, its image uploaded."""
    listed = [{"id": 1, "was_cancelled": False, "result": list(results), **annotation}]
    return {"id": 7, "data": {"image": f"/data/upload/3/0a1b2c3d-{name}.png"}, "annotations": listed, "predictions": []}


def label_studio(root: Path, *tasks: dict[str, Any], images: tuple[str, ...] = ("a", "b")) -> Path:
    """Images and the export beside them."""
    for name in images:
        write_raster(root / f"images/{name}.png")
    (root / "project-1.json").write_text(json.dumps(list(tasks)))
    return root


def drawn(plan: ImportPlan) -> dict[str, Any]:
    """Image -> what its labels say: classes, or class and geometry of each feature."""
    found: dict[str, Any] = {}
    for label in plan.labels():
        assert label.path is not None
        key = f"{label.path.rpartition('/')[2]}:{label.task}"
        if label.classes is not None:
            found[key] = label.classes
        else:
            assert label.features is not None
            assert label.crs == "pixel"
            found[key] = [(f["properties"]["label"], f["geometry"]) for f in label.features["features"]]
    return found


def ring(*corners: tuple[float, float]) -> dict[str, Any]:
    """A polygon of the corners, closed."""
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in (*corners, corners[0])]]}
