"""OpenAPI description of the body that `infer` of the Open Inference Protocol reads by hand, and an example answer."""

from typing import Any

from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, RequestBody, Schema

INFERRED: dict[str, Any] = {
    "model_name": "land-cover",
    "model_version": "v3",
    "id": "42",
    "outputs": [{"name": "classification", "shape": [1, 3], "datatype": "FP32", "data": [0.7, 0.2, 0.1]}],
}


def infer_body() -> RequestBody:
    """JSON alone, or JSON and the bytes of the tensors."""
    text = Schema(type=OpenAPIType.STRING)
    numbers = Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.INTEGER))
    parameters = Schema(type=OpenAPIType.OBJECT, description="Such as `binary_data_size` or `binary_data`.")
    data = Schema(
        type=OpenAPIType.ARRAY,
        items=Schema(),
        description="Values in row-major order, flat or nested; null is invalid.",
    )
    tensor = Schema(
        type=OpenAPIType.OBJECT,
        required=["name", "shape", "datatype"],
        properties={"name": text, "shape": numbers, "datatype": text, "parameters": parameters, "data": data},
    )
    output = Schema(type=OpenAPIType.OBJECT, required=["name"], properties={"name": text, "parameters": parameters})
    asked = Schema(
        type=OpenAPIType.OBJECT,
        required=["inputs"],
        properties={
            "id": text,
            "parameters": parameters,
            "inputs": Schema(type=OpenAPIType.ARRAY, items=tensor, description="One tensor, `image`."),
            "outputs": Schema(type=OpenAPIType.ARRAY, items=output, description="Absent: all."),
        },
    )
    raw = Schema(
        type=OpenAPIType.STRING,
        format=OpenAPIFormat.BINARY,
        description="JSON as above, then the tensors; `Inference-Header-Content-Length` is the length of the JSON.",
    )
    return RequestBody(
        content={
            "application/json": OpenAPIMediaType(schema=asked),
            "application/octet-stream": OpenAPIMediaType(schema=raw),
        },
        required=True,
    )
