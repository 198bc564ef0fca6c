"""What a service knows of its Ray cluster."""

from pathlib import Path

import msgspec

NAMESPACE = "al-loop"
"""Of the names of actors."""


LEAVE_CHILDREN: dict[str, dict[str, str]] = {"env_vars": {"RAY_kill_child_processes_on_worker_exit": "0"}}
"""Ray kills the child of an actor that it ends, and only that: what the child has started would run on for ever. The
child ends itself and all of it once its parent has gone."""


class RayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How programs run on a Ray cluster."""

    address: str
    """`host:port` of the head; the machine of the service is a node of the cluster itself."""
    data: str
    """The service's data directory, absolute."""
    workers: int = 2
    """Shards of a pool that are scored at once."""
    cpus: float = 1.0
    """CPUs that a program, or a shard, reserves and uses."""
    gpus: float = 0.0
    """GPUs that a program reserves."""
    train_workers: int = 1
    """Workers that train a network together; each reserves as much as a program."""
    patience_s: float = 600.0
    """Seconds that a round or a pretraining waits for a cluster that does not answer, before it fails."""
    shard_s: float = 900.0
    """Seconds in which a shard of a pool has to be scored; then it is given to another worker."""
    shard_samples: int = 1024
    """Samples of a shard; a multiple of a batch, so that the same images are run together as without shards."""
    artefacts: str | None = None
    """fsspec URL that all machines reach; None: they share the data directory's disk, at the same path."""


class DriverSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver does: `driver.json` in its directory."""

    config: RayConfig
    submission_id: str
    """Names the program in the cluster: it is started once, however many drivers follow it."""
    module: str
    arguments: list[str]
    directory: str
    """Where the program's artefacts belong."""
    version: str
    """Of al-loop; the cluster's machines have to have the same."""


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What every worker is told."""

    submission_id: str
    """Of the actor that is told of progress."""
    module: str
    arguments: list[str]
    directory: str
    """Where the first worker leaves what the program makes."""
    shipment: str
    artefacts: str | None = None
    """None: all machines share a disk."""
    workers: int
    cpus: float
    gpus: float
    storage: str
    """Folder of Ray Train's own notes, on the shared disk."""


SPEC_FILE = "driver.json"
OUTCOME_FILE = "ended"
"""Left by a driver that knows how its program ended. Without it the cluster was lost."""
FAILED, REFUSED, CANCELLED = "failed", "refused", "cancelled"
"""What is in it: the program failed, the cluster is none that can be worked with, such as of another version, or the
program was ended on request, with all it had started."""
LEAVE_FILE = "leave"
"""Left by a service that stops: a driver that is ended then leaves its program at work."""
SUBMISSION_FILE = "submission.txt"
DRIVER_SUFFIX = ".ray"


def driver_directory(directory: Path) -> Path:
    """Where the driver of a program that leaves its artefacts in `directory` has its files."""
    return directory.with_name(f"{directory.name}{DRIVER_SUFFIX}")


def is_submitted(directory: Path) -> bool:
    """Whether a program was given to a cluster that may still run it."""
    return (driver_directory(directory) / SUBMISSION_FILE).exists()
