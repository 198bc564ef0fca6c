"""OpenAPI description of the upload that the prediction routes read by hand."""

from dataclasses import dataclass, field

from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema


def _body() -> RequestBody:
    image = Schema(
        type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="One raster: GeoTIFF, JPEG or PNG."
    )
    form = Schema(type=OpenAPIType.OBJECT, required=["image"], properties={"image": image})
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


@dataclass
class UPLOAD_BODY(Operation):  # noqa: N801  # Litestar takes a class where a value is meant.
    """An operation whose body is a multipart form with one file in the field `image`."""

    request_body: RequestBody | None = field(default_factory=_body)
