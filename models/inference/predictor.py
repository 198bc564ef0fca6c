"""Run one model version with ONNX Runtime, on a GPU where there is one. Knows nothing of labels, rounds or HTTP."""

import ctypes
import hashlib
import sys
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.errors import CorruptVersionError, NoSuchTaskError
from models.inference.image_model import ImageModel, Outputs
from models.registry import ONNX_FILE, read_card
from models.tasks import tasks_of
from models.tasks.fine import fine_outputs

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}  # the exhaustive default searches again for every new shape
_CUDA_TILES_PER_RUN = 8
_LOG_ERRORS_ONLY = 3
_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class Predictor(ImageModel):
    """One version, loaded once. Thread-safe; the GIL is free while the graph runs."""

    def __init__(
        self,
        directory: Path,
        *,
        threads: int | None = None,
        device: Device = "auto",
        gpu_mb: int | None = None,
        fine: bool = False,
    ) -> None:
        """Load a version, check it against its card, and run it once.

        Args:
            directory: A version's directory: `model.onnx` and `card.json`.
            threads: CPU threads of one run; None: as many as there are physical cores.
            device: "auto" takes a GPU if one works; "cuda" insists on it.
            gpu_mb: Most memory of the GPU that its arena takes, in 10^6 bytes; None: what it asks for.
            fine: Whether to answer maps that are finer than the image, too, see `models.tasks.fine`.

        Raises:
            CorruptVersionError: A file is missing, its digest differs from the card, or it is no model as the card
                describes it. The bytes that were hashed are those that are loaded.
            RuntimeError: `device` is "cuda" and there is no usable GPU.
        """
        version = directory.name
        try:
            self.card = read_card(directory)
            tasks_of(self.card.tasks)
            model = (directory / ONNX_FILE).read_bytes()
        except (OSError, msgspec.MsgspecError, NoSuchTaskError) as error:
            raise CorruptVersionError(version, str(error)) from error
        if hashlib.sha256(model).hexdigest() != self.card.digests.get(ONNX_FILE):
            raise CorruptVersionError(version, f"{ONNX_FILE} does not match its digest")
        self.version = self.card.version
        try:
            self._session = open_session(model, threads, device, gpu_mb)
        except _LOAD_ERRORS as error:
            raise CorruptVersionError(version, f"ONNX Runtime cannot load {ONNX_FILE}: {error}") from error
        self.device: Literal["cpu", "cuda"] = "cuda" if _CUDA in self._session.get_providers() else "cpu"
        self.tiles_per_run = _CUDA_TILES_PER_RUN if self.device == "cuda" else 1
        self._output_names = [output.name for output in self._session.get_outputs()]
        finer = fine_outputs(self.card)
        self._check_graph(version, finer)
        self._wanted = [name for name in self._output_names if fine or name not in finer]
        side = min(2 * self.card.stride_px, self.card.tile_px)  # a graph of one size takes no other
        self.run(np.zeros((1, len(self.card.bands), side, side), np.float32))

    def run(self, images: NDArray[np.float32]) -> Outputs:
        """See `ImageModel.run`."""
        return run_graph(self._session, images, self._wanted)

    def _check_graph(self, version: str, finer: Collection[str]) -> None:
        inputs = self._session.get_inputs()
        expected = {"embedding", *(spec.task for spec in self.card.tasks), *finer}
        if [item.name for item in inputs] != ["image"] or inputs[0].shape[1] != len(self.card.bands):
            raise CorruptVersionError(version, f"{ONNX_FILE} does not take `image` with {len(self.card.bands)} bands")
        if set(self._output_names) != expected:
            raise CorruptVersionError(version, f"{ONNX_FILE} answers {self._output_names}, not {sorted(expected)}")


def run_graph(
    session: onnxruntime.InferenceSession, images: NDArray[np.float32], wanted: Sequence[str] | None = None
) -> Outputs:
    """Outputs of a graph for images (N, C, H, W), all unless some are wanted.

    A graph that takes a single image is run for each.
    """
    names = [output.name for output in session.get_outputs()] if wanted is None else list(wanted)
    if len(images) > 1 and session.get_inputs()[0].shape[0] == 1:
        runs = [session.run(names, {"image": images[index : index + 1]}) for index in range(len(images))]
        return {name: np.concatenate(parts) for name, parts in zip(names, zip(*runs, strict=True), strict=True)}
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


def open_session(model: bytes, threads: int | None, device: Device, gpu_mb: int | None) -> onnxruntime.InferenceSession:
    """A session on the wanted device: of `auto` a GPU, if ONNX Runtime can use one.

    Raises:
        RuntimeError: `device` is "cuda" and there is no usable GPU.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    # Spinning workers take cores from other requests and from training: 8 clients were answered 1.5 times as fast
    # without, one client as fast as with (2 shared cores).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [_CPU]
    if device != "cpu" and sees_gpu():
        providers = [(_CUDA, cuda_options(gpu_mb)), _CPU]
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    if device == "cuda" and _CUDA not in session.get_providers():
        raise RuntimeError("there is no CUDA GPU that ONNX Runtime can use; ask for device 'auto' or 'cpu'")
    return session


def cuda_options(gpu_mb: int | None) -> dict[str, str]:
    """Options of ONNX Runtime's CUDA provider; with a limit its memory grows by what is asked for, not by doubling."""
    if gpu_mb is None:
        return _CUDA_OPTIONS
    return _CUDA_OPTIONS | {"gpu_mem_limit": str(gpu_mb * 10**6), "arena_extend_strategy": "kSameAsRequested"}


@cache
def sees_gpu() -> bool:
    """Whether ONNX Runtime has its CUDA provider and the driver sees a GPU.

    The GPU build of ONNX Runtime lists the provider on every machine and complains on stderr where it cannot load it;
    asking the driver first keeps machines without a GPU quiet.
    """
    if _CUDA not in onnxruntime.get_available_providers() or not _driver_sees_gpu():
        return False
    onnxruntime.preload_dlls()  # CUDA and cuDNN from the wheels that torch installs, if they are there
    return True


def _driver_sees_gpu() -> bool:
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
