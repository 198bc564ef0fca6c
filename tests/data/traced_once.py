"""Traces networks of equal structure once a test run: it takes five seconds, and many tests train the same one anew.

The graph of the first one is kept as the exporter traced it, before it is simplified, when its weights still have the
names that they have in the network; later ones put theirs in. Each file is compared with its network, as
`check_parity` belongs to a training. `tests/models/training/test_export.py` and what asks for `real_exports` go
without this.
"""

import functools
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

FOLDER = "TEST_EXPORTS"
"""Environment variable with the folder of the graphs; unset: each network is exported."""

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
OF_TORCH = vars(nn.Module()).keys()
"""Parts of every module that are told below, and hooks, which no network here has."""

Export = Callable[[nn.Module, int, Path], None]


def tracing_once(export: Export) -> Export:
    """`export_onnx` that fills in the graph of a network of the same structure, of whichever process."""

    @functools.wraps(export)
    def export_or_fill(network: nn.Module, bands: int, path: Path) -> None:
        folder = os.environ.get(FOLDER)
        if folder is None:
            export(network, bands, path)
            return
        with _temperatures_as_weights(network):
            kept = Path(folder) / f"{structure_of(network, bands)}.onnx"
            if not kept.exists():
                unfinished = kept.with_suffix(f".{uuid.uuid4().hex}")
                with patch("torch.onnx.export", functools.partial(torch.onnx.export, optimize=False)):
                    export(network, bands, unfinished)
                unfinished.replace(kept)
            fill(kept, network, path)

    return export_or_fill


def fill(graph: Path, network: nn.Module, path: Path) -> None:
    """Write a traced graph with the weights of a network of the same structure.

    Raises:
        ValueError: A weight of the graph has another shape in the network.
    """
    model = onnx.load(graph)
    constants = {constant.name: constant for constant in model.graph.initializer}
    for name, weight in network.state_dict().items():
        if name not in constants:  # counts for training, and parts that answer nothing
            continue
        constant, values = constants[name], weight.detach().numpy()
        if tuple(constant.dims) != values.shape:
            raise ValueError(f"{name} is {tuple(constant.dims)} in the graph and {values.shape} in the network")
        constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))
    onnx.save(model, path)


def structure_of(network: nn.Module, bands: int) -> str:
    """Names all of a network but the values of its weights: what its graph is made of."""
    digest = hashlib.sha256(str(bands).encode())
    for name, module in network.cpu().eval().named_modules():
        digest.update(f"\n{name} {type(module).__module__}.{type(module).__qualname__}".encode())
        for key, value in sorted(vars(module).items()):
            if key not in OF_TORCH:
                digest.update(f"\n{key} ".encode() + _told(value))
    for name, tensor in network.state_dict().items():
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
    return digest.hexdigest()


class _Temperatures(Mapping[str, Tensor]):
    """Gives the temperature of a task as the weight of the network that it is for now."""

    def __init__(self, network: nn.Module, tasks: list[str]) -> None:
        self._network, self._tasks = network, tasks

    def __getitem__(self, task: str) -> Tensor:
        return self._network.get_buffer(f"temperature_of_{task}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


@contextmanager
def _temperatures_as_weights(network: nn.Module) -> Iterator[None]:
    """Make numbers that differ with each training weights, which are filled in like all others."""
    known: dict[str, float] | None = getattr(network, "temperature", None)
    if known is None:
        yield
        return
    for task, value in known.items():
        network.register_buffer(f"temperature_of_{task}", torch.tensor(value))
    network.temperature = _Temperatures(network, sorted(known))  # type: ignore[assignment]
    try:
        yield
    finally:
        network.temperature = known  # type: ignore[assignment]
        for task in known:
            delattr(network, f"temperature_of_{task}")


def _told(value: object) -> bytes:
    if isinstance(value, np.ndarray | torch.Tensor):
        array = np.ascontiguousarray(torch.as_tensor(value).detach().numpy())
        return f"{array.dtype} {array.shape} ".encode() + array.tobytes()
    if isinstance(value, _Temperatures):
        value = list(value)
    if isinstance(value, set | frozenset):
        value = sorted(map(repr, value))
    return ADDRESS.sub("", repr(value)).encode()
