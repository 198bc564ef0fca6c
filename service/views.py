"""Gathers answers from the parts of the loop."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from al_loop.client.answers import (
    CampaignView,
    ClassList,
    ClassView,
    CurrentModel,
    LastRound,
    RoundView,
    Suggestion,
    TaskClasses,
)
from al_loop.domain.campaigns import Campaign, CampaignSettings, ClassDetails, ReserveSettings
from al_loop.domain.class_colours import class_colours
from al_loop.domain.jobs import StoredJob
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.queries import WHY, HeldLease, QueryAnswer
from al_loop.domain.rounds import CurvePoint, ModelVersion, Round
from al_loop.loop import Loop
from al_loop.querying.points import lease_answers
from al_loop.runtime.jobs import JobRunner
from al_loop.serving.suggestions import class_shares, mask_regions, proposed_objects
from al_loop.training.annotator_progress import next_round_for_annotators, told_counts
from al_loop_records.model_card import Evaluation
from models.card import ModelCard, TaskSpec

View = TypeVar("View", bound=StoredJob)
AnyRound = TypeVar("AnyRound", Round, RoundView)

KEYS = "1234567890"
"""Of the first classes in use, on the page."""


def campaign_view(loop: Loop, campaign: Campaign, *, told: bool = True, person: str | None = None) -> CampaignView:
    """A campaign and how it stands; test reserve and gold standard only where they may be `told`; else for `person`."""
    store, now = loop.store, loop.clock()
    counts = store.campaigns.counts(campaign.campaign_id, now) if told else told_counts(store, campaign, person, now)
    versions = loop.store.versions.list(campaign.campaign_id)
    last = loop.store.rounds.last(campaign.campaign_id)
    return CampaignView(
        name=campaign.name,
        tasks=campaign.tasks,
        root=campaign.root,
        bands=campaign.bands,
        source_bands=campaign.source_bands,
        band_decision=campaign.band_decision,
        settings=campaign.settings if told else settings_for_annotator(campaign.settings),
        policy=campaign.policy,
        created_at=campaign.created_at,
        samples=counts,
        current_model=_current(versions, loop.server.serving_version(campaign)),
        last_round=None
        if last is None
        else LastRound(
            number=last.number, state=last.state, verdict=last.verdict, error=last.error, choice=last.choice
        ),
        notices=loop.notices(campaign),
        next_round=loop.outlook.of(campaign) if told else next_round_for_annotators(store, campaign, person, now),
        archived=campaign.archived_at is not None,
        head=loop.refitter.report(campaign) if told else None,
        scoring=loop.scorer.progress(campaign.campaign_id),
        challenger=loop.store.gate.challenger(campaign.campaign_id),
        reserve_drawn=campaign.reserve_drawn_at is not None if told else None,
    )


def thinned(points: Sequence[CurvePoint], most: int | None) -> list[CurvePoint]:
    """A learning curve with at most `most` rounds a task: some between the first and the last are left out evenly."""
    if most is None:
        return list(points)
    kept: list[CurvePoint] = []
    for task in dict.fromkeys(point.task for point in points):
        own = [point for point in points if point.task == task]
        places = range(len(own)) if len(own) <= most else [i * (len(own) - 1) // (most - 1) for i in range(most)]
        kept += [own[i] for i in places]
    return sorted(kept, key=lambda point: point.round_number)


def class_list(campaign: Campaign) -> ClassList:
    """Classes of a campaign with their descriptions and colours, and its guidelines."""
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    return ClassList(
        tasks=[
            TaskClasses(task=spec.task, multi_label=spec.multi_label, classes=_classes(campaign, spec, colours))
            for spec in campaign.tasks
        ],
        guidelines=campaign.guidelines,
    )


def job_view(
    view: type[View],
    runner: JobRunner[Campaign, Any, Any],
    campaign: Campaign,
    entry: StoredJob,
    **more: Any,  # noqa: ANN401  # fields of the view
) -> View:
    """A job as it is stored, with the progress of a running one, and the end of a failed one's log if views have it."""
    fields: dict[str, Any] = {name: getattr(entry, name) for name in entry.__struct_fields__}
    fields["progress"] = runner.progress(campaign.campaign_id, entry.number)
    if entry.state == "failed" and "log" in view.__struct_fields__:
        fields["log"] = runner.log(campaign, entry.number)
    return view(**fields, **more)


def round_view(loop: Loop, campaign: Campaign, entry: Round) -> RoundView:
    """A round with its history, the progress of a running one, or the end of the log of a failed one."""
    return job_view(
        RoundView,
        loop.rounds,
        campaign,
        entry,
        gate=loop.store.gate.report(campaign.campaign_id, entry.number),
        history=tuple(loop.store.rounds.events(campaign.campaign_id, entry.number)),
    )


