"""The serving version as a contender of the evaluation. Knows nothing of torch."""

from pathlib import Path

from models.errors import CorruptVersionError
from models.evaluate import Contender
from models.manifest import Manifest
from models.predictor import Predictor


def load_incumbent(manifest: Manifest) -> tuple[Contender | None, str]:
    """The serving version, or None with the reason why candidate and incumbent cannot be compared."""
    if manifest.incumbent_onnx is None or manifest.incumbent_version is None:
        return None, "there is no serving version to compare with"
    version = manifest.incumbent_version
    try:
        predictor = Predictor(Path(manifest.incumbent_onnx).parent)
    except (CorruptVersionError, OSError) as error:
        return None, f"not compared with {version}: {error}"
    if predictor.card.bands != manifest.bands or predictor.card.source_bands != manifest.source_bands:
        return None, f"not compared with {version}: it reads bands {predictor.card.bands}"
    shared = [spec for spec in predictor.card.tasks if spec in manifest.tasks]
    if not shared:
        return None, f"not compared with {version}: it answers other tasks or classes"
    return Contender(version=version, tasks=shared, infer=predictor.predict_batch), f"comparing with {version}"
