"""Records of pretrainings: encoders made without labels."""

from datetime import datetime
from enum import StrEnum

import msgspec

from models.pretrain_config import PretrainConfig, PretrainSummary


class PretrainingState(StrEnum):
    """States of a pretraining; the last four are ends."""

    QUEUED = "queued"
    TRAINING = "training"
    EXPORTING = "exporting"
    EMBEDDING = "embedding"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows this state."""
        return self in PRETRAINING_ENDS


PRETRAINING_ENDS = frozenset(
    {
        PretrainingState.FINISHED,
        PretrainingState.FAILED,
        PretrainingState.CANCELLED,
        PretrainingState.INTERRUPTED,
    }
)


class Pretraining(msgspec.Struct, frozen=True, kw_only=True):
    """One encoder in the making, or made."""

    number: int
    state: PretrainingState
    config: PretrainConfig
    """As asked for, with the name of the encoder filled in."""
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: str | None
    """Name of the encoder and of its embeddings, `ssl-<number>`; None until it was exported."""
    summary: PretrainSummary | None
    """What was measured without a label; None until it was exported."""
    error: str | None
    """Why it failed or ended early, or what is left to do, in one sentence."""
    log: list[str] = []
    """Last lines of the subprocess's log; filled for failed ones."""
