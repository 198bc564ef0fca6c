"""What SCANEO (release 2025.12.10) stores, field by field as it answers. Times are naive, in SCANEO's own time zone.

Fields that SCANEO adds later are ignored.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

Bounds = tuple[float, float, float, float]
Corner = tuple[float, float]
"""(latitude, longitude), EPSG:4326."""

MARK = "asked point"
"""Label of the boxes around points that a batch asks about, in the batch's campaign only; it is no class."""

Colour = str
"""`#rrggbb`."""

OutputIndices = dict[str, int]
"""Output of a model for each label name; classification counts from 0, segmentation from 1 (0 is background)."""


class ScaneoCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of images under one name."""

    id: str
    name: str
    description: str = ""
    path: str | None = None
    """Folder in SCANEO's file system, as it was given; None: an EOTDL campaign."""
    eotdl_dataset: str | None = msgspec.field(name="eotdlDatasetId", default=None)
    """Id of the data set that an EOTDL campaign is of; its images are named by their paths in it."""
    image_count: int = 0
    annotation_count: int = 0
    """Drifts when several annotate at once: a signal, no number to rely on."""
    updated_at: datetime = msgspec.field(name="updatedAt")
    """Moves when annotations are made or deleted; not when a box is edited or a class is set again."""


class ScaneoImage(msgspec.Struct, frozen=True, kw_only=True):
    """One raster of a campaign."""

    id: int
    """Unique over all campaigns, never used again."""
    path: str
    """Relative to the campaign's folder, with `/`."""
    campaign_id: str
    bbox: Bounds
    """West, south, east, north of the reprojected footprint's envelope, EPSG:4326."""


class ScaneoLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A class that annotators can give."""

    id: str
    name: str
    color: Colour


class ScaneoModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model by URL; models belong to no campaign."""

    id: str
    name: str
    url: str
    task: str
    description: str = ""
    created_at: datetime = msgspec.field(name="createdAt")


class ScaneoMapping(msgspec.Struct, frozen=True, kw_only=True):
    """Which output of a model stands for which label of a campaign."""

    model_id: str = msgspec.field(name="modelId")
    label_id: str = msgspec.field(name="labelId")
    output_index: int


class ScaneoAnnotation(msgspec.Struct, frozen=True, kw_only=True):
    """One answer about one image. `value` names a label, which need not exist."""

    id: str
    type: Literal["classification", "detection", "segmentation", "points"]
    value: str
    image_id: int
    bb: list[Corner] | None = None
    """Two opposite corners in any order; detection only."""
    layer_data: Any = None
    """A GeoJSON Feature with a MultiPolygon, EPSG:4326, or whatever was posted; segmentation only."""
    points: list[Corner] | None = None
    created_at: datetime = msgspec.field(name="createdAt")
    updated_at: datetime = msgspec.field(name="updatedAt")

    @property
    def is_untouched_mask(self) -> bool:
        """Whether this is a model's mask as SCANEO wrote it: a person's stroke drops the `crs` and the properties."""
        return self.type == "segmentation" and isinstance(self.layer_data, dict) and "crs" in self.layer_data
