"""Compares two rounds: the labels between them, how they were trained, and what they measured."""

from collections.abc import Iterator
from typing import Any

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_diffs import MetricChange, RoundDiff, SettingChange
from al_loop.domain.rounds import Round
from al_loop.store import LabelStore
from models.card import ModelCard, TaskEvaluation
from models.registry import ModelRegistry
from models.tasks import task_of

CONFIGURATION = (
    "tasks",
    "bands",
    "source_bands",
    "model",
    "train",
    "tile_px",
    "stride_px",
    "trained_from",
    "band_policy",
)
"""Fields of a card that say how its version was made; the others say what came of it."""


def round_diff(store: LabelStore, registry: ModelRegistry, campaign: Campaign, first: int, second: int) -> RoundDiff:
    """What is different between two rounds of a campaign.

    Args:
        store: Of the rounds and labels.
        registry: Of the campaign's versions.
        campaign: Which.
        first: Number of the one round.
        second: Number of the other, before it or after it.

    Raises:
        NotFoundError: The campaign has no round of that number.
        CorruptVersionError: The card of a version cannot be read.
    """
    one, other = (store.rounds.get(campaign.campaign_id, number) for number in (first, second))
    ends = sorted(entry.label_event_id or 0 for entry in (one, other))
    return RoundDiff(
        first=first,
        second=second,
        versions=(one.version, other.version),
        labels=(one.labels, other.labels),
        reserve=(one.reserve_labels, other.reserve_labels),
        verdicts=(one.verdict, other.verdict),
        sources=store.new_labels.by_annotator(campaign.campaign_id, after=ends[0], up_to=ends[1]),
        settings=_settings(registry, one, other),
        metrics=list(_metrics(campaign, one, other)),
    )


def _settings(registry: ModelRegistry, one: Round, other: Round) -> list[SettingChange]:
    if one.version is None or other.version is None:
        return []
    cards = [_flat(registry.card(version)) for version in (one.version, other.version)]
    names = sorted({*cards[0], *cards[1]})
    return [
        SettingChange(name=name, first=cards[0].get(name), second=cards[1].get(name))
        for name in names
        if cards[0].get(name) != cards[1].get(name)
    ]


def _flat(card: ModelCard) -> dict[str, Any]:
    """The configuration of a card by path, one entry a value."""
    found: dict[str, Any] = {}

    def add(path: str, value: object) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                add(f"{path}.{name}", part)
        else:
            found[path] = value

    for name in CONFIGURATION:
        add(name, msgspec.to_builtins(getattr(card, name)))
    return found


def _metrics(campaign: Campaign, one: Round, other: Round) -> Iterator[MetricChange]:
    known = [{result.task: result for result in _results(entry)} for entry in (one, other)]
    of_class = {spec.task: task_of(spec).metric.of_class for spec in campaign.tasks}
    for task in dict.fromkeys([*known[0], *known[1]]):
        pair = [results.get(task) for results in known]
        present = [result for result in pair if result is not None]
        values = [None if result is None else result.value for result in pair]
        yield MetricChange(task=task, metric=present[0].metric, first=values[0], second=values[1])
        for name in dict.fromkeys(name for result in present for name in result.per_class):
            values = [None if result is None else result.per_class.get(name) for result in pair]
            yield MetricChange(task=task, metric=of_class[task], of_class=name, first=values[0], second=values[1])


def _results(entry: Round) -> list[TaskEvaluation]:
    return [] if entry.evaluation is None else entry.evaluation.candidate
