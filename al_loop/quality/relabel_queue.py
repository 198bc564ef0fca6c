"""The re-label queue: labels that the model confidently contradicts are offered again, apart from new samples.

Classification is judged by light heads on the embeddings of the version that serves, each label by a head that was
fitted without it and its neighbours. Masks are judged by the serving model itself. It has learned from the masks it
was trained on, so among those it finds the mistakes that it did not learn by heart; masks of the test reserve and
newer ones it has not seen. Labels of the test reserve are judged, and never fitted on. Gold-standard samples
are not judged.

Before all these come labels whose image was replaced since (`ImageTable.open_doubts`): nobody knows whether they hold,
and they are not trained on until somebody answers for the image as it is now.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import numpy as np
from shapely.geometry import mapping

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import placed
from al_loop.domain.quality import PixelWindow, Relabel, RelabelList, RelabelRegion
from al_loop.domain.queries import QueryAnswer, QuerySample
from al_loop.domain.samples import Sample
from al_loop.errors import ArchivedError, InvalidValueError, NoModelError, NotFoundError
from al_loop.quality.label_errors import judge_answers
from al_loop.quality.mask_errors import (
    Contradicted,
    MaskComparison,
    compare_label,
    label_error_regions,
    mask_thresholds,
    model_classes,
)
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from al_loop.store.tables.images import DoubtedLabel
from al_loop.store.tables.relabels import AnsweredSample
from models.card import TaskName, TaskSpec
from models.errors import NonFiniteScoresError
from models.inference.image_model import ImageModel
from models.scoring.embedding_space import fit_space
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from models.tasks import task_of

MAX_QUERY_SIZE = 1000
COMPARE_S = 5.0
"""Seconds that one call spends on comparing masks; the next one goes on."""

REASON = "second look"
"""The reason shown to the annotator: no hint at the first answer, the model's answer, or the test reserve."""

AnsweredSamples = list[AnsweredSample]


