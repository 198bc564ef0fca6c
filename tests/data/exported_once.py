"""Exports equal networks once a test run: tracing one takes five seconds, and many tests train the same one again.

A network counts as equal if all that it holds is, weights and settings. Its graph is compared with it each time, as
`check_parity` belongs to a training. `tests/models/training/test_export.py` goes without this.
"""

import functools
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = "TEST_EXPORTS"
"""Environment variable with the folder of what was exported; unset: nothing is kept."""

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
OF_TORCH = vars(nn.Module()).keys()
"""Parts of every module that are told below, and hooks, which no network here has."""

Export = Callable[[nn.Module, int, Path], None]


def exporting_once(export: Export) -> Export:
    """`export_onnx` that copies the file where an equal network was exported before, by whichever process."""

    @functools.wraps(export)
    def export_or_copy(network: nn.Module, bands: int, path: Path) -> None:
        folder = os.environ.get(FOLDER)
        if folder is None:
            export(network, bands, path)
            return
        kept = Path(folder) / f"{digest_of(network, bands)}.onnx"
        if not kept.exists():
            export(network, bands, path)
            unfinished = kept.with_suffix(f".{uuid.uuid4().hex}")
            shutil.copyfile(path, unfinished)
            unfinished.replace(kept)
        else:
            shutil.copyfile(kept, path)

    return export_or_copy


def digest_of(network: nn.Module, bands: int) -> str:
    """Names what a graph is made of; two of equal networks may differ, those of different ones may not."""
    digest = hashlib.sha256(str(bands).encode())
    for name, module in network.cpu().eval().named_modules():
        digest.update(f"\n{name} {type(module).__module__}.{type(module).__qualname__}".encode())
        for key, value in sorted(vars(module).items()):
            if key not in OF_TORCH:
                digest.update(f"\n{key} ".encode() + _told(value))
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        digest.update(f"\n{name} ".encode() + _told(tensor))
    return digest.hexdigest()


def _told(value: object) -> bytes:
    if isinstance(value, np.ndarray | torch.Tensor):
        array = np.ascontiguousarray(torch.as_tensor(value).detach().numpy())
        return f"{array.dtype} {array.shape} ".encode() + array.tobytes()
    if isinstance(value, set | frozenset):
        value = sorted(map(repr, value))
    return ADDRESS.sub("", repr(value)).encode()
