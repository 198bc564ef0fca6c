"""What Litestar cannot read from the routes: content types of files, second statuses, and closed objects."""

from typing import Any

from al_loop.campaigns.exporting import MEDIA_TYPES
from al_loop.serving.exporting import MODEL_MEDIA_TYPES
from service.openapi.open_inference import infer_body
from service.openapi.uploads import model_body, prompt_body, upload_body

Document = dict[str, Any]
BYTES: Document = {"type": "string", "format": "binary"}
OBJECT: Document = {"type": "object"}
FILES: dict[str, dict[str, Document]] = {
    "exportLabels": {kind: OBJECT if kind.endswith("json") else BYTES for kind in MEDIA_TYPES.values()},
    "exportModel": dict.fromkeys(MODEL_MEDIA_TYPES.values(), BYTES),
    "getUncertaintyRaster": {"image/tiff": BYTES},
    "getUncertaintyRegions": {"application/geo+json": OBJECT},
    "getOverlay": {"image/png": BYTES},
    "getThumbnail": {"image/png": BYTES},
    "getTile": {"image/png": BYTES},
    "makeBackup": {"application/x-tar": BYTES, "application/zstd": BYTES},
    "getMetrics": {"text/plain": {"type": "string"}},
    "watchRound": {"text/event-stream": {"type": "string"}},
    "watchScenePrediction": {"text/event-stream": {"type": "string"}},
    "watchSuperResolution": {"text/event-stream": {"type": "string"}},
    "predictSegmentation": {"image/tiff": BYTES},
}
"""Content of the 200 of a route by content type."""
BARE_PREDICTIONS = ("predict", "classificationByModel", "segmentationByModel")
"""Predictions at the root, see `service.routes.bare_predictions`."""
EMPTY_POOL = {"openQuery", "openRelabelQuery", "openScaneoBatch"}
"""Routes that answer 200 instead of 201 where there is nothing to hand out."""
NOT_MODIFIED = {"getThumbnail", "getOverlay", "getTile"}
UPLOADS = {
    **dict.fromkeys(("predictClassification", "predictSegmentation", "predictOther", *BARE_PREDICTIONS), upload_body()),
    "outlinePoints": prompt_body(),
    "addModel": model_body(),
    **dict.fromkeys(("v2Infer", "v2InferOfVersion"), infer_body()),
}
"""Bodies that routes read by hand."""


def complete(document: Document, closed: set[str]) -> None:
    """Add to the document what is missing.

    Args:
        document: As Litestar made it; changed.
        closed: Names of schemas that have no other members than those listed.
    """
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        if name in closed:
            schema["additionalProperties"] = False
    for path, item in document.get("paths", {}).items():
        for operation in item.values():
            _complete(operation, path)


def _complete(operation: Document, path: str) -> None:
    name, answers = operation.get("operationId"), operation["responses"]
    if name in FILES:
        answers["200"]["content"] = {kind: {"schema": schema} for kind, schema in FILES[name].items()}
    if name in NOT_MODIFIED:
        answers["304"] = {"description": "The client has it already, as its `If-None-Match` says."}
    if name in EMPTY_POOL:
        answers["200"] = answers["201"] | {"description": "There is nothing to hand out; `reason` says why."}
    if name in UPLOADS:
        operation["requestBody"] = UPLOADS[name].to_schema()
    if "/predictions/" in path or name in BARE_PREDICTIONS:
        for status, answer in answers.items():
            if int(status) >= 400:
                answer["content"]["text/plain"] = {"schema": {"type": "string"}}
