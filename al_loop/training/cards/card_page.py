"""Gathers what the page of a model version tells, from its files and from the store; nothing is run for it."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.lineage import VersionLineage
from al_loop.domain.round_reports import Measured, SliceReport
from al_loop.domain.version_cards import CardBand, CardClass, CardTask, VersionCard
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from al_loop.training.cards.licences import licences_of
from al_loop.training.cards.limits import limits_of
from al_loop.training.evaluation.slices import Sums, place_slices
from al_loop.training.lineage.tracing import version_lineage
from models.card import ModelCard, OtherMetric, TaskEvaluation, TaskSpec
from models.errors import CorruptVersionError
from models.registry import ModelRegistry
from models.tasks import task_of
from models.tasks.fine import fine_outputs
from models.training.reserve.outcomes import TaskOutcomes, read_outcomes

NODATA = {
    "all": "A pixel is missing where all bands hold the nodata value of the file.",
    "any": "A pixel is missing where any band that is read holds its nodata value, or is no number.",
}


def version_card(store: LabelStore, layout: DataLayout, campaign: Campaign, version: str) -> VersionCard:
    """The card of a version for people.

    Files that do not match their digests are told, and are no error as long as the card itself can be read.

    Args:
        store: Knows where it stands and where its labels come from.
        layout: Where versions lie.
        campaign: Whose version.
        version: Its name.

    Raises:
        VersionNotFoundError: There is none of that name.
        CorruptVersionError: Its card is missing or not a card.
    """
    registry = ModelRegistry(layout.models(campaign.folder))
    card, notices = registry.card(version), []
    try:
        registry.verify(version)
    except CorruptVersionError as error:
        notices.append(f"Its files are damaged and it must not be used: {error}.")
    outcomes, problem = _outcomes(registry, card)
    notices += [] if problem is None else [problem]
    tasks = [_task(card, spec, outcomes.get(spec.task)) for spec in card.tasks]
    lineage = _lineage(store, layout, campaign, version)
    notices += [] if lineage is None else lineage.notices
    return VersionCard(
        campaign=campaign.name,
        version=version,
        standing=_standing(store, campaign, version),
        created_at=card.created_at,
        bands=_bands(card),
        source_bands=card.source_bands,
        nodata=NODATA[card.reading.nodata],
        data=card.data,
        tasks=tasks,
        model=_model(card),
        lineage=[] if lineage is None else _facts(lineage),
        sources=[] if lineage is None else lineage.sources,
        labels_as_of=None if lineage is None else lineage.as_of,
        licences=licences_of(card),
        limits=limits_of(card, card.data, tasks),
        notices=notices,
    )


def _outcomes(registry: ModelRegistry, card: ModelCard) -> tuple[Mapping[str, TaskOutcomes], str | None]:
    try:
        return {found.task.name: found for found in read_outcomes(registry.path(card.version), card.tasks)}, None
    except FileNotFoundError:
        return {}, "Figures by place are not known: it was made before answers on the test reserve were kept."
    except (OSError, pa.ArrowException) as error:
        return {}, f"Figures by place are not known: its answers on the test reserve cannot be read ({error})."


def _lineage(store: LabelStore, layout: DataLayout, campaign: Campaign, version: str) -> VersionLineage | None:
    try:
        return version_lineage(store, layout, campaign, version)
    except NotFoundError:  # of a round that the store does not know, such as after a restore
        return None


def _standing(store: LabelStore, campaign: Campaign, version: str) -> str:
    if store.campaigns.get(campaign.name).current_version == version:
        return "it serves"
    known = next((entry for entry in store.versions.list(campaign.campaign_id) if entry.version == version), None)
    if known is None:
        return "it does not serve"
    if known.standing is not None:
        return f"{known.standing}, does not serve"
    return "it served before" if known.promoted_at is not None else "it never served"


def _bands(card: ModelCard) -> list[CardBand]:
    statistics = card.statistics
    kinds: Sequence[str | None] = card.band_kinds or [None] * len(card.bands)
    columns = zip(card.bands, kinds, statistics.low, statistics.high, statistics.mean, statistics.std, strict=True)
    return [
        CardBand(number=number, kind=kind, low=low, high=high, mean=mean, std=std)
        for number, kind, low, high, mean, std in columns
    ]


def _task(card: ModelCard, spec: TaskSpec, outcomes: TaskOutcomes | None) -> CardTask:
    task = task_of(spec)
    measured = next((entry for entry in card.evaluation.candidate if entry.task == spec.task), None)
    sums = None if outcomes is None else Sums(outcomes)
    return CardTask(
        task=spec.task,
        metric=task.metric.name,
        class_metric=task.metric.of_class or task.metric.name,
        value=None if measured is None else Measured(value=measured.value, low=measured.low, high=measured.high),
        baseline=None if measured is None else measured.baseline,
        samples=0 if measured is None else measured.samples,
        places=None if outcomes is None else len(set(outcomes.blocks)),
        calibration_error=None if measured is None else measured.expected_calibration_error,
        temperature=card.temperature.get(spec.task),
        classes=[
            _class(card, spec, name, measured, _slice(outcomes, sums, index)) for index, name in enumerate(spec.classes)
        ],
        by_place=[] if sums is None else place_slices(sums)[0],
    )


def _slice(outcomes: TaskOutcomes | None, sums: Sums | None, index: int) -> SliceReport | None:
    if outcomes is None or sums is None:
        return None
    bins = outcomes.class_bins[outcomes.task.first_code + index]
    return sums.of_class(index, outcomes.task.classes[index], bins)


def _class(
    card: ModelCard, spec: TaskSpec, name: str, measured: TaskEvaluation | None, found: SliceReport | None
) -> CardClass:
    value = None if measured is None else measured.per_class.get(name)
    metric = task_of(spec).metric.of_class
    others = [] if measured is None else measured.others
    own = next((_measured(entry) for entry in others if (entry.name, entry.of_class) == (metric, name)), None)
    own = own or getattr(found, metric, None)
    counted = next(
        (entry for entry in (card.data.classes if card.data else []) if (entry.task, entry.name) == (spec.task, name)),
        None,
    )
    told = own if isinstance(own, Measured) else Measured(value=value or 0.0, low=None, high=None)
    return CardClass(
        name=name,
        training=None if counted is None else counted.training,
        reserve=None if counted is None else counted.reserve,
        value=None if value is None else told,
    )


def _measured(entry: OtherMetric) -> Measured:
    return Measured(value=entry.value, low=entry.low, high=entry.high)


def _model(card: ModelCard) -> list[tuple[str, str]]:
    won = next((tried.kind for tried in card.candidates if tried.won), None)
    facts = [
        ("network", "linear heads on frozen features" if won == "quick" else "one encoder, a head for each task"),
        ("encoder", card.model.encoder),
        ("features", card.features),
        ("chosen because", card.choice),
        ("labelled images", f"{card.labels:,}"),
        ("training took", f"{card.seconds:,.0f} s"),
        ("memory of the training", None if card.peak_memory_mb is None else f"{card.peak_memory_mb:,.0f} MB at most"),
        ("input", f"ONNX input `image`, float32 (N, {len(card.bands)}, H, W), raw values, NaN where missing"),
        ("size of images", f"any; padded to multiples of {card.stride_px} px, and tiled above {card.tile_px} px"),
        ("finer maps", _finer(card)),
        ("embedding", f"{card.embedding_size} values"),
        ("ONNX against PyTorch", f"at most {max(card.parity.differences.values(), default=0.0):.1e} apart"),
    ]
    return [(name, value) for name, value in facts if value is not None]


def _finer(card: ModelCard) -> str | None:
    names, scale = fine_outputs(card), card.model.output_scale
    if not names:
        return None
    outputs = ", ".join(f"`{name}`" for name in names)
    return f"{scale} x {scale} parts of each pixel in {outputs}; figures are measured there"


def _facts(found: VersionLineage) -> list[tuple[str, str]]:
    environment = found.environment or {}
    libraries = environment.get("libraries", {})
    facts = [
        ("round", f"{found.round_number}: {found.reason}"),
        ("labels", f"{found.labels or 0:,} trained on, {found.reserve_labels or 0:,} measured on"),
        ("label event", None if found.label_event_id is None else str(found.label_event_id)),
        ("labels as of", None if found.as_of is None else f"{found.as_of:%Y-%m-%d %H:%M} UTC"),
        ("manifest (sha256)", found.manifest_sha256),
        ("code", found.code),
        ("seed", None if found.seed is None else str(found.seed)),
        ("started from", found.trained_from),
        ("measured against", found.incumbent_version),
        ("trained on a", environment.get("device")),
        ("packages", ", ".join(f"{name} {number}" for name, number in libraries.items()) or None),
        *((f"{entry.name} (sha256)", f"{entry.sha256}, {entry.state}") for entry in found.files),
    ]
    return [(name, str(value)) for name, value in facts if value is not None]
