"""Builds the loop from its parts, in the order they depend on each other, and takes it down again."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from al_loop.campaigns.bands import decide_again
from al_loop.campaigns.deletion import describe_deletion, remove_files
from al_loop.campaigns.imagery.copies import spare_copies
from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.leftovers import remove_leftovers
from al_loop.campaigns.notices import campaign_notices
from al_loop.domain.band_rules import check_bands
from al_loop.domain.campaigns import Campaign, CampaignSettings, Deletion
from al_loop.domain.round_limits import check_limits
from al_loop.errors import ConflictError
from al_loop.quality.model_agreement import SuccessiveModels
from al_loop.quality.relabel_queue import RelabelQueue
from al_loop.quality.savings import should_fall_back
from al_loop.quality.savings_report import SavingsReporter
from al_loop.quality.suggestion_outcomes import Assessor
from al_loop.querying.points import SpreadPoints
from al_loop.querying.sampler import Sampler
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.disk import DataDisk
from al_loop.runtime.executor import Executor
from al_loop.runtime.jobs import JobRunner
from al_loop.runtime.processes import run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.runtime.tick_errors import TickErrors
from al_loop.scaneo.links import ScaneoLinks
from al_loop.scaneo.port import OpenScaneo
from al_loop.scheduler import LoopScheduler
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.frozen_encoder import forget_frozen_encoder, renew_frozen_encoder
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.scoring.refit import HeadRefitter
from al_loop.serving.model_copies import ModelCopies
from al_loop.serving.model_server import ModelServer
from al_loop.serving.pictures.service import PictureService
from al_loop.serving.pictures.super_resolved import LoadResolver
from al_loop.serving.predictions import PredictionService
from al_loop.serving.sam.outline import OutlineService
from al_loop.serving.scene_predictions import ScenePredictionRunner
from al_loop.serving.shadow.answering import ShadowModel
from al_loop.serving.shadow.homes import StoreHome
from al_loop.serving.tensors import TensorService
from al_loop.serving.uncertain_points import UncertainPoints
from al_loop.serving.uncertainty.service import UncertaintyService
from al_loop.store import LabelStore
from al_loop.training.comparison.running import ComparisonRunner
from al_loop.training.gate.challengers import Challengers
from al_loop.training.installed import can_embed
from al_loop.training.lineage.reproducing import ReproductionRunner
from al_loop.training.outlook import RoundOutlook
from al_loop.training.pretrainings import PretrainingRunner
from al_loop.training.retention.pruner import Pruner
from al_loop.training.rounds import RoundRunner
from al_loop.training.running.left_on_cluster import LeftOnCluster
from al_loop.training.super_resolution.running import SuperResolutionRunner
from al_loop.training.triggers.drift_watch import DriftWatch
from al_loop.upkeep.archive import Compression
from al_loop.upkeep.backup import BackupStream, take_backup
from al_loop.webhooks.conditions import ConditionWatch
from al_loop.webhooks.dispatcher import WebhookDispatcher
from al_loop.webhooks.port import SendWebhook, send_nothing
from models.inference.predictor import Predictor
from models.inference.promptable import PromptableModel
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from models.super_resolution.resolver import SuperResolver

logger = logging.getLogger(__name__)

STOP_S = 30.0
"""Seconds in which what runs for a campaign that is deleted has to end."""

HEAD_PAUSE_S = 0.5
"""Seconds between two refits of the light heads, at least."""

CHALLENGER_PAUSE_S = 2.0
"""Seconds between two looks at what labels say of a challenger, at least."""

CONDITION_PAUSE_S = 5.0
"""Seconds between two looks at what webhooks are told of because it holds, at least."""

MEASURE_S = 600.0
"""Seconds between two measurements of the data directory."""

PRUNE_PAUSE_S = 5.0
"""Seconds between two looks for files that are not kept, at least."""

COPY_S = 2.0
"""Seconds between two looks for a serving model that has no copy yet."""

CLUSTER_LOOK_S = 15.0
"""Seconds between two looks whether the head of the cluster answers."""

ASSIST_PAUSE_S = 2.0
"""Seconds between two looks for labels that answer a suggestion, at least."""


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


class Loop:
    """One data directory at work: store, models, rounds, queries and the ticking scheduler."""

    def __init__(
        self,
        data: Path,
        *,
        open_scaneo: OpenScaneo,
        clock: Callable[[], datetime] = utc_now,
        threads: int | None = None,
        load_model: Callable[[Path], Predictor] = Predictor,
        load_super_resolution: LoadResolver = SuperResolver,
        max_image_bytes: int,
        retrain_tick_s: float = 2.0,
        score_tick_s: float = 2.0,
        rounds_at_once: int = 1,
        sam_model: Path | None = None,
        executor: Executor = run_supervised,
        cluster: RayExecutor | None = None,
        artefacts: str | None = None,
        send_webhook: SendWebhook = send_nothing,
    ) -> None:
        """Open the data directory, load the serving models and recover what a stop interrupted.

        Args:
            data: Directory of the service; made if missing.
            open_scaneo: Makes a client of the SCANEO at an address.
            clock: Gives aware UTC times.
            threads: CPU threads of one run of a model that scores or outlines; None: all cores.
            load_model: Loads a version that serves.
            load_super_resolution: Loads a model that makes a view.
            max_image_bytes: Most bytes that the pixels of an uploaded image take, as float32 at least.
            retrain_tick_s: Seconds between two looks at the retrain policies, at least.
            score_tick_s: Seconds between two looks for samples without a score, at least.
            rounds_at_once: How many campaigns may train side by side.
            sam_model: ONNX file that outlines what was clicked (`models.inference.promptable`); None: regions grow.
            executor: Runs training and pool scoring.
            cluster: Runs them instead, on a cluster.
            artefacts: fsspec URL at which replicas find the serving models; None: they read the data directory.
            send_webhook: Sends one request to whoever subscribed.

        Raises:
            StoreLockedError: Another process works on the same data directory.
            PromptableModelError: `sam_model` is not what it has to be.
        """
        self.tick_errors = errors = TickErrors()
        promptable = None if sam_model is None else PromptableModel(sam_model, threads=threads)
        data.mkdir(parents=True, exist_ok=True)
        self.clock = clock
        self.layout = DataLayout(data)
        self.disk = DataDisk(data)
        self.store = LabelStore.open(self.layout.database)
        self._embedding_stores: dict[str, EmbeddingStore] = {}
        self.server = ModelServer(self.store, self.layout, load=load_model)
        self.cluster, scoring = cluster, executor
        if cluster is not None:
            executor, scoring = cluster, partial(cluster, patient=False)  # the scheduler tries again, and others wait
        self.scorer = PoolScorer(
            self.store, self.layout, clock, threads=threads, executor=scoring, frozen_encoder=can_embed()
        )
        slots = TrainingSlots(rounds_at_once)
        self.rounds = RoundRunner(
            self.store, self.layout, self.server, self.scorer, slots, clock,
            rounds_at_once=rounds_at_once, executor=executor,
        )  # fmt: skip
        self.pretrainings = PretrainingRunner(self.store, self.layout, self.scorer, slots, clock, executor=executor)
        self.reproductions = ReproductionRunner(self.store, self.layout, slots, clock, executor=executor)
        self.scene_predictions = ScenePredictionRunner(self.store, self.layout, self.server, clock, threads=threads)
        self.comparisons = ComparisonRunner(self.store, self.layout, slots, clock, executor=executor)
        self.super_resolutions = SuperResolutionRunner(self.store, self.layout, clock)
        self._runners: Sequence[JobRunner[Campaign, Any, Any]] = (
            self.pretrainings, self.rounds, self.reproductions, self.scene_predictions, self.comparisons,
            self.super_resolutions,
        )  # fmt: skip
        """In the order in which their jobs are taken up again."""
        self.scores = CurrentScores(self.store, self._embeddings)
        points = UncertainPoints(self.store, self.server, SpreadPoints(self.store))
        self.sampler = Sampler(self.store, self.scores, points=points)
        self.shadow = ShadowModel(StoreHome(self.store, self.server), clock)
        self.challengers = Challengers(self.store, self.server, self.shadow, clock)
        self.predictions = PredictionService(
            self.store, self.server, clock, journal=self.layout.shown_journal, max_bytes=max_image_bytes,
            errors=errors, shadow=self.shadow,
        )  # fmt: skip
        self.tensors = TensorService(self.store, self.server, max_bytes=max_image_bytes)
        self.relabels = RelabelQueue(self.store, self.server, self._embeddings)
        self.model_agreement = SuccessiveModels(self.store, self._embeddings)
        self.savings = SavingsReporter(self.store, self.scores.of)
        self.pictures = PictureService(self.store, self.server, self.layout, load_super_resolution)
        self.outlook = RoundOutlook(self.store, clock)
        self.uncertainty = UncertaintyService(self.store, self.server, self.layout.temporary)
        self.prompts = OutlineService(self.store, self.server, max_bytes=max_image_bytes, model=promptable)
        self.scheduler = LoopScheduler(
            self.store, self.rounds, self.scorer, self.outlook, DriftWatch(self.store, self._embeddings, clock), clock,
            retrain_tick_s=retrain_tick_s, score_tick_s=score_tick_s, errors=errors,
        )  # fmt: skip
        self.refitter = HeadRefitter(
            self.store, self.layout, self.scores, self._is_worse_than_random, self.sampler.wants_bald, clock
        )
        self.scheduler.follow("heads", HEAD_PAUSE_S, self.refitter.look, quiet=True)
        assessor = Assessor(self.store, self.predictions.flush)
        self.scheduler.follow("assists", ASSIST_PAUSE_S, assessor.look, quiet=True)
        self.scheduler.follow("challengers", CHALLENGER_PAUSE_S, self.challengers.look, quiet=True)
        self.links = ScaneoLinks(
            self.store, self.layout, self.sampler, open_scaneo, clock, self.predictions.flush, self.scheduler.ticks,
            self.predictions.suggest,
        )  # fmt: skip
        self.pruner = Pruner(self.store, self.layout, clock)
        self.scheduler.follow("retention", PRUNE_PAUSE_S, self.pruner.look, quiet=True)
        self.webhooks = WebhookDispatcher(self.store, send_webhook, clock, errors)
        conditions = ConditionWatch(self.store, self.links, clock)
        self.scheduler.follow("events", CONDITION_PAUSE_S, conditions.look_at_pool, quiet=True)
        self.scheduler.ticks.every(2 * CONDITION_PAUSE_S, "events of links", conditions.look_at_links)
        self.copies = ModelCopies(self.store, self.server, artefacts)
        if artefacts is not None:
            self.scheduler.ticks.every(COPY_S, "copies of models for replicas", self.copies.copy)
        if cluster is not None:
            self.scheduler.ticks.every(CLUSTER_LOOK_S, "the Ray cluster", cluster.state.look)
            left = LeftOnCluster(cluster, self.store, self.layout)
            self.scheduler.ticks.every(CLUSTER_LOOK_S, "programs left on the Ray cluster", left.look)
        self.scheduler.ticks.every(MEASURE_S, "size of the data directory", self.disk.measure, at_once=True)
        self.store.removals.remove_orphans()
        remove_files(self.store, self.layout)
        remove_leftovers(self.layout)
        self.server.remove_leftovers()
        self.server.start(clock())  # before rounds go on, which are compared with what serves
        for campaign in self.store.campaigns.list():
            renew_frozen_encoder(self.store, self.layout, campaign)
            for runner in self._runners:
                runner.recover(campaign)

    def start(self) -> None:
        """Begin to start rounds by policy, to score new samples, to rank ahead and to watch links."""
        self.sampler.start(self.tick_errors)
        self.scheduler.start()
        self.links.start()
        self.webhooks.start()

    def rename(self, campaign: Campaign, name: str) -> None:
        """Rename a campaign; its addresses change, its files stay where they are.

        Raises:
            InvalidValueError: It cannot be a name.
            DuplicateCampaignError: It is taken.
            ConflictError: SCANEO calls the campaign's models by its name.
        """
        self._check_unlinked(campaign, "renamed")
        self.store.campaigns.rename(campaign.campaign_id, name)

    def change_settings(self, campaign: Campaign, settings: CampaignSettings) -> None:
        """Replace a campaign's settings; where images are read by other bands then, what was made of them is dropped.

        Raises:
            InvalidValueError: A value breaks a rule, contradicts the images or names a model that cannot be used, or no
                image can be read to tell its bands.
        """
        check_limits(settings.limits, self.disk.total_bytes)
        bands = decide_again(self.store, campaign, settings)
        count = campaign.source_bands if bands is None else bands.source_bands
        if bands is not None or settings.reading != campaign.settings.reading:  # what was stored before goes on
            check_bands(settings, count, "$")
        self.pictures.check_settings(campaign, settings, count)
        self.store.campaigns.set_settings(campaign.campaign_id, settings, bands)
        old = campaign.settings
        if bands is not None or old.reading != settings.reading:
            self.scheduler.stop(campaign)  # a scoring run began with the bands as they were
            shutil.rmtree(self.layout.scores(campaign.folder) / FEATURES, ignore_errors=True)
            forget_frozen_encoder(self.layout, campaign)
            self._embedding_stores.pop(campaign.folder, None)
            self.store.scores.forget(campaign.campaign_id)
            self.pictures.forget_bands(campaign)

    def archive(self, campaign: Campaign, *, archived: bool) -> None:
        """Put a campaign away, which ends what runs for it, or bring it back."""
        self.store.campaigns.set_archived(campaign.campaign_id, self.clock() if archived else None)
        if archived:
            self.scheduler.stop(campaign)
            self.shadow.attend(campaign, None)
            self._cancel_jobs(campaign)

    def deletion(self, campaign: Campaign) -> Deletion:
        """What `delete` would remove."""
        running = [job for runner in self._runners for job in runner.unfinished(campaign).values()]
        return describe_deletion(self.store, self.layout, campaign, running)

    def delete(self, campaign: Campaign) -> Deletion:
        """Remove a campaign for good, but for its images; says what was removed.

        It is archived first, and what runs for it is cancelled. Its rows go in one commit, its files after that: a kill
        leaves the whole campaign, archived, or nothing but files that the next start removes.

        Raises:
            ConflictError: It is linked to SCANEO, or what runs for it does not end.
        """
        self._check_unlinked(campaign, "deleted")
        removed = self.deletion(campaign)
        self.archive(campaign, archived=True)
        deadline = time.monotonic() + STOP_S
        while self.deletion(campaign).running:
            if time.monotonic() > deadline:
                raise ConflictError(f"{' and '.join(removed.running)} of {campaign.name!r} is still ending; try again")
            time.sleep(0.1)
        self.store.removals.delete(campaign.campaign_id)
        self.server.unload(campaign)
        self.pictures.forget_campaign(campaign)
        self._embedding_stores.pop(campaign.folder, None)
        self.scheduler.stop(campaign)
        remove_files(self.store, self.layout)
        logger.info("deleted: %s", removed.sentence)
        return removed

    def remove_sample(self, campaign: Campaign, sample_id: int) -> None:
        """Take a sample out of a campaign with its labels; its file stays.

        Raises:
            NotFoundError: The campaign has no such sample.
            ConflictError: It is linked to SCANEO, which would bring the sample back.
        """
        self._check_unlinked(campaign, "made smaller")
        self.store.removals.remove_sample(campaign.campaign_id, sample_id, self.clock())
        self.pictures.forget_sample(campaign, sample_id)

    def remove_duplicates(self, campaign: Campaign) -> list[str]:
        """Take copies without labels of their own out of a campaign; returns their paths. Their files stay.

        Raises:
            ConflictError: It is linked to SCANEO, which would bring the samples back.
        """
        self._check_unlinked(campaign, "made smaller")
        spare = spare_copies(self.store, campaign)
        for copy in spare:
            self.store.removals.remove_sample(campaign.campaign_id, copy.sample_id, self.clock())
            self.pictures.forget_sample(campaign, copy.sample_id)
        return [copy.path for copy in spare]

    def notices(self, campaign: Campaign) -> list[str]:
        """What an operator should know of a campaign, a line each, the most pressing first."""
        cluster = [] if self.cluster is None or campaign.archived_at is not None else self.cluster.state.notices
        return [*cluster, *self.pictures.notices(campaign), *campaign_notices(self.store, campaign)]

    def backup(self, *, embeddings: bool = False, compression: Compression = "none") -> BackupStream:
        """The present state of the data directory as an archive; see `take_backup`."""
        self.predictions.flush()
        return take_backup(self.store, self.layout, self.clock, embeddings=embeddings, compression=compression)

    def close(self) -> None:
        """Stop everything, children first, the store last. What runs on a cluster goes on."""
        if self.cluster is not None:
            self.cluster.leave()
        self.webhooks.close()
        self.links.close()
        self.scheduler.close()
        self.sampler.close()
        self.rounds.close()  # before pretrainings, whose places waiting rounds would take otherwise
        for runner in self._runners:
            runner.close()
        self.predictions.close()
        self.shadow.close()
        self.pictures.close()
        self.server.close()
        self.store.close()

    def _check_unlinked(self, campaign: Campaign, what: str) -> None:
        if self.store.scaneo.find(campaign.campaign_id) is not None:
            raise ConflictError(
                f"campaign {campaign.name!r} is linked to SCANEO and cannot be {what}; undo the link first: "
                f"al-loop scaneo disconnect {campaign.name}"
            )

    def _cancel_jobs(self, campaign: Campaign) -> None:
        for runner in self._runners:
            for number in runner.unfinished(campaign):
                with suppress(ConflictError):  # it ended meanwhile
                    runner.cancel(campaign, number)

    def _is_worse_than_random(self, campaign: Campaign) -> bool:
        return should_fall_back(self.savings.savings(campaign))

    def _embeddings(self, campaign: Campaign) -> EmbeddingStore:
        """The one embedding store of a campaign, which keeps what it has read in memory."""
        store = EmbeddingStore(self.layout.scores(campaign.folder))
        return self._embedding_stores.setdefault(campaign.folder, store)
