"""What a query answers."""

from datetime import datetime

import msgspec


class QuerySample(msgspec.Struct, frozen=True, kw_only=True):
    """One sample of an answered query."""

    sample_id: int
    path: str
    score: float | None
    """Entropy of the version that ranked the pool, largest over tasks; None before it was scored."""
    reason: str
    """Why it was chosen, in a few words."""
    scaneo_url: str | None = None


class RankingSource(msgspec.Struct, frozen=True, kw_only=True):
    """What the order of a query rests on."""

    version: str | None
    """Model version whose scores ranked the pool, "features" for image features, None without either."""
    labels: int
    """Labelled samples outside the test reserve that those scores know of."""
    scored_at: datetime | None
    """When they were computed; None: nothing was scored yet."""
    labels_since: int
    """Samples labelled since then that they do not know of."""
    stale: bool
    """Whether the ranking is older than the labels."""


class QueryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an annotator gets: samples leased to them, or none and the reason why."""

    query_id: int | None
    lease_expires_at: datetime | None
    samples: list[QuerySample]
    reason: str | None
    """Why there are no samples, or fewer than wanted because they have to lie apart; else None."""
    strategy: str
    """Name of the strategy that chose, as in `StrategyConfig`."""
    version: str | None
    """Model version whose scores ranked the pool, "features" for image features, None without either."""
    ranking: RankingSource | None = None
    """How fresh those scores are."""
