"""The files of a finished training run, ready for the registry."""

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file
from torch import nn

from models.card import BandStatistics, Candidate, Evaluation, ModelCard, ParityReport, TaskSpec
from models.deepness.graph import metadata_part
from models.deepness.metadata import takes
from models.environment import present_environment
from models.files import write_atomically
from models.manifest import MANIFEST_FILE, Manifest
from models.registry import ONNX_FILE
from models.tasks import tasks_of
from models.training.data.pool import look_at
from models.training.data.stride import STRIDE_PX
from models.training.fit import Schedule
from models.training.ladder import features_told, network_config
from models.training.measuring.memory import peak_memory_mb


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history."""

    step: int
    loss: float
    """Mean training loss since the last line."""
    metric: float | None
    """Of the first task on the calibration split; None where that holds no label."""


class TrainingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Results of a training run."""

    tasks: list[TaskSpec]
    statistics: BandStatistics
    temperature: dict[str, float]
    tile_px: int
    evaluation: Evaluation
    parity: ParityReport
    labels: int
    seconds: float
    """Wall time until the weights were calibrated, evaluation and export not included."""
    device: str
    schedule: Schedule | None
    """None: the quick candidate."""
    history: list[TrainingReport]
    candidates: list[Candidate]
    choice: str
    workers: int = 1
    """That trained the network together."""
    remarks: list[str] = []
    """What else the card says of the run."""


def write_artefacts(out: Path, directory: Path, manifest: Manifest, network: nn.Module, record: TrainingRecord) -> None:
    """Write weights, `training.json`, `evaluation.json`, the manifest and `card.json` beside the ONNX file.

    The card has no digests yet: the registry adds them when it publishes the version.

    Args:
        out: Where to.
        directory: Of the manifest, whose digest goes into the card.
        manifest: What was asked.
        network: The final weights, without calibration.
        record: What came out.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, out / "weights.safetensors")
    environment = present_environment(threads=torch.get_num_threads(), device=record.device, workers=record.workers)
    training = {
        "libraries": environment.libraries,
        "device": record.device,
        "seconds": record.seconds,
        "schedule": record.schedule,
        "history": record.history,
        "temperature": record.temperature,
        "statistics": record.statistics,
    }
    model = network_config(network, manifest.model)
    card = ModelCard(
        version=manifest.version,
        campaign=manifest.campaign,
        round_number=manifest.round_number,
        created_at=datetime.now(UTC).isoformat(),
        tasks=record.tasks,
        source_bands=manifest.source_bands,
        bands=manifest.bands,
        model=model,
        train=manifest.train,
        statistics=record.statistics,
        temperature=record.temperature,
        stride_px=STRIDE_PX,
        tile_px=record.tile_px,
        embedding_size=model.embedding_size,
        evaluation=record.evaluation,
        parity=record.parity,
        manifest_sha256=hashlib.sha256((directory / MANIFEST_FILE).read_bytes()).hexdigest(),
        labels=record.labels,
        seconds=record.seconds,
        digests={},
        trained_from=manifest.trained_from if record.schedule is not None else None,
        band_policy=manifest.reading,
        candidates=record.candidates,
        choice=record.choice,
        encoder_problem=manifest.encoder_problem,
        features=features_told(network),
        remarks=record.remarks,
        environment=environment,
        peak_memory_mb=peak_memory_mb(),
        data=manifest.data,
        band_kinds=list(look_at(manifest).kinds),
    )
    _carry_metadata(out / ONNX_FILE, card)
    shutil.copyfile(directory / MANIFEST_FILE, out / MANIFEST_FILE)  # stays with the version where rounds are pruned
    for name, content in (("training.json", training), ("evaluation.json", record.evaluation), ("card.json", card)):
        with write_atomically(out / name) as file:  # the card last: a folder with one is complete
            file.write(msgspec.json.format(msgspec.json.encode(content), indent=1))


def _carry_metadata(file: Path, card: ModelCard) -> None:
    """Write into the ONNX file what programs of a GIS read of its first task that they know; none: what all have."""
    tasks = list(tasks_of(card.tasks).values())
    if tasks:
        with file.open("ab") as onnx_file:
            onnx_file.write(metadata_part(card, next(filter(takes, tasks), tasks[0])))
