"""Scores what a model version has not scored yet: pool to subprocess to store. Also the features of a cold start."""

import shutil
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.runtime.executor import Executor, run_program
from al_loop.runtime.processes import ProcessFailedError, run_supervised
from al_loop.scoring.embedding_versions import is_encoder, newest_encoder
from al_loop.store import LabelStore
from models.errors import ScoringError
from models.progress import ProgressLine
from models.registry import ModelRegistry
from models.scoring.cells.grid import CellGrid
from models.scoring.embeddings import EmbeddingStore
from models.scoring.part_check import check_part
from models.scoring.spec import FEATURES, SCORES_FILE, next_part, write_spec
from models.tasks import task_of

_GRID = CellGrid()


class PoolScorer:
    """Runs `models.score_pool` over the samples that lack a score, or an encoder's embedding, of one version."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        clock: Callable[[], datetime],
        grid: CellGrid | None = _GRID,
        threads: int | None = None,
        *,
        executor: Executor = run_supervised,
    ) -> None:
        """Score samples of a store.

        Args:
            store: Where samples are listed and scores go.
            layout: Where parts lie.
            clock: Tells the time of scores.
            grid: How finely the samples of segmentation campaigns are cut into cells that features and encoders
                describe as well; None: not at all.
            threads: CPU threads of a model that scores; None: all cores.
            executor: Runs the scoring.
        """
        self._store = store
        self._layout = layout
        self._clock = clock
        self._grid = grid
        self._threads = threads
        self._executor = executor
        self._skipped: dict[tuple[int, str], set[int]] = {}
        """Samples that a version could not score; they are tried again after a restart only."""

    def wanted_version(self, campaign: Campaign) -> str:
        """The version whose scores queries use now: the serving one, or plain image features before there is any."""
        return campaign.current_version or FEATURES

    def wanted_versions(self, campaign: Campaign) -> list[str]:
        """Versions that new samples are scored with: `wanted_version`, and the newest encoder made without labels."""
        encoder = newest_encoder(self._store, campaign)
        return [self.wanted_version(campaign), *([] if encoder is None else [encoder])]

    def score(
        self,
        campaign: Campaign,
        version: str,
        *,
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
    ) -> int:
        """Score every sample that has no score of `version`; return how many rows were ingested.

        The part becomes visible in one step, after the subprocess ended well; a crash leaves only a `.part-*`
        directory, which the next run removes.

        Raises:
            ProcessFailedError: The subprocess ended badly, or left files that cannot be used.
            ProcessCancelledError: `cancelled` was set.
        """
        skipped = self._skipped.setdefault((campaign.campaign_id, version), set())
        unscored = self._store.scores.unscored(campaign.campaign_id, version)
        samples = [(sample_id, path) for sample_id, path in unscored if sample_id not in skipped]
        if not samples:
            return 0
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
        skipped.update(entry.sample_id for entry in unusable)
        return self._store.scores.ingest(campaign.campaign_id, version, final / SCORES_FILE, self._clock())

    def _write_spec(self, campaign: Campaign, version: str, samples: list[tuple[int, str]], staging: Path) -> Path:
        paths = [(sample_id, str(Path(campaign.root) / path)) for sample_id, path in samples]
        segments = any(task_of(spec).per_pixel for spec in campaign.tasks)
        cells = self._grid if segments and (version == FEATURES or is_encoder(version)) else None
        if version == FEATURES:
            bands = campaign.bands or list(range(1, (campaign.source_bands or 1) + 1))
            return write_spec(
                staging, paths, version=version, model_dir=None, bands=bands, tasks=[], cells=cells,
                band_policy=campaign.band_policy,
            )  # fmt: skip
        home = self._layout.encoders if is_encoder(version) else self._layout.models
        registry = ModelRegistry(home(campaign.folder))
        card = registry.card(version)
        return write_spec(
            staging, paths, version=version, model_dir=registry.path(version).resolve(), bands=card.bands,
            tasks=card.tasks, threads=self._threads, cells=cells,
        )  # fmt: skip
