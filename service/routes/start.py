"""The start page, the ops page, the documentation of the API, and what browsers ask for unbidden. No data: no token."""

from typing import Any

from litestar import Request, Response, get

from service.page.static import POLICY, answer_file
from service.routes.page import FILES
from service.routes.reports import style_source

OPS_POLICY = POLICY.replace("style-src 'self'", f"style-src 'self' {style_source()}").replace(
    "img-src 'self'", "img-src 'self' data:"
)
"""Reports of rounds open in tabs of this page, which its policy holds for: it lets their own style and pictures in."""
DOCS_POLICY = POLICY.replace("img-src 'self'", "img-src 'self' data:")  # pictures in the style sheet of Swagger UI


@get("/", include_in_schema=False, sync_to_thread=False)
def show_start(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The start page: all campaigns and what waits for whom."""
    return answer_file(request, FILES["start/start.html"])


@get(["/ops", "/ops/{campaign:str}"], include_in_schema=False, sync_to_thread=False)
def show_ops(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What operators look at: one document for the service and all campaigns; its script reads the address."""
    return answer_file(request, FILES["ops/ops.html"], OPS_POLICY)


@get("/docs", include_in_schema=False, sync_to_thread=False)
def show_docs(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The API with a form to try each route, from files of our own."""
    return answer_file(request, FILES["docs/docs.html"], DOCS_POLICY)


@get("/favicon.ico", include_in_schema=False, sync_to_thread=False)
def show_icon(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The icon, which browsers look for here where a document names none."""
    return answer_file(request, FILES["icon.svg"])


START = (show_start, show_ops, show_docs, show_icon)
