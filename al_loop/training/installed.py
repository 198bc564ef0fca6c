"""Whether this installation can train: a serving node has no torch."""

from functools import cache
from importlib.util import find_spec

from al_loop.errors import NotInstalledError
from models.encoders.wheel import shipped_problem

PACKAGES = ("torch", "timm", "segmentation_models_pytorch", "onnx", "onnxscript", "safetensors")
"""What training imports beside what serving needs: the extra `train`."""


def check_can_train() -> None:
    """Refuse to train where a package is missing.

    Raises:
        NotInstalledError: Says what is missing and how to install it.
    """
    missing = missing_packages(PACKAGES)
    if missing:
        raise NotInstalledError(missing)


def embedding_problem() -> str | None:
    """Why pools are not embedded by the shipped encoder here, in one sentence; None if they are."""
    missing = missing_packages(PACKAGES)
    return f"not installed: {', '.join(missing)}" if missing else shipped_problem()


def can_embed() -> bool:
    """Whether pools are embedded by the shipped encoder."""
    return embedding_problem() is None


def can_train() -> bool:
    """Whether every package is there."""
    return not missing_packages(PACKAGES)


@cache
def missing_packages(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the packages that cannot be imported; found out without importing them."""
    return tuple(name for name in names if find_spec(name) is None)
