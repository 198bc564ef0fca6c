"""A campaign: its tasks, settings and retrain policy, and the request that creates one."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from al_loop.domain.line_widths import LineSettings
from al_loop.domain.queries import QueryUnit
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.round_limits import RoundLimits
from al_loop.domain.samples import RemarkedPath, SampleId, SkippedPath
from al_loop_records.model_card import (
    Alpha,
    BandPolicy,
    ModelCard,
    ModelConfig,
    Nodata,
    TaskName,
    TaskSpec,
    TrainConfig,
    Unlabelled,
)

Pattern = Annotated[str, msgspec.Meta(max_length=1_000)]
PathText = Annotated[str, msgspec.Meta(max_length=4_096)]
"""A path as long as file systems take it."""
ShortText = Annotated[str, msgspec.Meta(max_length=200)]


class ReserveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the test reserve is drawn, once, before the first query; never trained on."""

    share: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.2
    minimum: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 30
    """Samples drawn at least, as long as half of all samples are left to the pool."""
    block_by: Literal["auto", "place", "folder", "sample"] = "auto"
    """auto: place for samples with a CRS, else sample (each stands alone)."""
    block_m: Annotated[float, msgspec.Meta(ge=0.01, le=2.1e7)] | None = None
    """Side of a spatial block in metres; None: four times the median footprint."""
    group_pattern: Pattern | None = None
    """Regular expression (RE2) on the path; its first group names the block (wins over `block_by`)."""
    seed: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0


class AssistSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How suggestions are shown to annotators."""

    min_area_px: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 8
    """Connected regions of a suggested mask smaller than this are merged into their largest neighbour; 1: none."""
    blind_share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    """Share of samples outside the test reserve without suggestions, always the same ones: anchoring can be measured,
    and a missing suggestion at most doubles the odds of the test reserve, which has none. 1: no suggestions."""
    automatic: bool = False
    """Whether annotators are shown suggestions without asking: their page fetches them with the leases."""


class SpreadSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far apart the samples lie that the strategy chooses for one query; all of it is off by default.

    A query that cannot be filled is short and says why. The random control and the test reserve keep to no rule: they
    would be no fair samples else.
    """

    min_distance_m: Annotated[float, msgspec.Meta(ge=0.0, le=2.1e7)] = 0.0
    """Metres along a great circle between the centres of two samples of a query, and to samples on lease; 0: no rule.
    Samples without a CRS count as far apart."""
    once_per_place: bool = False
    """Offer only one of several acquisitions of one footprint until all places were asked about: centres within half
    of the smaller one's side, sides that differ by a quarter at most."""
    group_pattern: Pattern | None = None
    """Regular expression (RE2) on the path; its first group, or its whole match, names a scene, date or sensor."""
    max_per_group: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    """Samples of one group in a query at most, needs `group_pattern`; None: no quota. Other paths are of no group."""


class WindowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How images that are larger than a window are cut into samples; each window is one."""

    size_px: Annotated[int, msgspec.Meta(ge=32, le=8192)] = 512
    """Side of a window in pixels. Images that fit into one are registered whole."""
    overlap_px: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0
    """Pixels that neighbouring windows share, at most half of `size_px`. Windows overlap only inside areas of up to
    4 x 4 of them, which lie on one side of the test reserve."""
    max_nodata: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.9
    """Windows with a larger share of invalid pixels are left out; 1: none is, and the pixels are not read."""


class QuerySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What queries are made of beside the strategy's choice."""

    control_share: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.05
    """Share of each query that is chosen at random, so that `savings` can tell what the strategy is worth."""
    overlap_share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    """Share of samples that several annotators are asked about, independently, to measure agreement."""
    overlap_annotators: Annotated[int, msgspec.Meta(ge=2, le=10)] = 2
    """How many annotators each of those is offered to."""
    golden: Annotated[tuple[PathText, ...], msgspec.Meta(max_length=100_000)] = ()
    """Paths of samples with a known answer: offered to every annotator, never trained on."""
    spread: SpreadSettings = SpreadSettings()
    unit: QueryUnit = "image"
    """What a query asks about that does not say; "point" needs a task that is answered for each pixel."""
    most_points: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    """Points of one image after which point queries do not ask about it any more."""


