"""Our side of a link to SCANEO: what was agreed, which images it covers, and how it stands."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from al_loop.domain.labels import AnnotatorName
from al_loop_records.model_card import TaskName


class LinkOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a link works; kept with it."""

    path_map: list[str] = []
    """`A=B`: folder A in SCANEO's file system is folder B in ours, for containers and other machines."""
    annotator: AnnotatorName = "scaneo"
    """Whom labels are recorded under when no lease or batch tells who drew them; SCANEO knows no persons."""
    service_url: str
    """Address at which SCANEO reaches this service; it goes into the URLs of our models."""
    database: str | None = None
    """SCANEO's SQLite file, when it lies on this machine: far cheaper than asking for image after image."""
    poll_s: Annotated[float, msgspec.Meta(ge=0.2, le=3600)] = 2.0
    """Seconds between looks at the campaign's change signal."""
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 4.0
    """Annotations count once they have not changed for this long: every brush stroke is a deletion and a creation."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign of ours and the SCANEO campaign that it is linked to."""

    campaign_id: int
    url: str
    scaneo_campaign: str
    """Its id there."""
    scaneo_name: str
    options: LinkOptions
    models: dict[TaskName, str]
    """Id of our model there, by task."""
    prefix: str
    """Of SCANEO's image paths below our root: "" or "folder/"."""
    hidden: list[str] = []
    """Our classes whose label was deleted in SCANEO: suggesting one would end in an error there."""
    zone_offset_s: int
    """SCANEO's naive local times minus UTC."""
    linked_at: datetime
    signal: str | None
    """The change signal when all that it announced had been read; None: never yet."""
    swept_at: datetime | None
    """When every image had been read since."""

    def aware(self, local: datetime) -> datetime:
        """One of SCANEO's naive local times, in UTC; the first or the last moment there is, if it lies beyond."""
        try:
            moment = local.replace(tzinfo=None) - timedelta(seconds=self.zone_offset_s)
        except OverflowError:
            moment = datetime.min if self.zone_offset_s > 0 else datetime.max  # noqa: DTZ901  # a zone is added
        return moment.replace(tzinfo=self.linked_at.tzinfo)

    def page(self, scaneo_campaign: str | None = None) -> str:
        """Address of the labelling page of the campaign, or of a batch of it."""
        return f"{self.url}/campaigns/label?id={scaneo_campaign or self.scaneo_campaign}"


class LinkedImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image of SCANEO's, the sample that it shows, and what was made of its annotations."""

    campaign_id: int
    scaneo_campaign: str
    image_id: int
    path: str
    """As SCANEO lists it."""
    sample_id: int | None
    """None: not registered, because its file cannot be used."""
    digest: str | None = None
    """Of the annotations that its labels were made from; None: never read."""
    read_at: datetime | None = None
    annotator: str | None = None
    """Whom its labels were recorded under."""
    recorded: dict[TaskName, int] = {}
    """Label by task, of those that stand."""
    problem: str | None = None
    """What a person has to put right, in one sentence."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A query made into a SCANEO campaign of its own, with folders 1/ 2/ 3/ ... in the order of the ranking."""

    campaign_id: int
    number: int
    scaneo_campaign: str
    name: str
    folder: str
    """Ours; it holds nothing but links to the images."""
    annotator: str
    opened_at: datetime
    closed_at: datetime | None = None
    close_reason: str | None = None


class OfferedBox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One box in pixels of an image."""

    path: Annotated[str, msgspec.Meta(max_length=4_096)]
    """Of the sample."""
    label: Annotated[str, msgspec.Meta(max_length=200)]
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels from the upper left corner."""
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    version: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Of the model that found it."""


class SkippedBox(msgspec.Struct, frozen=True, kw_only=True):
    """A box that was not offered, and why."""

    index: int
    reason: str


class BoxReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of offered boxes."""

    pushed: int
    skipped: list[SkippedBox]


class ImageProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has to put right about one image."""

    path: str
    problem: str


class SuggestedBoxes(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the suggestions for images in SCANEO."""

    images: int
    """With at least one new box."""
    boxes: int
    """That were drawn."""
    left_out: list[ImageProblem]
    """Images without a new box, and why."""


class PushedBox(msgspec.Struct, frozen=True, kw_only=True):
    """A box that was offered through SCANEO's annotations."""

    campaign_id: int
    image_id: int
    annotation_id: str
    label: str
    corners: list[float]
    """South, west, north, east, EPSG:4326."""
    score: float
    version: str
    pushed_at: datetime
    box: list[float] | None = None
    """Left, top, right, bottom in pixels of the image; None: it was offered by an older version."""


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as annotators and operators see it."""

    number: int
    name: str
    annotator: str
    url: str
    """Its labelling page in SCANEO."""
    samples: int
    labelled: int
    """With an answer to every task of the link."""
    opened_at: datetime
    closed_at: datetime | None
    close_reason: str | None


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is linked, and how fresh it is."""

    campaign: str
    url: str
    scaneo_campaign: str
    """Name of the campaign there."""
    labelling_page: str
    models: dict[TaskName, str]
    """Name of our model there, by task."""
    images: int
    images_read: int
    """Images whose annotations were read at least once."""
    images_unusable: int
    """Images that could not be registered as samples."""
    labels: int
    """Labels in our store that stand and came through this link."""
    reachable: bool | None
    """None: not asked yet since the service started."""
    asked_at: datetime | None
    """When SCANEO last answered."""
    swept_at: datetime | None
    """When every image had been read since."""
    requests_a_minute: float
    """Sent to SCANEO during the last minute."""
    problem: str | None
    """What keeps the link from working, and what to do."""
    image_problems: list[ImageProblem]
    """At most 100."""
    batches: list[BatchView]
    """Open ones."""
