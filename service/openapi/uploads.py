"""OpenAPI description of the upload that the prediction routes read by hand."""

from dataclasses import dataclass, field

from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)


def _body() -> RequestBody:
    image = Schema(
        type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="One raster: GeoTIFF, JPEG or PNG."
    )
    form = Schema(type=OpenAPIType.OBJECT, required=["image"], properties={"image": image})
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


def _prompt_body() -> RequestBody:
    descriptions = {
        "points": "JSON list of [column, row] in pixels from the upper left corner, 1 to 64 of them.",
        "label": "A class of the campaign.",
        "crs": "CRS of the image: a code (`EPSG:32630`), a URN (`urn:ogc:def:crs:EPSG::32630`) or WKT.",
        "transform": "JSON list of six numbers in GDAL's order: x of the upper left corner, pixel width, row rotation, "
        "y of the corner, column rotation, minus pixel height.",
    }
    properties: dict[str, Reference | Schema] = {
        name: Schema(type=OpenAPIType.STRING, description=text) for name, text in descriptions.items()
    }
    image = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="PNG of the image's size.")
    sample = Schema(
        type=OpenAPIType.INTEGER,
        description="A sample of the campaign, for `image`, `crs` and `transform`; the answer is in its pixels.",
    )
    named = properties | {"image": image, "sample_id": sample}
    form = Schema(type=OpenAPIType.OBJECT, required=["points", "label"], properties=named)
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


@dataclass
class PROMPT_BODY(Operation):  # noqa: N801  # as UPLOAD_BODY
    """An operation whose body is a multipart form with points on an image."""

    request_body: RequestBody | None = field(default_factory=_prompt_body)


@dataclass
class UPLOAD_BODY(Operation):  # noqa: N801  # Litestar takes a class where a value is meant.
    """An operation whose body is a multipart form with one file in the field `image`."""

    request_body: RequestBody | None = field(default_factory=_body)
