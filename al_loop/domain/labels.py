"""Labels: as they come in, as they are checked (`al_loop.campaigns.labelling`), and as they are stored; and comments.

`RequestKey` names a request that brings them, so that it can be sent again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from al_loop.domain.samples import SampleId
from al_loop_records.model_card import TaskName

LabelSource = Literal["person", "import", "overwrite"]
"""Where a label comes from: someone gave it; a labelled folder; a folder that overrules what people said before it."""

IMPORT_ANNOTATOR = "import"
"""Labels of this name are an import's, whatever is said of their source."""
GOLD_STANDARD_ANNOTATOR = "golden"
"""Labels of this name are the known answers of gold-standard samples."""


class CheckedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptable label, ready to be stored."""

    campaign_id: int
    sample_id: int
    sample_path: str
    task: TaskName
    annotator: str
    classes: list[str] | None
    features: dict[str, Any] | None
    crs: str | None
    override_lease: bool
    labelled_at: datetime
    recorded_at: datetime
    at: str
    """JSON path of the label in the request, for errors found later."""
    source: LabelSource = "person"
    tasks: tuple[str, ...] = ()
    """Every task of the campaign: the lease ends when all are answered. Empty: with this label."""
    added_to: int | None = None
    """The label whose features come first in these; None: it replaces."""
    leaves_open: bool = False
    """Whether its lease asks about points that it does not answer, so that the lease goes on."""

    @property
    def points(self) -> int | None:
        """As `count_points` has it."""
        return count_points(self.features)


NAME_PATTERN = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""No control characters, and more than spaces."""
AnnotatorName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=200,
        pattern=NAME_PATTERN,
        extra={"words": "a name of more than spaces, without control characters"},
    ),
]
GivenName = Annotated[str, msgspec.Meta(max_length=200)]
MOST_LABELS = 10_000
"""Labels of one request."""


class LabelInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One annotator's complete answer for one (sample, task). Exactly one of `classes` and `features`.

    Empty `classes` or `features` means: looked, none here.
    """

    sample_id: SampleId | None = None
    path: Annotated[str, msgspec.Meta(max_length=4_096)] | None = None
    task: GivenName
    annotator: AnnotatorName
    classes: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=10_000)] | None = (
        None
    )
    features: dict[str, Any] | None = None
    """GeoJSON FeatureCollection; each `properties.label` is a class, or null with `properties.ignore` true."""
    crs: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None
    """CRS of the coordinates: a code of EPSG, ESRI, IGNF or OGC, a URN of one, or WKT; "pixel" = column, row; None =
    EPSG:4326 where the sample has a CRS, else pixels."""
    override_lease: bool = False
    labelled_at: datetime | None = None
    """When the annotator answered; None: now. Must carry a time zone."""
    add: bool = False
    """Whether `features` are joined to this annotator's own current label of the sample, where a later one is on top,
    instead of replacing it. For tasks that are answered with `features`; points come one by one."""
    finished: bool = False
    """With `add`: that the annotator leaves the other points that the lease asks about; it ends with this label."""
    source: LabelSource = "person"
    """`import`: from a labelled folder. It counts where no person answered, and what is known already is not recorded
    again. `overwrite`: the same, but it counts instead of what people answered before."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label event as stored: the newest of a (sample, task, annotator) is the current label."""

    label_id: int
    sample_id: int
    path: str
    task: TaskName
    annotator: str
    classes: list[str] | None
    features: dict[str, Any] | None
    crs: str | None
    """CRS of `features`: "EPSG:4326" or "pixel"."""
    retracts: int | None
    """The label that this event withdraws; None for an answer."""
    added_to: int | None = None
    """The label that this one added features to; when it is withdrawn, that one's are recorded again. None: it stands
    alone."""
    restored: int | None = None
    """In the answer to a withdrawal: the label that holds what was there before, recorded again. Null: none."""
    labelled_at: datetime
    recorded_at: datetime
    source: LabelSource = "person"
    """`person`; `import`: from a labelled folder; `overwrite`: from one that overruled what people answered before."""

    @property
    def points(self) -> int | None:
        """As `count_points` has it."""
        return count_points(self.features)


def count_points(features: dict[str, Any] | None) -> int | None:
    """How many Points a stored collection holds; None: none, so that its label is of the whole image."""
    kinds = [feature["geometry"]["type"] for feature in (features or {}).get("features", [])]
    return kinds.count("Point") or None


def counting(labels: Iterable[Label]) -> dict[int, dict[TaskName, Label]]:
    """The answers that count: they are trained on, exported where a format takes one answer, and shown for a sample.

    Of several annotators the newest answer counts; an import's counts only where no person answered, as it says what
    was known before they looked. The view `counting_labels` says the same in SQL.

    Args:
        labels: Current labels of one campaign, in any order, retractions left out.

    Returns:
        By sample and task.
    """
    answers: dict[int, dict[TaskName, Label]] = {}
    for label in sorted(labels, key=lambda label: (label.source != "import", label.label_id)):
        answers.setdefault(label.sample_id, {})[label.task] = label
    return answers


def counting_ids(labels: Iterable[Label]) -> frozenset[int]:
    """Ids of the labels that count, as `counting` has it."""
    return frozenset(label.label_id for answers in counting(labels).values() for label in answers.values())


class RequestKey(msgspec.Struct, frozen=True, kw_only=True):
    """Names a request, so that sending it again does nothing again."""

    campaign_id: int
    annotator: str
    key: str
    """Chosen by the client: 1 to 200 characters, another one for each thing that it wants done."""
    digest: str
    """Of what is asked for; one key must not stand for two different requests."""
    at: datetime
    """When it came in."""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said about a sample."""

    comment_id: int
    sample_id: int
    path: str
    annotator: str
    text: str
    flag: bool
    """Whether somebody has to look at the sample."""
    written_at: datetime
    resolved_at: datetime | None
    """None: open."""
    resolved_by: str | None
