"""How long candidate and incumbent take for the same image: on one machine, in one process, in turn."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.card import Latency
from models.training.data.stride import STRIDE_PX

WARM_UP = 2
LEAST_RUNS = 5
MOST_RUNS = 30
BUDGET_S = 0.6
"""Time for all timed runs, beyond `LEAST_RUNS` of each."""


def measure_latency(
    candidate: Path, incumbent: Path | None, chips: Sequence[NDArray[np.float32]], stride_px: int = STRIDE_PX
) -> Latency | None:
    """Times of single runs on the first image by one thread, the fastest of each; None without an image.

    The two take turns, in either order, and the fastest run counts, in processor time of the thread: beside annotators
    a training has the processor now and then, and a good model must not fail the gate for that. By several threads one
    model's would wait for the other's.

    Args:
        candidate: Its ONNX file.
        incumbent: That of the serving version, of the same bands; None: there is none. One that does not take images of
            this size, as it takes one size only, is not timed.
        chips: Raw images (C, H, W), NaN invalid, of sides that the candidate takes once they are padded.
        stride_px: Sides are padded to multiples of this.
    """
    if not chips:
        return None
    height, width = chips[0].shape[1:]
    padding = (0, 0), (0, -height % stride_px), (0, -width % stride_px)
    image = np.pad(chips[0], padding, constant_values=np.nan)[np.newaxis]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        for file in (candidate, incumbent)
        if file is not None
    ]
    sessions = [session for session in sessions if session is sessions[0] or _takes(session, image)]
    seconds: list[list[float]] = [[] for _ in sessions]
    for _ in range(WARM_UP):
        for session in sessions:
            session.run(None, {"image": image})
    began = time.perf_counter()
    while len(seconds[0]) < LEAST_RUNS or (len(seconds[0]) < MOST_RUNS and time.perf_counter() - began < BUDGET_S):
        pairs = list(zip(sessions, seconds, strict=True))
        for session, times in pairs if len(seconds[0]) % 2 else reversed(pairs):
            started = time.thread_time()
            session.run(None, {"image": image})
            times.append(time.thread_time() - started)
    milliseconds = [1000 * min(times) for times in seconds]
    return Latency(
        candidate_ms=milliseconds[0],
        incumbent_ms=milliseconds[1] if len(sessions) > 1 else None,
        runs=len(seconds[0]),
        shape=list(image.shape),
    )


def _takes(session: onnxruntime.InferenceSession, image: NDArray[np.float32]) -> bool:
    try:
        session.run(None, {"image": image})
    except Exception:  # ONNX Runtime raises a dozen kinds of its own
        return False
    return True
