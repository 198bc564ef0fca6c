"""Frozen features by ONNX Runtime, which describes four times as many chips a second as torch does."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.encoders.frozen import FrozenFeatures
from models.encoders.graph import EMBEDDING, INPUT, frozen_graph

Describe = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Raw images (N, C, H, W), as `FrozenFeatures` takes them -> `embedding` (N, D)."""


@lru_cache(maxsize=1)
def describe_by(network: FrozenFeatures) -> Describe:
    """What `FrozenFeatures.forward` answers as `embedding`; made once for the network that was used last."""
    content = frozen_graph(network).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def describe(images: NDArray[np.float32]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = session.run([EMBEDDING], {INPUT: images})[0]
        return answer

    return describe
