"""OpenAPI description of the upload that the prediction routes read by hand."""

from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Reference,
    RequestBody,
    Schema,
)

from service.requests.uploads import RAW_TYPES


def upload_body() -> RequestBody:
    """A multipart form with one file in the field `image`, or the image alone."""
    image = Schema(
        type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="One raster: GeoTIFF, JPEG or PNG."
    )
    form = Schema(type=OpenAPIType.OBJECT, required=["image"], properties={"image": image})
    raw = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
    content = {"multipart/form-data": form} | dict.fromkeys(RAW_TYPES, raw)
    return RequestBody(
        content={kind: OpenAPIMediaType(schema=schema) for kind, schema in content.items()}, required=True
    )


def prompt_body() -> RequestBody:
    """A multipart form with points on an image."""
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


def model_body() -> RequestBody:
    """A multipart form with an ONNX file and its card."""
    text = "JSON of what the file does not say itself: task, bands, scaling, and what the output means."
    properties: dict[str, Reference | Schema] = {
        "model": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="The ONNX file."),
        "card": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description=text),
    }
    form = Schema(type=OpenAPIType.OBJECT, required=["model", "card"], properties=properties)
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)