def suggestion(campaign: Campaign, entry: RememberedPrediction, *, regions: bool = False) -> Suggestion:
    """A remembered prediction with its classes named, and its mask as polygons where asked for."""
    spec = campaign.task(entry.task)
    classes = [] if spec is None else spec.classes
    retired = campaign.retired(entry.task)
    probabilities, pixels = entry.answer.get("probabilities"), entry.answer.get("pixels")
    return Suggestion(
        prediction_id=entry.prediction_id,
        task=entry.task,
        version=entry.version,
        shown_at=entry.shown_at,
        probabilities=None
        if probabilities is None
        else {name: value for name, value in zip(classes, probabilities, strict=False) if name not in retired},
        pixels=None
        if pixels is None
        else {
            classes[int(code) - 1]: count
            for code, count in pixels.items()
            if code != "0" and classes[int(code) - 1] not in retired
        },
        shares=class_shares(entry.answer, classes),
        regions=mask_regions(entry.mask, classes) if regions and entry.mask is not None else None,
        boxes=None if spec is None else proposed_objects(spec, entry, retired),
    )


def _classes(campaign: Campaign, spec: TaskSpec, colours: Mapping[str, str]) -> list[ClassView]:
    known = {entry.name: entry for entry in campaign.class_details if entry.task == spec.task}
    retired = campaign.retired(spec.task)
    keys = dict(zip((name for name in spec.classes if name not in retired), KEYS, strict=False))
    shown = []
    for name in spec.classes:
        details = known.get(name) or ClassDetails(task=spec.task, name=name)
        shown.append(
            ClassView(
                name=name,
                description=details.description,
                colour=colours[name],
                retired=details.retired,
                examples=list(details.examples),
                key=keys.get(name),
                formerly=list(details.formerly),
            )
        )
    return shown


def for_annotator(answer: QueryAnswer, scaneo_url: str | None, *, told: bool = False) -> QueryAnswer:
    """A query's answer without what tells its sources apart; scores and `ranking` only where they may be `told`."""
    samples = [
        msgspec.structs.replace(sample, reason=WHY, score=sample.score if told else None, scaneo_url=scaneo_url)
        for sample in answer.samples
    ]
    return msgspec.structs.replace(answer, samples=samples, ranking=answer.ranking if told else None)


def leases_for_annotator(loop: Loop, campaign: Campaign, annotator: str, leases: list[HeldLease]) -> list[HeldLease]:
    """Leases without what tells their sources apart, with their places in SCANEO and what to fetch ahead."""
    unaided: set[int] = set()
    ahead = campaign.settings.assist.automatic and campaign.current_version is not None
    if ahead:
        unaided = loop.predictions.unaided.among(campaign, [lease.sample_id for lease in leases])
    return [
        msgspec.structs.replace(lease, reason=WHY, score=None, suggestion=ahead and lease.sample_id not in unaided)
        for lease in lease_answers(loop.store, campaign, annotator, loop.links.placed(campaign, annotator, leases))
    ]


def card_for_annotator(card: ModelCard) -> ModelCard:
    """A model card that does not tell where the test reserve is."""
    return msgspec.structs.replace(card, evaluation=_without_places(card.evaluation), data=None)


def round_for_annotator(entry: AnyRound) -> AnyRound:
    """A round that tells neither where the test reserve is nor how many of its samples are labelled."""
    hidden: dict[str, Any] = {"reserve_labels": None}
    if entry.evaluation is not None:
        hidden["evaluation"] = _without_places(entry.evaluation)
    if isinstance(entry, RoundView) and entry.gate is not None:
        checks = [check for check in entry.gate.checks if not check.where.startswith("place ")]
        hidden["gate"] = msgspec.structs.replace(entry.gate, checks=checks)
    return msgspec.structs.replace(entry, **hidden)


def settings_for_annotator(settings: CampaignSettings) -> CampaignSettings:
    """Settings that do not name the gold-standard samples, nor the seed with which the test reserve is drawn anew."""
    return msgspec.structs.replace(
        settings,
        query=msgspec.structs.replace(settings.query, golden=()),
        reserve=msgspec.structs.replace(settings.reserve, seed=ReserveSettings().seed),
    )


def _without_places(evaluation: Evaluation) -> Evaluation:
    return msgspec.structs.replace(evaluation, slices=[part for part in evaluation.slices if part.by != "place"])


def _current(versions: list[ModelVersion], loaded: str | None) -> CurrentModel | None:
    entry = next((version for version in versions if version.current), None)
    if entry is None:
        return None
    return CurrentModel(
        version=entry.version,
        round_number=entry.round_number,
        promoted_at=entry.promoted_at,
        loaded=entry.version == loaded,
        problem=entry.problem,
        previous=entry.previous,
    )
