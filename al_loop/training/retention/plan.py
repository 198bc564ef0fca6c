"""Decides what goes: from the rounds, versions and promotions of a campaign. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from al_loop.domain.retention import KeptVersion, KeptWhy, Retention
from al_loop.domain.rounds import ModelVersion, Promotion, Round


class PrunePlan(NamedTuple):
    """What goes and what stays."""

    versions: list[str]
    """Model versions whose weights go."""
    rounds: list[int]
    """Ended rounds whose snapshot and logs go."""
    scores: list[str]
    """Versions whose scores and embeddings go."""
    encoders: list[str]
    """Encoders that go."""
    kept: list[KeptVersion]
    """Model versions that stay."""


def plan_pruning(
    retention: Retention,
    rounds: Sequence[Round],
    versions: Sequence[ModelVersion],
    promotions: Sequence[Promotion],
    encoders: Sequence[str],
    scored: Iterable[str],
) -> PrunePlan:
    """Which files of a campaign are not wanted any more.

    Args:
        retention: How much is kept.
        rounds: By number.
        versions: By round.
        promotions: Oldest first.
        encoders: Made without labels, oldest first; the newest is in use.
        scored: Versions and encoders that there are scores or embeddings of.
    """
    kept = why_kept(retention, rounds, versions, promotions)
    present = [entry for entry in versions if entry.pruned_at is None]
    ended = [entry for entry in rounds if entry.state.is_end]
    old = ended[: -retention.rounds] if retention.rounds is not None else []
    old_encoders = encoders[: -retention.encoders] if retention.encoders is not None else []
    ours = {entry.version for entry in versions} | set(encoders)
    serving = {version for version, why in kept.items() if {"serves", "served before", "in use"} & set(why)}
    return PrunePlan(
        versions=[entry.version for entry in present if entry.version not in kept],
        rounds=[entry.number for entry in old if entry.version not in kept],
        scores=sorted((set(scored) & ours) - serving - set(encoders[-1:])),
        encoders=list(old_encoders),
        kept=[
            KeptVersion(version=entry.version, why=kept[entry.version]) for entry in present if entry.version in kept
        ],
    )


def why_kept(
    retention: Retention, rounds: Sequence[Round], versions: Sequence[ModelVersion], promotions: Sequence[Promotion]
) -> dict[str, list[KeptWhy]]:
    """The versions that stay, with all that keeps each."""
    names = [entry.version for entry in versions if entry.pruned_at is None]
    current = next((entry.version for entry in versions if entry.current), None)
    running = {entry.version for entry in rounds if not entry.state.is_end}
    recent = names if retention.versions is None else names[-retention.versions :]
    reasons: list[tuple[KeptWhy, list[str | None]]] = [
        ("serves", [current]),
        ("served before", [_before(current, promotions)]),
        ("challenger", [entry.version for entry in versions if entry.standing == "challenger"]),
        ("pinned", [entry.version for entry in versions if entry.pinned_at is not None]),
        ("best", [best(rounds, names)]),
        ("recent", [*recent]),
        ("in use", [name for name in names if name in running]),
    ]
    kept: dict[str, list[KeptWhy]] = {}
    for why, found in reasons:
        for name in found:
            if name is not None:
                kept.setdefault(name, []).append(why)
    return kept


def best(rounds: Sequence[Round], names: Sequence[str]) -> str | None:
    """The version that measured most on the test reserve, by its first task; of equal ones the newest."""
    measured = [
        (entry.evaluation.candidate[0].value, entry.number, entry.version)
        for entry in rounds
        if entry.evaluation is not None and entry.evaluation.candidate and entry.version in names
    ]
    return max(measured)[2] if measured else None


def _before(current: str | None, promotions: Sequence[Promotion]) -> str | None:
    """The version that served before the one that serves, which a rollback goes to."""
    for entry in reversed(promotions):
        if entry.version == current and entry.previous != current:
            return entry.previous
    return None
