"""The report of a round, from what its training kept of the test reserve; nothing is trained or run for it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_reports import BiasedEstimate, ChosenLabels, LeakReport, RoundReport, TaskReport
from al_loop.domain.rounds import Round
from al_loop.domain.samples import Sample
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from al_loop.training.evaluation.mistakes import confusion_of, worst_mistakes
from al_loop.training.evaluation.needed_labels import needed_labels
from al_loop.training.evaluation.slices import Sums, distance_slices, place_slices
from models.card import Evaluation, ModelCard, TaskEvaluation
from models.geo.footprints import sides_m
from models.manifest import MANIFEST_FILE, Leaks, Manifest
from models.registry import CARD_FILE, read_card
from models.training.reserve.outcomes import TaskOutcomes, read_outcomes

BIASED = (
    "Biased: these labels were chosen, by queries because the model was unsure of them or because they differ from "
    "the others, or by whoever labelled them, and never drawn at random as the test reserve was. They may be harder "
    "than the pool, or easier. Compare them with each other, not with the test reserve."
)
NOT_ASKED = "not asked for"


def round_report(store: LabelStore, layout: DataLayout, campaign: Campaign, number: int) -> RoundReport:
    """What a round's model is worth on the test reserve.

    Args:
        store: Of rounds and labels.
        layout: Where versions lie.
        campaign: Whose round.
        number: Of the round.

    Raises:
        NotFoundError: The campaign has no round of that number.
        ConflictError: The round has no report: it has not ended, made no model, is from before outcomes were kept, or
            its files are gone; one sentence says which.
    """
    entry = store.rounds.get(campaign.campaign_id, number)
    if entry.evaluation is None or entry.version is None:
        raise ConflictError(_no_report(entry))
    directory = _files_of(layout, campaign, entry)
    card = read_card(directory)
    try:
        outcomes = read_outcomes(directory, card.tasks)
    except FileNotFoundError as error:
        raise ConflictError(
            f"round {number} has no report: {entry.version} was made before answers on the test reserve were kept"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise ConflictError(f"round {number} has no report: its answers cannot be read: {error}") from error
    ids = sorted({int(sample_id) for found in outcomes for sample_id in found.sample_ids})
    samples = store.samples.get_many(campaign.campaign_id, ids)
    by_task = {found.task.name: found for found in outcomes}
    tasks = [
        _task(campaign, entry.evaluation, result, by_task[result.task], samples)
        for result in entry.evaluation.candidate
        if result.task in by_task
    ]
    leaks = manifest_of(layout, campaign, entry)
    return RoundReport(
        campaign=campaign.name,
        round_number=number,
        version=entry.version,
        state=entry.state,
        ended_at=entry.ended_at,
        verdict=entry.verdict,
        labels=entry.labels or 0,
        reserve_labels=len(ids),
        incumbent_version=entry.evaluation.incumbent_version,
        leakage=None if leaks is None or leaks.leaks is None else _leakage(leaks.leaks),
        tasks=tasks,
        chosen=_chosen(store, campaign, card),
        notices=_notices(entry, entry.evaluation, outcomes, len(ids) - len(samples)),
    )


def manifest_of(layout: DataLayout, campaign: Campaign, entry: Round) -> Manifest | None:
    """The manifest of a round, from its snapshot or from its version; None: both are gone, or cannot be read."""
    places = [layout.round(campaign.folder, entry.number) / "snapshot" / MANIFEST_FILE]
    if entry.version is not None:
        places.append(layout.models(campaign.folder) / entry.version / MANIFEST_FILE)
    for place in places:
        try:
            return msgspec.json.decode(place.read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError):
            continue
    return None


def _no_report(entry: Round) -> str:
    what = f"round {entry.number} has no report"
    if not entry.state.is_end:
        return f"{what} yet: it is {entry.state}"
    return f"{what}: it is {entry.state}" + (f", {entry.error}" if entry.error else "")


def _files_of(layout: DataLayout, campaign: Campaign, entry: Round) -> Path:
    """Where the results of a round lie: with its version, or where its training left them."""
    places = [
        layout.models(campaign.folder) / str(entry.version),
        layout.round(campaign.folder, entry.number) / "training",
    ]
    found = next((place for place in places if (place / CARD_FILE).is_file()), None)
    if found is None:
        raise ConflictError(
            f"round {entry.number} has no report any more: the files of {entry.version} were removed; what the gate "
            "measured stands in the round itself"
        )
    return found


def _task(
    campaign: Campaign,
    evaluation: Evaluation,
    result: TaskEvaluation,
    outcomes: TaskOutcomes,
    samples: Mapping[int, Sample],
) -> TaskReport:
    sums = Sums(outcomes)
    places, left_out = place_slices(sums)
    paired = next((entry for entry in evaluation.paired if entry.task == result.task), None)
    truth = (outcomes.class_counts[..., 0] + outcomes.class_counts[..., 2]).sum(axis=0) > 0
    shown = [name for name, there in zip(outcomes.task.classes, truth, strict=True) if there]
    bounds = [samples[i].bounds if i in samples else None for i in outcomes.sample_ids.tolist()]
    sides = sides_m(np.array([[np.nan] * 4 if box is None else box for box in bounds], np.float64).reshape(-1, 4))
    return TaskReport(
        task=result.task,
        metric=result.metric,
        value=result.value,
        low=result.low,
        high=result.high,
        baseline=result.baseline,
        overall=sums.slice("all", np.ones(len(outcomes.sample_ids), np.bool_)),
        blocks=len(set(outcomes.blocks)),
        classes=[
            sums.of_class(index, name, outcomes.class_bins[outcomes.task.first_code + index])
            for index, name in enumerate(outcomes.task.classes)
        ],
        places=places,
        places_left_out=left_out,
        distances=distance_slices(sums, outcomes.nearest_m, sides),
        reliability=sums.reliability(),
        confusion=confusion_of(outcomes),
        paired=paired,
        needed=needed_labels(result, paired, shown),
        mistakes=worst_mistakes(campaign, outcomes, samples),
        others=result.others,
    )


def _leakage(leaks: Leaks) -> LeakReport:
    count = len(leaks.sample_ids)
    if not count:
        sentence = "No labelled reserve image shows ground or pixels of a labelled training image."
    elif leaks.excluded:
        sentence = (
            f"{count} labelled reserve images show what a training image shows ({leaks.overlapping} share ground with "
            f"one, {leaks.equal} are copies) and are left out of every figure here."
        )
    else:
        sentence = (
            f"All of the labelled reserve shows what training images show ({leaks.overlapping} images share ground "
            f"with one, {leaks.equal} are copies). They were measured, as nothing else is left: the figures are too "
            "good. Draw the reserve by place, or label images of other places."
        )
    return LeakReport(
        overlapping=leaks.overlapping, equal=leaks.equal, samples=count, excluded=leaks.excluded, sentence=sentence
    )


def _chosen(store: LabelStore, campaign: Campaign, card: ModelCard) -> ChosenLabels:
    first: dict[int, str] = {}
    for spec in card.tasks:
        for label in store.labels.by_arm(campaign.campaign_id, spec.task):
            if not label.reserve:
                first.setdefault(label.sample_id, label.arm or NOT_ASKED)
    estimates = [
        BiasedEstimate(task=task, candidate=tried.kind, value=value, won=tried.won)
        for tried in card.candidates
        for task, value in tried.held_out.items()
        if value is not None
    ]
    return ChosenLabels(sources=dict(Counter(first.values()).most_common()), estimates=estimates, sentence=BIASED)


def _notices(entry: Round, evaluation: Evaluation, outcomes: Sequence[TaskOutcomes], removed: int) -> list[str]:
    told = []
    if not evaluation.candidate:
        told.append("Nothing was measured: the labelled test reserve shows no class of any task.")
    for found in outcomes:
        truth = (found.class_counts[..., 0] + found.class_counts[..., 2]).sum(axis=0) > 0
        missing = [name for name, there in zip(found.task.classes, truth, strict=True) if not there]
        if truth.sum() == 1:
            (only,) = [name for name, there in zip(found.task.classes, truth, strict=True) if there]
            told.append(
                f"The labelled reserve shows one class of {found.task.name} alone, {only}: nothing can be said of the "
                "others, and always answering it would be as good."
            )
        elif missing:
            told.append(f"The labelled reserve shows no {', no '.join(missing)}: nothing is known of them.")
        if len(set(found.blocks)) == 1 and len(found.blocks) > 1:
            told.append(
                f"All reserve samples of {found.task.name} lie in one block: how the model does elsewhere is unknown."
            )
    without = [result.task for result in evaluation.candidate if result.task not in {o.task.name for o in outcomes}]
    if without:
        told.append(f"No slices of {', '.join(without)}: its answers are no classes.")
    if removed:
        told.append(f"{removed} of the measured samples were removed from the campaign since.")
    if entry.left_out:
        told.append(f"{entry.left_out}.")
    return told
