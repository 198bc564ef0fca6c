"""Of programs that run: what they run in, what they may take, and how far they are."""

import msgspec

MB = 10**6


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model was made."""

    code_version: str
    """Of al-loop."""
    code_digest: str
    """sha256 over the sources of the package `models`, which trains; two checkouts of one version may differ."""
    python: str
    """Version of Python."""
    system: str
    """Operating system and architecture."""
    processor: str
    """Name of the CPU."""
    threads: int
    """Threads that torch computes with: sums are added up in another order with another number of them."""
    device: str
    """`cpu` or `cuda`."""
    libraries: dict[str, str]
    """Versions of `LIBRARIES` that are installed."""
    workers: int = 1
    """Processes that trained it together: their gradients are added up in no fixed order."""


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one program may take."""

    memory_mb: int | None = None
    """Memory in use, in 10^6 bytes; None: no limit."""
    least_free_mb: int = 0
    """Free space on the disk of its results below which it ends."""
    gpu_share: float = 1.0
    """Share of the memory of a GPU that it takes at most, above 0."""
    threads: int | None = None
    """Processors that it runs on; None: all that its parent has."""
    nice: int = 0
    """Priority, 0 (as others) to 19 (when nothing else runs); it is never raised."""


class ProgressLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `progress.jsonl`."""

    time: float
    """Seconds since the epoch, UTC."""
    phase: str
    done: int = 0
    total: int = 0
    """Steps of this phase: epochs, images, files."""
    loss: float | None = None
    metric: float | None = None
    seconds_left: float | None = None
    """Of this phase, as far as it can be told."""
    total_seconds_left: float | None = None
    """Of the whole job, as far as it can be told; filled in by who knows the phases that follow."""
    message: str = ""
    epoch: int | None = None
    """Of a training, from 1 on."""
    epochs: int | None = None
    """How many there are."""
    samples_per_s: float | None = None
    """That are trained on, measured a moment ago."""
