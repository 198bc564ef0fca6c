"""The one table from domain errors to HTTP, and the two ways a problem is written: RFC 9457 JSON, or one sentence."""

import logging
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec

from al_loop import errors as loop
from al_loop.runtime.disk import FULL, UNWRITABLE
from al_loop.serving.replica import WriterUnreachableError
from models import errors as models
from service.requests.parameters import refused_parameter
from service.settings import SettingsError

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"

STATUS: dict[type[Exception], int] = {
    loop.NotFoundError: 404,
    loop.InvalidValueError: 400,
    loop.UnsupportedError: 501,
    loop.NotInstalledError: 501,
    loop.ConflictError: 409,
    loop.EmptyPoolError: 409,
    loop.StoreError: 503,
    loop.StoreFullError: 507,
    loop.ScaneoError: 502,
    loop.ScaneoFileError: 400,
    WriterUnreachableError: 503,
    SettingsError: 409,
    models.RasterTooLargeError: 413,
    models.RasterError: 415,
    models.UnusableRasterError: 422,
    models.ScoringError: 409,
    models.VersionNotFoundError: 404,
    models.RegistryError: 409,
    models.OverloadedError: 503,
    models.NotWantedError: 503,
    models.PromptableModelError: 503,
}


DISK_SENTENCES = {
    507: "The disk of the service is full, and nothing was stored; it goes on by itself once there is room.",
    503: "The disk of the service cannot be read or written; its log has the details.",
}


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem. Further members carry the facts of the error, such as `path`, `missing` or `number`."""

    type: str = "about:blank"
    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str
    errors: list[dict[str, str]] | None = None
    """For a malformed body: one entry a field, with its JSON path and what is wrong."""


V2_ERRORS, SENTENCES = "v2_errors", "sentences"
"""Keys of a handler's `opt`: errors in the form of the Open Inference Protocol; as one sentence."""


BARE = ("/classification", "/segmentation")
"""Where models are named beside the root, see `service.routes.bare_predictions`."""


class V2Error(msgspec.Struct, frozen=True, kw_only=True):
    """What the Open Inference Protocol answers instead of a problem."""

    error: str
    """What was wrong and what to do."""


def v2_problems(*statuses: int) -> dict[int, ResponseSpec]:
    """As `problems`, for routes of the Open Inference Protocol."""
    return {
        status: ResponseSpec(V2Error, description=HTTPStatus(status).phrase, generate_examples=False)
        for status in statuses
    }


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """OpenAPI entries for the problems that a handler can answer with."""
    return {
        status: ResponseSpec(
            Problem, description=HTTPStatus(status).phrase, media_type=PROBLEM_JSON, generate_examples=False
        )
        for status in statuses
    }


def status_of(error: Exception) -> int:
    """HTTP status that an error is answered with; 500 for one that is neither HTTP's nor has an entry in `STATUS`."""
    if isinstance(error, HTTPException):
        return error.status_code
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    if isinstance(error, OSError):
        return 507 if error.errno in FULL else 503 if error.errno in UNWRITABLE else 500
    return 500


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Turn any error into an answer; the internals of an unforeseen one stay in the log."""
    headers: dict[str, str] = {}
    facts: dict[str, Any] = {}
    if isinstance(error, MethodNotAllowedException) and _only_a_model(request):
        error = NotFoundException()
    status = status_of(error)
    if isinstance(error, HTTPException):
        detail = _detail(request, error)
        headers.update(error.headers or {})
        fields = _fields(request, error)
        if fields:
            facts["errors"] = fields
    else:
        detail = str(error)
        facts = {key: value for key, value in vars(error).items() if isinstance(value, str | int | float | list | dict)}
    if isinstance(error, OSError) and status in DISK_SENTENCES:
        logger.warning("%s %s: %s", request.method, request.scope["path"], error)
        detail, facts = DISK_SENTENCES[status], {}
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, tuple(STATUS)):
        logger.error("unforeseen error in %s %s", request.method, request.scope["path"], exc_info=error)
        detail, facts = "Something went wrong in the service; its log has the details.", {}
    if type(error) is loop.StoreError:
        logger.error("%s %s: %s", request.method, request.scope["path"], error)
        detail, facts = "The label store cannot do this now; the service's log has the details.", {}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers.setdefault("Retry-After", str(max(1, round(getattr(error, "retry_after_s", 1)))))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if _speaks_v2(request):
        return Response(V2Error(error=detail), status_code=status, media_type=MediaType.JSON, headers=headers)
    if _wants_sentence(request):
        return Response(detail, status_code=status, media_type=MediaType.TEXT, headers=headers)
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    facts = {key: value for key, value in facts.items() if key not in body}
    return Response(facts | body, status_code=status, media_type=PROBLEM_JSON, headers=headers)


def _wants_sentence(request: Request[Any, Any, Any]) -> bool:
    """Prediction routes answer one plain sentence, which SCANEO shows to the annotator, unless JSON is asked for."""
    predicts = "/predictions/" in request.scope["path"] or _opt(request, SENTENCES)
    return predicts and "json" not in request.headers.get("accept", "")


def _speaks_v2(request: Request[Any, Any, Any]) -> bool:
    """Routes of the Open Inference Protocol have errors of their own form."""
    return _opt(request, V2_ERRORS) or f"{request.scope['path']}/".startswith("/v2/")


def _only_a_model(request: Request[Any, Any, Any]) -> bool:
    """Whether nothing but the route of any model takes a path: a page that is looked for there is not there."""
    path = request.scope["path"].rstrip("/")
    bare = path.count("/") == 1 or path.rpartition("/")[0] in BARE
    return bare and all(route.path_format != path for route in request.app.routes)


def _opt(request: Request[Any, Any, Any], key: str) -> bool:
    handler = request.scope.get("route_handler")
    return handler is not None and bool(handler.opt.get(key))


def _fields(request: Request[Any, Any, Any], error: HTTPException) -> list[dict[str, str]]:
    """JSON path of each field, or name of each parameter, that failed validation, and what is wrong."""
    if not isinstance(error.extra, list):
        return []
    fields = []
    for entry in error.extra:
        if "path" in entry:
            fields.append(entry)
            continue
        key = str(entry.get("key", ""))
        message = str(entry.get("message", ""))
        if key == "data":  # a body that there is was decoded before (`service.requests.json_bodies`)
            key, message = "$", "the body is missing; it has to be JSON"
        elif key:
            key, message = refused_parameter(request, key, message)
        fields.append({"path": key or "$", "message": message})
    return fields


def _detail(request: Request[Any, Any, Any], error: HTTPException) -> str:
    fields = _fields(request, error)
    if fields:
        return "; ".join(f"{entry['message']} - at `{entry['path']}`" for entry in fields)
    return str(error.detail)
