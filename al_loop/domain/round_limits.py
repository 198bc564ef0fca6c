"""What one round may take of the machine: time, memory, disk, processor. Pure."""

from typing import Annotated

import msgspec

from al_loop.errors import InvalidValueError
from al_loop_records.runs import MB, RunLimits

Seconds = Annotated[float, msgspec.Meta(ge=10, le=10**8)]


class RoundLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the training program of a round may take; a round that breaks a limit fails and says which."""

    wall_s: Seconds | None = 86_400.0
    """Seconds that training may take, all attempts of a round together; null: no limit."""
    stalled_s: Seconds | None = 3_600.0
    """Seconds without a line of progress after which training is taken to hang and is ended; null: never."""
    memory_mb: Annotated[int, msgspec.Meta(ge=1_000, le=10**9)] | None = None
    """Memory that training may use, in MB (10^6 bytes); null: what the machine has. Before it
    trains, a round takes about 700."""
    memory_retries: Annotated[int, msgspec.Meta(ge=0, le=8)] = 2
    """How often a round for which memory did not suffice, the GPU's too, is tried again with half the batch."""
    gpu_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """Share of a GPU's memory that training may take; what is beyond it counts as lack of memory."""
    least_free_mb: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 200
    """Free space on the disk of the data directory that a round needs to begin, and leaves while it trains, in MB."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=4_096)] | None = None
    """Processors that training runs on (Linux); null: all."""
    nice: Annotated[int, msgspec.Meta(ge=10, le=19)] = 10
    """Priority of training beside what answers annotators, which has 0: 10 is a tenth of its share of a busy processor,
    19 about a sixtieth."""

    @property
    def of_the_program(self) -> RunLimits:
        """Those that the program holds itself to."""
        return RunLimits(
            memory_mb=self.memory_mb,
            gpu_share=self.gpu_share,
            least_free_mb=self.least_free_mb,
            threads=self.threads,
            nice=self.nice,
        )


def check_limits(limits: RoundLimits, disk_bytes: int, path: str = "$.limits") -> None:
    """Refuse limits under which no round could run.

    Args:
        limits: As sent; types and ranges are checked already.
        disk_bytes: Size of the disk of the data directory.
        path: JSON path of the limits in what was sent.

    Raises:
        InvalidValueError: Names the field.
    """
    chosen = limits.least_free_mb != RoundLimits().least_free_mb  # the default is nobody's mistake
    if chosen and limits.least_free_mb * MB >= disk_bytes:
        raise InvalidValueError(
            f"{path}.least_free_mb",
            f"{limits.least_free_mb:,} MB is as much as the whole disk has ({disk_bytes / MB:,.0f} MB): no round "
            "would ever start",
        )