@dataclass(eq=False)
class _KnownCandidates:
    """What is remembered of a campaign; a cache."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    key: tuple[object, ...] | None = None
    found: RelabelList | None = None
    version: str = ""
    comparisons: dict[int, MaskComparison | None] = field(default_factory=dict)
    """Of masks with the version, by label."""
    images: dict[int, str | None] = field(default_factory=dict)
    """Digests of the images that these masks were compared on, by label."""


class RelabelQueue:
    """Finds labels that may be wrong, and leases their samples for re-annotation."""

    def __init__(
        self,
        store: LabelStore,
        server: ModelServer,
        embeddings_for: Callable[[Campaign], EmbeddingStore],
    ) -> None:
        """Make a queue that has looked at nothing yet.

        Args:
            store: Where labels and leases are.
            server: Serving models.
            embeddings_for: The embedding store of a campaign.
        """
        self._store, self._server, self._embeddings_for = store, server, embeddings_for
        self._lock = threading.Lock()
        self._known: dict[int, _KnownCandidates] = {}

    def candidates(self, campaign: Campaign, task: TaskName | None = None) -> RelabelList:
        """Labels whose image was replaced, and those that are confidently contradicted, the most suspicious first.

        Labels that were confirmed since are left out.

        Computed once for the labels and the model as they are; masks take several calls (`waiting`). `reserve` is
        filled in: who passes the list on decides whether to show it.

        Args:
            campaign: As stored now.
            task: Only labels for this task.

        Raises:
            NotFoundError: The campaign has no such task.
            NonFiniteScoresError: Embeddings that are NaN or infinite.
        """
        if task is not None and campaign.task(task) is None:
            raise NotFoundError("task", task, f"campaign {campaign.name!r} has {[s.task for s in campaign.tasks]}")
        with self._lock:
            known = self._known.setdefault(campaign.campaign_id, _KnownCandidates())
        with known.lock:
            found = self._find(known, campaign)
        if task is None:
            return found
        return msgspec.structs.replace(found, relabels=[entry for entry in found.relabels if entry.task == task])

    def query(self, campaign: Campaign, *, annotator: str, query_size: int, now: datetime) -> QueryAnswer:
        """Lease label error candidates to an annotator, the most suspicious first.

        Nobody is asked about their own label, unless nobody else has ever asked this campaign for samples, or its
        image was replaced.

        Args:
            campaign: As stored now.
            annotator: Who asks.
            query_size: Samples wanted, 1 to 1000.
            now: Start of the leases.

        Raises:
            ArchivedError: The campaign is put away.
            InvalidValueError: The query size is out of range.
        """
        if campaign.archived_at is not None:
            raise ArchivedError(campaign.name)
        if not 1 <= query_size <= MAX_QUERY_SIZE:
            raise InvalidValueError("$.query_size", f"{query_size} is not between 1 and {MAX_QUERY_SIZE}")
        found = self.candidates(campaign)
        mine = [entry for entry in found.relabels if entry.annotator == annotator and entry.reason is None]
        candidates = [entry for entry in found.relabels if entry.annotator != annotator or entry.reason is not None]
        if not self._store.relabels.others_ask(campaign.campaign_id, annotator):
            candidates += mine
        opened = self._store.relabels.open(
            campaign.campaign_id,
            annotator=annotator,
            query_size=query_size,
            version=found.version,
            candidates=[(entry.sample_id, entry.label_id) for entry in candidates],
            reasons={entry.sample_id: entry.reason or REASON for entry in reversed(candidates)},
            lease_s=campaign.settings.lease_s,
            now=now,
        )
        path_of = {entry.sample_id: entry.path for entry in found.relabels}
        return QueryAnswer(
            query_id=None if opened is None else opened.query_id,
            lease_expires_at=None if opened is None else opened.expires_at,
            samples=[
                QuerySample(sample_id=pick.sample_id, path=path_of[pick.sample_id], score=None, reason=pick.reason)
                for pick in ([] if opened is None else opened.picks)
            ],
            reason=_why_nothing(found, candidates, annotator) if opened is None else None,
            strategy="relabel",
            version=found.version,
        )

    def _find(self, known: _KnownCandidates, campaign: Campaign) -> RelabelList:
        number = campaign.campaign_id
        version = self._server.serving_version(campaign) or FEATURES
        key = version, self._store.campaign_version(number), campaign.tasks, campaign.settings
        if known.found is not None and known.key == key and not known.found.waiting:
            return known.found
        if known.version != version:
            known.version, known.comparisons = version, {}
        settled = self._store.relabels.settled(number, version)
        relabels: list[Relabel] = []
        waiting = 0
        for spec in campaign.tasks:
            answers = self._store.relabels.answers(number, spec.task)
            task = task_of(spec)
            if task.per_pixel:
                some, waiting = self._masks(known, campaign, answers)
                relabels += some
            elif spec.classes and task.answered_with == "classes":
                relabels += self._classes(campaign, spec, answers, version)
        kept = [entry for entry in relabels if (entry.sample_id, entry.task) not in settled]
        kept.sort(key=lambda entry: (-entry.suspicion, entry.label_id))
        kept = [_replaced(entry) for entry in self._store.images.open_doubts(number)] + kept
        known.key, known.found = key, RelabelList(relabels=kept, version=version, waiting=waiting)
        return known.found

    def _classes(self, campaign: Campaign, spec: TaskSpec, answers: AnsweredSamples, version: str) -> list[Relabel]:
        embeddings = self._embeddings_for(campaign).load(version)
        if not len(embeddings.sample_ids):
            return []
        positions, present = _located([entry.label.sample_id for entry in answers], embeddings.sample_ids)
        judged = [entry for entry, there in zip(answers, present, strict=True) if there]
        if not judged:
            return []
        raw = np.asarray(embeddings.values[positions], np.float32)
        broken = np.flatnonzero(~np.isfinite(raw).all(axis=1))
        if len(broken):
            raise NonFiniteScoresError("embeddings", [judged[row].label.sample_id for row in broken.tolist()])
        verdicts = judge_answers(
            spec,
            [entry.label.classes or [] for entry in judged],
            np.asarray(fit_space([raw]).apply([raw]), np.float32),
            [entry.block for entry in judged],
            np.array([entry.reserve for entry in judged], np.bool_),
        )
        return [
            _relabel(judged[verdict.row], judged[verdict.row].label.classes or [], verdict.suggested, verdict.suspicion)
            for verdict in verdicts
        ]

    def _masks(
        self, known: _KnownCandidates, campaign: Campaign, answers: AnsweredSamples
    ) -> tuple[list[Relabel], int]:
        """Label error candidates among drawn masks, and how many masks were not compared yet, newest first."""
        try:
            model = self._server.batcher(campaign).pin()
        except NoModelError:
            return [], 0
        names = model_classes(model, campaign)
        if not names or model.card.version != known.version:
            return [], 0
        samples = self._store.samples.get_many(campaign.campaign_id, [entry.label.sample_id for entry in answers])
        self._compare(known, campaign, answers, samples, model)
        done = [(entry, found) for entry in answers if (found := known.comparisons.get(entry.label.label_id))]
        thresholds = mask_thresholds((found for _, found in done), len(names) + 1)
        relabels = []
        for entry, found in done:
            regions = [
                _region(region, names, samples[entry.label.sample_id])
                for region in label_error_regions(found, thresholds)
            ]
            if regions:
                worst = regions[0]
                given, suggested = ([name] if name else [] for name in (worst.given, worst.suggested))
                relabels.append(_relabel(entry, given, suggested, worst.suspicion, regions))
        return relabels, sum(entry.label.label_id not in known.comparisons for entry in answers)

    def _compare(
        self,
        known: _KnownCandidates,
        campaign: Campaign,
        answers: AnsweredSamples,
        samples: dict[int, Sample],
        model: ImageModel,
    ) -> None:
        images = {entry.label.label_id: samples[entry.label.sample_id].digest for entry in answers}
        current = {number for number, digest in images.items() if known.images.get(number, digest) == digest}
        known.images = images
        known.comparisons = {label_id: found for label_id, found in known.comparisons.items() if label_id in current}
        deadline = time.monotonic() + COMPARE_S
        for entry in sorted(answers, key=lambda entry: -entry.label.label_id):
            label = entry.label
            if label.label_id in known.comparisons:
                continue
            known.comparisons[label.label_id] = compare_label(campaign, samples[label.sample_id], label, model)
            if time.monotonic() > deadline:
                return


def _located(sample_ids: Sequence[int], known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the sample ids that are known, and which ones are."""
    asked = np.asarray(sample_ids, np.int64)
    rows = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    present = known[rows] == asked
    return rows[present], present