Colormap = Literal[
    "blues", "brbg", "cividis", "gray", "greens", "inferno", "magma", "plasma", "rdbu", "rdylbu", "rdylgn", "spectral",
    "terrain", "turbo", "viridis", "ylgnbu",
]  # fmt: skip
"""Colour maps of rio-tiler for pictures of one channel."""
Stretch = Literal["campaign", "image"]
"""What decides which values are black and which are full: one pair of limits for the whole campaign, or each image."""
Sensor = Literal["sentinel-2", "landsat-8", "rgb", "rgb-nir", "bgr-nir", "sar-vv-vh"]
"""What took the images, which tells the order of their bands."""
Gamma = Annotated[float, msgspec.Meta(ge=0.2, le=5.0)]
MOST_BANDS = 65_535
"""Bands of a TIFF."""
Band = Annotated[int, msgspec.Meta(ge=1, le=MOST_BANDS)]
LowHigh = tuple[float, float]
"""Value that is shown black (or at the lower end of the colour map), and value that is shown full."""


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to look at images: one or three bands, or one or three formulas over bands."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,39}$", extra={"words": "a name such as ndvi"})]
    """Stands in addresses."""
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    """What the page calls it."""
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] | None = None
    """Key that switches to it on the page; null: the page finds one."""
    bands: Annotated[tuple[Band, ...], msgspec.Meta(max_length=3)] | None = None
    """1-based: three for red, green and blue, or one. Null: `expression` says."""
    expression: Annotated[str, msgspec.Meta(max_length=1_000)] | None = None
    """Band maths such as `(b8-b4)/(b8+b4)`; three formulas separated by `;` for red, green and blue."""
    limits: Annotated[tuple[LowHigh, ...], msgspec.Meta(max_length=3)] | None = None
    """One pair for each channel, in the units of the bands or of the formula; null: `stretch` decides."""
    colormap: Colormap | None = None
    """Of a view with one channel; null: grey."""


class ViewSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the campaign's images are shown to people; models see none of it."""

    views: Annotated[tuple[View, ...], msgspec.Meta(max_length=20)] = ()
    """The first is the default. Empty: views that fit the bands, see `GET views`."""
    stretch: Stretch = "campaign"
    """campaign: the same limits for every image, so that brightness can be compared; image: of each image alone."""
    gamma: Gamma | None = None
    """Above 1 lifts dark parts, of views without a colour map; null: 1.5, but 1 for 8-bit images of three bands."""
    limits: Annotated[tuple[LowHigh, ...], msgspec.Meta(max_length=MOST_BANDS)] | None = None
    """Limits of each band of the files, or one pair for all, instead of percentiles over a sample of the pool."""
    super_resolution: PathText | None = None
    """Folder of a model that adds a synthetic view: `super-resolution/NUMBER`, or an absolute path on its machine."""


class CampaignSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may set per campaign."""

    unlabelled: Unlabelled = "background"
    """Pixels inside no polygon of a labelled sample: background (class 0) or ignored."""
    lease_s: Annotated[float, msgspec.Meta(ge=1, le=7 * 86400)] = 3600.0
    reserve: ReserveSettings = ReserveSettings()
    query: QuerySettings = QuerySettings()
    assist: AssistSettings = AssistSettings()
    view: ViewSettings = ViewSettings()
    """How images are shown to people."""
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    limits: RoundLimits = RoundLimits()
    """What the training of a round may take of the machine."""
    train_from: Literal["auto", "scratch"] = "auto"
    """auto: training starts from the newest encoder that a pretraining made, if it is `model.encoder` and `model` names
    no weights; scratch: always as `model` says."""
    sensor: Sensor | None = None
    """What took the images, which tells the order of their bands; null: by their number and names."""
    band_names: Annotated[tuple[ShortText, ...], msgspec.Meta(max_length=MOST_BANDS)] | None = None
    """What each band of the files is, in their order: a name such as red, nir or swir16, a band of Sentinel-2 such as
    B04, a wavelength such as 842 nm, or unknown; null: `sensor` or the files tell. Wins over `sensor`."""
    alpha: Alpha = "auto"
    """Whether the last band of the files is alpha, a mask and no data. auto: decided once from what the files declare
    and, where that is uncertain, from a sample of their pixels (`band_decision` says how); none: all bands are data;
    last: the last one is alpha, whatever it declares."""
    nodata: Nodata = "all"
    """Which pixels are invalid: all: where all bands hold their nodata value, as GDAL's dataset mask has it; any:
    where one of the bands that are read does, or is NaN. Models keep the rule that they were trained by."""
    windows: WindowSettings | None = None
    """How scenes are cut into samples when they are registered, for good; null: every file is one sample."""
    all_touched: bool = False
    """Whether an area that covers the centre of no pixel is stored as the pixels that it touches; false: refused."""
    lines: LineSettings = msgspec.field(default_factory=LineSettings)  # holds a dict, so it cannot be hashed
    """How wide labels are that are drawn as lines."""

    @property
    def listed_band_names(self) -> list[str] | None:
        """`band_names` as files and manifests take it."""
        return None if self.band_names is None else list(self.band_names)

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides how bands are read, beside `alpha`: when it changes, features have to be computed again."""
        return self.nodata, self.sensor, self.band_names, self.model.multispectral, self.model.reflectance


ClassName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Colour = Annotated[str, msgspec.Meta(pattern="^#[0-9a-fA-F]{6}$", extra={"words": "a colour such as #1f78b4"})]
"""`#rrggbb`."""
Description = Annotated[str, msgspec.Meta(max_length=2_000)]


class ClassDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a class beside its name and place."""

    task: TaskName
    name: str
    description: str = ""
    """What belongs to it and what does not, for annotators."""
    colour: str | None = None
    """`#rrggbb`; None: the customary one of a land cover, or one of the palette."""
    retired: bool = False
    """Labels of it stay, but it is given and trained no more."""
    examples: tuple[int, ...] = ()
    """Ids of samples that show it well."""
    formerly: tuple[str, ...] = ()
    """Names that it had before; models trained then know it by these."""


class BandDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the bands of a campaign's files are, decided once for all of them."""

    alpha: bool
    """Whether files have an alpha band behind their bands of data."""
    rgb: bool
    """Whether they are 8-bit RGB: grey and palette images are read as red, green and blue, too."""
    reason: str
    """In one sentence."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of rasters under one root, the questions asked about them, and what serves now."""

    campaign_id: int
    name: str
    tasks: list[TaskSpec]
    root: str
    """Absolute, resolved directory."""
    bands: list[int] | None
    """1-based bands that models read; None: all."""
    source_bands: int | None
    """Bands with data of the rasters, fixed when the first were registered."""
    settings: CampaignSettings
    policy: RetrainPolicy
    created_at: datetime
    current_version: str | None
    class_details: tuple[ClassDetails, ...] = ()
    """Of classes that have any."""
    guidelines: str = ""
    """Markdown for annotators."""
    archived_at: datetime | None = None
    """Since then it gets no rounds and no scores and is not offered; None: it is in use."""
    directory: str | None = None
    """Name of the directory of its files, where that is not its name: it was renamed."""
    band_decision: BandDecision | None = None
    """How `source_bands` came about; None: nothing is registered, or it was before this was recorded."""
    policy_since: datetime | None = None
    """When `policy` was set last; None: before this was recorded."""
    reserve_drawn_at: datetime | None = None
    """When its test reserve was drawn; None: not yet, the first query or round does it."""

    @property
    def band_policy(self) -> BandPolicy:
        """How the bands of all its files are read."""
        return BandPolicy(
            alpha=self.settings.alpha,
            nodata=self.settings.nodata,
            source_bands=self.source_bands,
            expand=self.band_decision is not None and self.band_decision.rgb,
        )

    def reading(self, card: ModelCard) -> BandPolicy:
        """How images are read for one of its models: as it was trained, or as now where its card does not say."""
        return card.band_policy or msgspec.structs.replace(self.band_policy, source_bands=card.source_bands)

    @property
    def folder(self) -> str:
        """Name of the directory of its files, which stays the same when the campaign is renamed."""
        return self.directory or self.name

    def details(self, task: TaskName, name: str) -> ClassDetails:
        """What is known of a class."""
        found = (entry for entry in self.class_details if (entry.task, entry.name) == (task, name))
        return next(found, ClassDetails(task=task, name=name))

    def retired(self, task: TaskName) -> frozenset[str]:
        """Classes of a task that are given and trained no more."""
        return frozenset(entry.name for entry in self.class_details if entry.task == task and entry.retired)

    @property
    def chosen_colours(self) -> dict[str, str]:
        """`#rrggbb` of the classes that an operator gave a colour."""
        return {entry.name: entry.colour for entry in self.class_details if entry.colour is not None}

    def task(self, name: str) -> TaskSpec | None:
        """The spec of a task, or None if the campaign has no such task."""
        return next((spec for spec in self.tasks if spec.task == name), None)


class RegistrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST samples` answers."""

    registered: int
    skipped: list[SkippedPath]
    """At most 10,000 are named."""
    skipped_count: int
    known: int = 0
    """Of a scan: files that were registered before."""
    removed: int = 0
    """Of a scan: files that were taken out of the campaign; name them in `paths` to register them again."""
    remarks: list[RemarkedPath] = []
    """Of files that were registered: how a palette is read, pages that are not read, and the like; at most 10,000."""


class TaskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task as it is asked for: `classification`, `segmentation` or `detection`."""

    task: ShortText
    classes: Annotated[list[ClassName], msgspec.Meta(max_length=10_000)]
    multi_label: bool = False


class CampaignRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /campaigns` takes."""

    name: ShortText
    tasks: Annotated[list[TaskRequest], msgspec.Meta(max_length=20)]
    root: PathText
    bands: Annotated[list[Band], msgspec.Meta(max_length=MOST_BANDS)] | None = None
    settings: CampaignSettings = msgspec.field(default_factory=CampaignSettings)
    policy: RetrainPolicy = RetrainPolicy()


class ClassRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class to be added."""

    task: ShortText
    name: ClassName
    description: Description = ""
    """What belongs to it and what does not, for annotators."""
    colour: Colour | None = None
    """`#rrggbb`; null: the customary one of a land cover, or one of the palette."""


class ClassChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall become different about a class; fields that are left out stay as they are."""

    name: ClassName | msgspec.UnsetType = msgspec.UNSET
    """Its new name; labels that name it follow."""
    description: Description | msgspec.UnsetType = msgspec.UNSET
    colour: Colour | msgspec.UnsetType | None = msgspec.UNSET
    """`#rrggbb`; null: the customary one of a land cover, or one of the palette."""
    retired: bool | msgspec.UnsetType = msgspec.UNSET
    """true: it can no longer be given; labels of it stay, and false brings it back."""
    examples: Annotated[tuple[SampleId, ...], msgspec.Meta(max_length=20)] | msgspec.UnsetType = msgspec.UNSET
    """Ids of samples that show it well."""


class DeletionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What of a campaign would be gone."""

    samples: int
    labels: int
    """Current ones; their history goes, too."""
    annotators: int
    """Who gave them."""
    rounds: int
    models: int


class Deletion(DeletionCounts, frozen=True, kw_only=True):
    """What deleting a campaign would remove."""

    campaign: str
    file_bytes: int
    """Of models, rounds and scores in the data directory."""
    images: str
    """Folder of its images, which stay."""
    running: list[str] = []
    """What would be cancelled, such as "round 3"."""
    sentence: str
    """All of it in words."""


class CampaignChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall become different about a campaign; fields that are left out stay as they are."""

    name: ShortText | msgspec.UnsetType = msgspec.UNSET
    """1 to 64 of the characters a-z, 0-9 and -."""
    archived: bool | msgspec.UnsetType = msgspec.UNSET
    """true: no rounds, no scores, not offered to annotators, left out of lists. Everything stays; false undoes it."""
