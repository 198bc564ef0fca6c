"""Scores what a model version has not scored yet: pool to subprocess to store. Also the features of a cold start."""

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from al_loop.campaigns.imagery.checking import check_images
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import ScoringProgress
from al_loop.domain.scoring_pace import ScoringPace
from al_loop.runtime.executor import Executor, run_program
from al_loop.runtime.processes import ProcessFailedError, run_supervised
from al_loop.scoring.embedding_versions import is_encoder, newest_encoder
from al_loop.scoring.frozen_encoder import make_frozen_encoder
from al_loop.store import LabelStore
from al_loop.store.tables.images import FileState
from al_loop.store.tables.renewals import FileProblem
from models.errors import ScoringError
from models.progress import ProgressLine
from models.registry import ModelRegistry
from models.scoring.embeddings import EmbeddingStore
from models.scoring.part_check import check_part
from models.scoring.spec import FEATURES, FROZEN, SCORES_FILE, SkippedSample, next_part, write_spec

PART_SAMPLES = 5_000
"""Samples that an encoder describes in one run: about half a minute of two cores for chips of 64 px."""


class PoolScorer:
    """Runs `models.score_pool` over the samples that lack a score, or an encoder's embedding, of one version."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        clock: Callable[[], datetime],
        threads: int | None = None,
        *,
        executor: Executor = run_supervised,
        frozen_encoder: bool = False,
    ) -> None:
        """Score samples of a store.

        Args:
            store: Where samples are listed and scores go.
            layout: Where parts lie.
            clock: Tells the time of scores.
            threads: CPU threads of a model that scores; None: all cores.
            executor: Runs the scoring.
            frozen_encoder: Whether pools are embedded by the shipped encoder, too.
        """
        self._store = store
        self._layout = layout
        self._clock = clock
        self._threads = threads
        self._executor = executor
        self._frozen_encoder = frozen_encoder
        self._progress: dict[int, ScoringProgress] = {}
        self._skipped: dict[tuple[int, str], dict[int, int]] = {}
        """Samples of no use to a version, and when their files were modified, in ns: tried again when these change, or
        after a restart. Files that cannot be read are the store's matter (`ImageTable`)."""

    def wanted_version(self, campaign: Campaign) -> str:
        """The version whose scores queries use now: the serving one, or plain image features before there is any."""
        return campaign.current_version or FEATURES

    def wanted_versions(self, campaign: Campaign) -> list[str]:
        """Versions that new samples are scored with: `wanted_version`, the shipped encoder, the newest own encoder."""
        encoder = newest_encoder(self._store, campaign)
        frozen = [FROZEN] if self._frozen_encoder and campaign.source_bands is not None else []
        return [self.wanted_version(campaign), *frozen, *([] if encoder is None else [encoder])]

    def score(
        self,
        campaign: Campaign,
        version: str,
        *,
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
        pause: Callable[[], bool] = lambda: False,
    ) -> int:
        """Score every sample that has no score of `version`; return how many rows were ingested.

        A part becomes visible in one step, after its subprocess ended well; a crash leaves only a `.part-*` directory,
        which the next run removes. An encoder's embeddings come in parts of `PART_SAMPLES`, so that a stop loses little
        of a large pool. Between two of them `pause` is asked whether to leave the rest for later.

        Raises:
            ProcessFailedError: The subprocess ended badly, or left files that cannot be used.
            ProcessCancelledError: `cancelled` was set.
        """
        skipped = self._skipped.setdefault((campaign.campaign_id, version), {})
        unscored = self._unscored(campaign, version, skipped)
        if unscored and check_images(self._store, campaign, self._clock(), [file.sample_id for file in unscored]):
            unscored = self._unscored(campaign, version, skipped)
        if not unscored or not self._is_made(campaign, version, on_progress, cancelled):
            return 0
        size = PART_SAMPLES if is_encoder(version) else len(unscored)
        earlier = self._store.scores.counts(campaign.campaign_id).get(version, 0)
        pace = ScoringPace(version, earlier, len(unscored))
        ingested = 0
        try:
            for start in range(0, len(unscored), size):
                if start and pause():
                    break

                def report(line: ProgressLine, start: int = start) -> None:
                    self._progress[campaign.campaign_id] = pace.at(start + line.done)
                    on_progress(msgspec.structs.replace(line, done=start + line.done, total=len(unscored)))

                part = unscored[start : start + size]
                ingested += self._score_part(campaign, version, part, skipped, on_phase, report, cancelled)
        finally:
            self._progress.pop(campaign.campaign_id, None)
        check_images(self._store, campaign, self._clock(), [file.sample_id for file in unscored])  # changed meanwhile
        return ingested

    def progress(self, campaign_id: int) -> ScoringProgress | None:
        """How far a scoring that is going on is; None: none is."""
        return self._progress.get(campaign_id)

    def _score_part(
        self,
        campaign: Campaign,
        version: str,
        unscored: Sequence[FileState],
        skipped: dict[int, int],
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
    ) -> int:
        """Score some samples as one part; returns how many rows were ingested. Adds to `skipped`."""
        samples = [(file.sample_id, file.path) for file in unscored]
        directory = self._layout.scores(campaign.folder) / version
        final = next_part(directory)
        for leftover in directory.glob(".part-*"):
            shutil.rmtree(leftover)
        staging = directory / f".part-{final.name}"
        staging.mkdir()
        spec = self._write_spec(campaign, version, samples, staging)
        run_program(
            self._executor,
            "models.score_pool",
            [str(spec.resolve())],
            staging,
            on_phase=on_phase,
            on_progress=on_progress,
            cancelled=cancelled,
        )
        sample_ids = np.array([sample_id for sample_id, _ in samples], np.int64)
        try:
            unusable = check_part(staging, EmbeddingStore(directory.parent).parts(version), sample_ids)
        except ScoringError as error:
            raise ProcessFailedError(str(error)) from error
        staging.replace(final)
        modified = {file.sample_id: file.modified_ns for file in unscored}
        skipped.update({entry.sample_id: modified[entry.sample_id] for entry in unusable if not entry.unreadable})
        paths = dict(samples)
        damaged = {
            entry.sample_id: FileProblem(_reason(entry, paths), modified[entry.sample_id])
            for entry in unusable
            if entry.unreadable and not entry.gone  # what was gone is looked at again whenever it is needed
        }
        self._store.images.fail(campaign.campaign_id, damaged, self._clock())
        return self._store.scores.ingest(campaign.campaign_id, version, final / SCORES_FILE, self._clock())

    def _is_made(
        self,
        campaign: Campaign,
        version: str,
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
    ) -> bool:
        """Whether the version is there; the shipped encoder is made if it is not."""
        return version != FROZEN or make_frozen_encoder(
            self._store, self._layout, campaign,
            executor=self._executor, on_progress=on_progress, cancelled=cancelled,
        )  # fmt: skip

    def _unscored(self, campaign: Campaign, version: str, skipped: Mapping[int, int]) -> list[FileState]:
        unscored = [sample_id for sample_id, _ in self._store.scores.unscored(campaign.campaign_id, version)]
        files = self._store.images.states(campaign.campaign_id, unscored) if unscored else []
        return [file for file in files if skipped.get(file.sample_id) != file.modified_ns]

    def _write_spec(self, campaign: Campaign, version: str, samples: list[tuple[int, str]], staging: Path) -> Path:
        paths = [(sample_id, str(Path(campaign.root) / path)) for sample_id, path in samples]
        if version == FEATURES:
            bands = campaign.bands or list(range(1, (campaign.source_bands or 1) + 1))
            return write_spec(
                staging, paths, version=version, model_dir=None, bands=bands, tasks=[],
                band_policy=campaign.band_policy,
            )  # fmt: skip
        home = self._layout.encoders if is_encoder(version) else self._layout.models
        registry = ModelRegistry(home(campaign.folder))
        card = registry.card(version)
        return write_spec(
            staging, paths, version=version, model_dir=registry.path(version).resolve(), bands=card.bands,
            tasks=card.tasks, threads=self._threads,
        )  # fmt: skip


def _reason(entry: SkippedSample, paths: Mapping[int, str]) -> str:
    """Why a file cannot be read, without its name."""
    return entry.reason.removeprefix(f"{Path(paths[entry.sample_id]).name}: ")
