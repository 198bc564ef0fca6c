"""The shipped encoder, fitted to a pool's bands, ready to publish.

Nothing is trained: statistics of a few hundred images are all that it needs, so it takes seconds. Leaves `model.onnx`
with the single output `embedding`, `encoder.safetensors` (the weights under timm's names), and `card.json` without
tasks.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from models.card import Evaluation, ModelCard, ModelConfig, TrainConfig
from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.graph import frozen_graph
from models.encoders.multispectral import feature_source
from models.encoders.pool_look import look_at_pool
from models.encoders.shipped import save_shipped
from models.encoders.wheel import SHIPPED_ENCODER
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.pretrain_config import ENCODER_FILE
from models.pretraining.spec import SPEC_FILE, PretrainSpec, read_spec
from models.progress import Progress
from models.rasters.reading import read_header, read_raster
from models.registry import CARD_FILE, ONNX_FILE
from models.training.data.statistics import estimate_statistics
from models.training.data.stride import STRIDE_PX
from models.training.export import check_parity


def make_frozen_encoder(directory: Path, out: Path, progress: Progress, tile_px: int) -> None:
    """Make the frozen encoder version that a spec asks for.

    Args:
        directory: Holds `spec.json`.
        out: Existing folder for the results.
        progress: Called during the phase `exporting`.
        tile_px: Images larger than this on a side are embedded in tiles.

    Raises:
        ShippedWeightsError: The weights cannot be used here.
        TrainingDataError: No image can be read, or the sensor contradicts the number of bands.
        ExportParityError: The ONNX file and torch disagree.
    """
    spec = read_spec(directory)
    progress.enter("exporting", message=f"reading some of {len(spec.paths)} images")
    look = look_at_pool(spec.paths, spec.source_bands, spec.bands, spec.sensor, spec.band_policy, spec.band_names)
    statistics = estimate_statistics(spec.paths, spec.bands, spec.band_policy)
    source = feature_source(spec.model or ModelConfig(multispectral="off"), look, statistics, spec.sensor)
    network = FrozenFeatures(
        statistics,
        look.kinds,
        eight_bit=look.eight_bit,
        scale=scale_for(look.side_px),
        source=source,
    )
    onnx.save(frozen_graph(network), out / ONNX_FILE)
    parity = check_parity(network, out / ONNX_FILE, [_chip(spec, spec.paths)])
    save_shipped(out / ENCODER_FILE)
    card = ModelCard(
        version=spec.version,
        campaign=spec.campaign,
        round_number=0,
        created_at=datetime.now(UTC).isoformat(),
        tasks=[],
        source_bands=spec.source_bands,
        bands=spec.bands,
        model=ModelConfig(encoder=SHIPPED_ENCODER, embedding_size=network.embedding_size),
        train=TrainConfig(),
        statistics=statistics,
        temperature={},
        stride_px=STRIDE_PX,
        tile_px=tile_px,
        embedding_size=network.embedding_size,
        evaluation=Evaluation(candidate=[]),
        parity=parity,
        manifest_sha256=_digest(directory / SPEC_FILE),
        labels=0,
        seconds=0.0,
        digests={name: _digest(out / name) for name in (ENCODER_FILE, ONNX_FILE)},
        band_policy=spec.band_policy,
        features=source.words,
    )
    (out / CARD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1))


def _chip(spec: PretrainSpec, paths: Sequence[str]) -> NDArray[np.float32]:
    """A window of the first image that can be read."""
    for path in paths:
        try:
            header = read_header(Path(path), policy=spec.band_policy)
            window = 0, 0, min(header.width, 4 * STRIDE_PX), min(header.height, 4 * STRIDE_PX)
            return read_raster(Path(path), spec.bands, window=window, policy=spec.band_policy)
        except (RasterError, UnusableRasterError, FileNotFoundError):
            continue
    raise TrainingDataError("none of the images can be read")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
