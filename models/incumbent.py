"""The serving version as a contender of the evaluation. Knows nothing of torch."""

from pathlib import Path

from models.errors import CorruptVersionError
from models.evaluate import Contender
from models.manifest import Manifest
from models.predictor import Predictor
from models.tallies import Infer, padded_infer


def load_incumbent(manifest: Manifest) -> tuple[Contender | None, str]:
    """The serving version and a sentence for people; None where candidate and incumbent cannot be compared."""
    if manifest.incumbent_onnx is None or manifest.incumbent_version is None:
        return None, "there is no serving version to compare with"
    version = manifest.incumbent_version
    try:
        predictor = Predictor(Path(manifest.incumbent_onnx).parent)
    except CorruptVersionError as error:
        return None, f"not compared with {version}: {error}"
    card = predictor.card
    if (card.source_bands, card.bands) != (manifest.source_bands, manifest.bands):
        return None, f"not compared with {version}: it reads bands {card.bands} of {card.source_bands}"
    shared = [spec for spec in card.tasks if spec in manifest.tasks]
    if not shared:
        return None, f"not compared with {version}: it answers other tasks or classes"
    infer: Infer = padded_infer(predictor.run, card.stride_px)
    return Contender(version=version, tasks=shared, infer=infer), f"comparing with {version}"
