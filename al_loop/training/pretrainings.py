"""A pretraining: an encoder from the campaign's own images, exported, and the pool embedded with it.

One runs at a time. It takes one of the places that rounds run in (`al_loop.runtime.slots`), so by default nothing else
trains meanwhile, and a campaign never has a round and a pretraining at work together: whichever comes second waits in
state `queued`. Cancel a pretraining to let a round through.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.create import resolve_root
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Pretraining, PretrainingState
from al_loop.errors import ArchivedError, ConflictError, InvalidValueError
from al_loop.runtime.executor import Executor, ignore
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError, run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from al_loop.training.encoder_run import train_encoder
from al_loop.training.installed import check_can_train, usable_model
from al_loop.training.pairs import check_pairs_by, find_pairs
from models.card import ModelConfig
from models.pretrain_config import BY_PLACE, SHIPPED, PretrainConfig, check_config

PHASES = {"training": PretrainingState.TRAINING, "exporting": PretrainingState.EXPORTING}

PretrainingJob = Job[Campaign, PretrainingState]


class PretrainingRunner(JobRunner[Campaign, Pretraining, PretrainingState]):
    """Starts, follows and cancels pretrainings."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        scorer: PoolScorer,
        slots: TrainingSlots,
        clock: Callable[[], datetime],
        *,
        executor: Executor = run_supervised,
    ) -> None:
        """Make a runner without pretrainings.

        Args:
            store: Where states are kept.
            layout: Where specs and encoders lie.
            scorer: Embeds the pool.
            slots: Shared with the rounds.
            clock: Gives aware UTC times.
            executor: Runs training.
        """
        super().__init__(PretrainingKind(store, layout, scorer, executor), store.pretrainings, slots, clock)
        self._label_store = store

    def start(self, campaign: Campaign, config: PretrainConfig, imagery: Sequence[Path] = ()) -> Pretraining:
        """Store a new pretraining and run it when its turn comes.

        The test reserve is drawn first, if that was not done yet, and left out.

        Args:
            campaign: Whose images.
            config: The recipe.
            imagery: Resolved folders; that of partners must lie inside one of them.

        Raises:
            NotInstalledError: This installation cannot train.
            ArchivedError: The campaign is put away.
            InvalidValueError: The request contradicts itself or names a missing file; carries the JSON path.
            ConflictError: No image is registered outside the test reserve.
            PretrainingRunningError: One of the campaign's is not at its end.
        """
        check_can_train()
        if campaign.archived_at is not None:
            raise ArchivedError(campaign.name)
        config, store = _checked(config, campaign, imagery), self._label_store
        store.samples.draw_reserve(campaign.campaign_id, self._clock())
        if not len(store.samples.paths(campaign.campaign_id, reserve=False)[0]):
            raise ConflictError(f"campaign {campaign.name!r} has no images outside the test reserve; register some")
        if config.pairs_by is not None and (config.pairs_with is None or config.pairs_by != BY_PLACE):
            find_pairs(store, campaign, config)  # quick: only places of partners need their files
        return self.submit(campaign, lambda: store.pretrainings.create(campaign.campaign_id, config, self._clock()))


class PretrainingKind(JobKind[Campaign, Pretraining, PretrainingState]):
    """What a pretraining does."""

    noun = "pretraining"
    start_again = "start again"
    stopped = "the service was stopped; start it again"
    waits_through_a_stop = False
    states = PretrainingState

    def __init__(self, store: LabelStore, layout: DataLayout, scorer: PoolScorer, executor: Executor) -> None:
        self._store, self._layout, self._scorer, self._executor = store, layout, scorer, executor

    def directory(self, owner: Campaign, number: int) -> Path:
        """Of the training."""
        return self._layout.pretraining(owner.folder, number) / "training"

    def after_a_kill(self, record: Pretraining) -> tuple[PretrainingState, str]:
        """Interrupted; one whose encoder was exported is finished, and the scheduler goes on embedding."""
        if record.state is PretrainingState.EMBEDDING:
            why = "the service stopped while the pool was being embedded; that goes on by itself"
            return PretrainingState.FINISHED, why
        return PretrainingState.INTERRUPTED, f"the service stopped while it was {record.state}; start it again"

    def carry_out(self, job: PretrainingJob) -> None:
        """From the images of this moment to an encoder and its embeddings of the pool."""
        campaign = self._store.campaigns.get(job.owner.name)  # its settings may have changed while it waited
        job.enter(PretrainingState.TRAINING)
        card = train_encoder(
            self._store,
            self._layout,
            campaign,
            job.number,
            self._store.pretrainings.get(*job.key).config,
            on_phase=job.phases(PHASES),
            on_progress=job.note,
            cancelled=job.cancelled,
            executor=self._executor,
        )
        job.enter(PretrainingState.EMBEDDING, version=card.version, summary=card.pretraining_summary)
        self._embed(job, campaign, card.version)

    def _embed(self, job: PretrainingJob, campaign: Campaign, version: str) -> None:
        """Embed the pool; trouble here does not take the encoder back, the scheduler goes on."""
        problem = None
        try:
            self._scorer.score(campaign, version, on_phase=ignore, on_progress=job.note, cancelled=job.cancelled)
        except ProcessCancelledError:
            if not job.stopping.is_set():
                raise
            problem = "the service was stopped while the pool was being embedded; that goes on by itself"
        except (ProcessFailedError, OSError) as error:
            problem = f"embedding the pool ended early and will be resumed: {error}"
        job.enter(PretrainingState.FINISHED, error=problem)


def _checked(config: PretrainConfig, campaign: Campaign, imagery: Sequence[Path]) -> PretrainConfig:
    """The config with its encoder named, if it makes sense."""
    if (problem := check_config(config)) is not None:
        raise InvalidValueError(f"$.{problem[0]}", problem[1])
    if config.pretrained_file is not None and not Path(config.pretrained_file).is_file():
        raise InvalidValueError("$.pretrained_file", f"{config.pretrained_file!r} is not a file on this machine")
    if config.pretrained_file is not None:
        config = msgspec.structs.replace(config, pretrained_file=str(Path(config.pretrained_file).absolute()))
    check_pairs_by(config)
    if config.pairs_with is not None:
        folder = resolve_root(config.pairs_with, imagery, "$.pairs_with")
        config = msgspec.structs.replace(config, pairs_with=str(folder))
    if config.encoder is None:
        config = msgspec.structs.replace(config, encoder=campaign.settings.model.encoder)
    start = ModelConfig(encoder=config.encoder or SHIPPED, pretrained_file=config.pretrained_file)
    return msgspec.structs.replace(config, encoder=usable_model(start).model.encoder)
