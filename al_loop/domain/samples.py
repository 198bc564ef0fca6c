"""Samples: the header read from a file, the sample as stored, its state, and counts by state."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from al_loop_records.texts import printable

REGISTERED_ALREADY = "registered already"
LISTED_TWICE = "listed twice in this request"
"""How reasons begin for which files are skipped that need nothing any more."""

SampleState = Literal["pool", "leased", "labelled", "reserve"]
SampleId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""As clients send it: within the range of the store, so that a wrong one is not found instead of out of range."""


class SampleHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What registration learns from a file's header, no pixel read."""

    path: str
    """Relative to the campaign's root, `/`-separated."""
    width: int
    height: int
    band_count: int
    dtype: str
    crs: str | None
    """`EPSG:n` or WKT."""
    transform: list[float] | None
    """a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f."""
    nodata: float | None
    bounds: list[float] | None
    """left, bottom, right, top in EPSG:4326 (left > right across the date line); None without a place on Earth."""
    file_bytes: int
    modified_ns: int
    remarks: list[str] = []
    """What the person who registers it should know, such as how a palette is read; not stored."""
    digest: str | None = None
    """Of the file's size and parts of its bytes, see `quick_digest`; None: registered before there were any."""
    place_problem: str | None = None
    """Why it has no place though it has a CRS and a transform, in one sentence; None: it has, or lacks one of them."""
    area: str | None = None
    """Of a window of a scene: the part of the scene that its neighbours of one side of the test reserve lie in, named
    as windows are; None: a whole file."""
    area_bounds: list[float] | None = None
    """As `bounds`, of the area."""

    @property
    def placed(self) -> bool:
        """Whether the image lies somewhere on Earth that can be told; else labels are in its pixels."""
        return self.crs is not None and self.transform is not None and self.bounds is not None


class Sample(SampleHeader, frozen=True, kw_only=True):
    """A registered sample."""

    sample_id: int
    campaign_id: int
    block: str
    reserve: bool
    registered_at: datetime
    golden: bool = False
    """Its answer is known; never trained on."""
    file_problem: str | None = None
    """Why its file cannot be used now; None: it can."""
    same_as: int | None = None
    """The first sample that shows the same image; None: it is the first, or the only one."""


class SampleView(msgspec.Struct, frozen=True, kw_only=True):
    """A sample as lists show it."""

    sample_id: int
    path: str
    width: int
    height: int
    band_count: int
    crs: str | None
    bounds: list[float] | None
    state: SampleState
    score: float | None
    """Entropy of the current model, largest over tasks; None before it was scored."""
    place_problem: str | None = None
    """Why `bounds` is null though the image has a CRS and a transform."""


class SampleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of a campaign by state; the first four and `golden` add up to `total`."""

    pool: int
    leased: int
    labelled: int
    """Every task answered."""
    reserve: int
    """All of the test reserve, labelled or not; 0 until it is drawn, with the first query or the first labels."""
    reserve_labelled: int
    total: int
    skipped: int = 0
    """Without a label, and nobody is offered them any more because too many could not tell; part of the others."""
    golden: int = 0
    """With a known answer, labelled or not; never trained on and no part of the others."""
    partly: int = 0
    """Outside the reserve, some tasks answered and some open; part of `pool` and `leased`."""
    reserve_partly: int = 0
    """The same of the reserve."""
    reserve_leased: int = 0
    """Of the reserve, on lease and not labelled."""
    unusable: int = 0
    """Whose file is damaged or gone, offered to nobody; part of the others."""


class SkippedPath(msgspec.Struct, frozen=True, kw_only=True):
    r"""A file that was left out, and why, in one sentence.

    Bytes of a name that are not UTF-8 are shown as `\udcXX`, so that every answer can be sent and printed.
    """

    path: str
    reason: str

    def __post_init__(self) -> None:
        """Make both printable."""
        msgspec.structs.force_setattr(self, "path", printable(self.path))
        msgspec.structs.force_setattr(self, "reason", printable(self.reason))


class RemarkedPath(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is in, and what somebody should know about it, in one sentence."""

    path: str
    """Relative to the campaign's root."""
    remark: str
    """Such as "its one palette band is read as red, green and blue"."""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of registering files as samples."""

    registered: int
    sample_ids: list[int]
    """In the order of the accepted files."""
    skipped: list[SkippedPath]


class SampleCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One of several samples that show one image."""

    sample_id: int
    path: str
    labels: int
    """Current labels, of all annotators."""
    reserve: bool
    """Whether it belongs to the test reserve."""
    golden: bool
    """Whether its answer is known."""


class DuplicateGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Samples that show one image."""

    kept: SampleCopy
    """The one with the most labels, the first registered of several."""
    others: list[SampleCopy]
    """Spare ones."""
    conflict: bool
    """Whether others have labels, too: a person has to decide which ones count."""