def _relabel(
    entry: AnsweredSample,
    given: list[str],
    suggested: list[str],
    suspicion: float,
    regions: list[RelabelRegion] | None = None,
) -> Relabel:
    label = entry.label
    return Relabel(
        sample_id=label.sample_id,
        path=label.path,
        task=label.task,
        given=given,
        suggested=suggested,
        suspicion=suspicion,
        label_id=label.label_id,
        annotator=label.annotator,
        labelled_at=label.labelled_at,
        regions=regions,
        reserve=entry.reserve,
    )


def _replaced(entry: DoubtedLabel) -> Relabel:
    return Relabel(
        sample_id=entry.sample_id,
        path=entry.path,
        task=entry.task,
        given=entry.classes or [],
        suggested=[],
        suspicion=1.0,
        label_id=entry.label_id,
        annotator=entry.annotator,
        labelled_at=entry.labelled_at,
        reserve=entry.reserve,
        reason=entry.reason,
    )


def _region(region: Contradicted, names: Sequence[str], sample: Sample) -> RelabelRegion:
    there = placed(region.outline, sample)
    return RelabelRegion(
        window=PixelWindow(**region.window._asdict()),
        area_px=region.area_px,
        given=names[region.given - 1] if region.given else None,
        suggested=names[region.predicted - 1] if region.predicted else None,
        suspicion=region.suspicion,
        geometry=None if there is None else dict(mapping(there)),
    )


def _why_nothing(found: RelabelList, candidates: Sequence[Relabel], annotator: str) -> str:
    if found.waiting:
        return f"{found.waiting} masks are still to be compared with {found.version}: ask again"
    if not found.relabels:
        return f"no label is confidently contradicted by {found.version}"
    if not candidates:
        return f"all doubtful labels ({len(found.relabels)}) are by {annotator}, so they wait for others"
    return f"all doubtful labels ({len(candidates)}) are being checked already, or were skipped"
