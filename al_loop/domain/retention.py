"""What is kept of rounds, versions and encoders, and what a pruning removed or would remove."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Kept = Annotated[int, msgspec.Meta(ge=2, le=10**9)]


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is kept; null: all of it.

    Rows of the store stay: states, metrics, verdicts and cards of all rounds and versions. What goes are files.
    """

    rounds: Kept | None = 20
    """Rounds whose snapshots and logs are kept, the newest; those of versions that are kept stay, too."""
    versions: Kept | None = 20
    """Model versions whose weights are kept, the newest. What serves, what served before it, the best on the test
    reserve and what is pinned stay, however old."""
    encoders: Kept | None = 3
    """Encoders made without labels that are kept, the newest."""


KeptWhy = Literal["serves", "served before", "challenger", "pinned", "best", "recent", "in use"]
PrunedKind = Literal["version", "round", "scores", "encoder"]


class PrunedItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something whose files go."""

    kind: PrunedKind
    """version: weights and graph of a model, its card stays; round: samples of its snapshot and its logs; scores:
    embeddings and scores by a version, made again should it serve; encoder: made without labels."""
    name: str
    """Version, encoder, or number of the round."""
    bytes: int
    """Bytes that this frees on the disk."""


class KeptVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is kept."""

    version: str
    """Name of the model version."""
    why: list[KeptWhy]
    """All that keeps it."""


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a pruning removed, or would remove."""

    dry_run: bool
    """Whether nothing was removed."""
    items: list[PrunedItem]
    """What goes, or went."""
    bytes: int
    """Bytes of all of it."""
    kept: list[KeptVersion]
    """Versions that stay, and why."""
    sentence: str
    """All of it in words."""
    as_of: datetime
    """When it was looked at."""
