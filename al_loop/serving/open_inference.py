"""Requests and answers of the Open Inference Protocol v2 (REST), with tensors as JSON or, by its extension, as bytes.

https://github.com/kserve/open-inference-protocol and its extension for binary tensor data: the JSON comes first, its
length stands in the header `Inference-Header-Content-Length`, and the tensors whose parameters name a
`binary_data_size` follow in the order of the JSON, in little endian and row-major order.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.errors import InvalidValueError

LENGTH_HEADER = "Inference-Header-Content-Length"
EXTENSIONS = ["binary_tensor_data"]
INPUT = "image"
SHARED_MEMORY = "shared_memory_region"
DATATYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""What an image may be sent as; it is computed with as FP32."""
MOST_JSON_VALUES = 2**20
"""Values of the outputs that are written as JSON; more have to be asked for as bytes."""
MOST_IMAGES = 64
"""Of one request."""


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output of a model."""

    name: str
    """Of the tensor."""
    datatype: str
    """Such as FP32."""
    shape: list[int]
    """-1: any size."""


class V2ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and answers."""

    name: str
    """Of the campaign."""
    versions: list[str]
    """That can be asked for: the one that serves."""
    platform: str
    """`onnx_onnxv1`."""
    inputs: list[TensorMetadata]
    """`image`: raw values of the model's bands, NaN where invalid."""
    outputs: list[TensorMetadata]
    """One a task, and `embedding`."""


class RequestedTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a request."""

    name: str
    """Of the tensor."""
    shape: list[int]
    """Of the tensor, with the batch first."""
    datatype: str
    """Such as FP32 or UINT16."""
    parameters: dict[str, Any] = {}
    """`binary_data_size`: bytes of the tensor after the JSON."""
    data: list[Any] | None = None
    """Values in row-major order, flat or nested; null stands for an invalid pixel. Absent: they follow as bytes."""


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One output that is asked for."""

    name: str
    """Of the tensor."""
    parameters: dict[str, Any] = {}
    """`binary_data`: whether it is answered as bytes."""


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked."""

    inputs: list[RequestedTensor]
    """One tensor, `image`."""
    id: str | None = None
    """Comes back with the answer."""
    parameters: dict[str, Any] = {}
    """`binary_data_output`: whether outputs are answered as bytes where they do not say so themselves."""
    outputs: list[RequestedOutput] = []
    """Empty: all."""


class AnsweredTensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One output."""

    name: str
    """Of the tensor."""
    shape: list[int]
    """Of the tensor, with the batch first."""
    datatype: str
    """FP32."""
    parameters: dict[str, int] = {}
    """`binary_data_size`: bytes of the tensor after the JSON."""
    data: list[float] | None = None
    """Values in row-major order; absent: they follow as bytes."""


class InferenceAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model answers."""

    model_name: str
    """Of the campaign."""
    model_version: str
    """That answered."""
    id: str | None = None
    """Of the request."""
    outputs: list[AnsweredTensor]
    """In the order in which they were asked for."""


class ReadRequest(NamedTuple):
    """A request whose tensors were read."""

    images: NDArray[np.float32]
    """(N, C, H, W)."""
    wanted: list[tuple[str, bool]]
    """Names of outputs, and whether they are answered as bytes; empty: all."""
    binary: bool
    """Whether those that are not named are."""
    request_id: str | None


def read_request(body: bytes, json_bytes: int | None) -> ReadRequest:
    """Decode a request.

    Args:
        body: The whole body.
        json_bytes: Length of the JSON at its beginning; None: it is nothing else.

    Raises:
        InvalidValueError: It is none, or its tensors are not what it says.
    """
    if json_bytes is not None and not 0 < json_bytes <= len(body):
        raise InvalidValueError("$", f"the header {LENGTH_HEADER} says {json_bytes}, the body has {len(body)} bytes")
    try:
        asked = msgspec.json.decode(body[:json_bytes], type=InferenceRequest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidValueError("$", f"the request is not one of the protocol: {error}") from error
    if [entry.name for entry in asked.inputs] != [INPUT]:
        raise InvalidValueError("$.inputs", f"send one tensor named {INPUT!r}")
    images = _tensor(asked.inputs[0], body[json_bytes:] if json_bytes is not None else b"")
    binary = asked.parameters.get("binary_data_output") is True
    names = [entry.name for entry in asked.outputs]
    if len(set(names)) < len(names):
        raise InvalidValueError("$.outputs", "an output is asked for twice")
    for index, entry in enumerate(asked.outputs):
        if SHARED_MEMORY in entry.parameters:
            raise InvalidValueError(f"$.outputs[{index}].parameters", "shared memory is an extension that is not there")
    wanted = [(entry.name, entry.parameters.get("binary_data", binary) is True) for entry in asked.outputs]
    return ReadRequest(images, wanted, binary, asked.id)


def write_answer(
    name: str, version: str, asked: ReadRequest, outputs: Mapping[str, NDArray[np.float32]]
) -> tuple[bytes, int | None]:
    """Encode an answer.

    Returns:
        The body, and the length of its JSON; None: it is nothing else.

    Raises:
        InvalidValueError: An output that there is not, or too many values for JSON.
    """
    wanted = asked.wanted or [(output, asked.binary) for output in outputs]
    unknown = [output for output, _ in wanted if output not in outputs]
    if unknown:
        raise InvalidValueError("$.outputs", f"no output {unknown[0]!r}; there are {', '.join(outputs)}")
    values = sum(outputs[output].size for output, binary in wanted if not binary)
    if values > MOST_JSON_VALUES:
        raise InvalidValueError(
            "$.outputs",
            f"{values:,} values as JSON are more than {MOST_JSON_VALUES:,}; ask for them with `binary_data` true",
        )
    tensors, parts = [], []
    for output, binary in wanted:
        array = np.ascontiguousarray(outputs[output], "<f4")
        if binary:
            parts.append(array.tobytes())
        tensors.append(
            AnsweredTensor(
                name=output,
                shape=list(array.shape),
                datatype="FP32",
                parameters={"binary_data_size": array.nbytes} if binary else {},
                data=None if binary else array.ravel().tolist(),
            )
        )
    answer = InferenceAnswer(model_name=name, model_version=version, id=asked.request_id, outputs=tensors)
    head = msgspec.json.encode(answer)
    return b"".join([head, *parts]), len(head) if parts else None


def _tensor(entry: RequestedTensor, following: bytes) -> NDArray[np.float32]:
    """The images of a request, (N, C, H, W)."""
    place = "$.inputs[0]"
    if entry.datatype not in DATATYPES:
        raise InvalidValueError(f"{place}.datatype", f"{entry.datatype!r} is none of {', '.join(DATATYPES)}")
    if len(entry.shape) != 4 or min(entry.shape) < 1:
        raise InvalidValueError(
            f"{place}.shape", f"{entry.shape} is no batch of images: send [images, bands, height, width], all above 0"
        )
    if entry.shape[0] > MOST_IMAGES:
        raise InvalidValueError(f"{place}.shape", f"{entry.shape[0]} images are more than {MOST_IMAGES}")
    kind = np.dtype(DATATYPES[entry.datatype])
    count = int(np.prod([float(size) for size in entry.shape]))  # as float, which cannot overflow
    size = entry.parameters.get("binary_data_size")
    if size is None:
        if entry.data is None or following:
            raise InvalidValueError(f"{place}.data", "the values are missing, or bytes follow that nothing speaks of")
        try:
            array = np.array(entry.data, np.float32)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidValueError(f"{place}.data", f"no array of numbers: {error}") from error
        if array.size != count:
            raise InvalidValueError(f"{place}.data", f"{array.size} values, but the shape {entry.shape} has {count}")
        return array.reshape(entry.shape)
    if entry.data is not None or type(size) is not int or size != len(following) or size != count * kind.itemsize:
        raise InvalidValueError(
            f"{place}.parameters.binary_data_size",
            f"{size!r}, but {len(following)} bytes follow, and {entry.shape} of {entry.datatype} are "
            f"{count * kind.itemsize}",
        )
    return np.frombuffer(following, kind).reshape(entry.shape).astype(np.float32)
