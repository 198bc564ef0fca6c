"""The annotator page. Its files hold no data, so they need no token; the API requests they make do."""

import hashlib
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

MEDIA_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "no-cache",  # kept, but asked about: after an update no module meets an older one
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
DOCUMENT = "page.html"


class PageFile(msgspec.Struct, frozen=True):
    """A file of the page, read once."""

    body: bytes
    media_type: str
    etag: str


def read_page() -> dict[str, PageFile]:
    """All files of the page by name."""
    found = {}
    for file in files("service.page").iterdir():
        media_type = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            body = file.read_bytes()
            found[file.name] = PageFile(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
    return found


FILES = read_page()


@get(["/annotate", "/annotate/{campaign:str}"], include_in_schema=False, sync_to_thread=False)
def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The annotator page. It is one document for all campaigns; its script reads the campaign from the address."""
    return _answer(request, FILES[DOCUMENT])


@get("/page/{name:str}", include_in_schema=False, sync_to_thread=False)
def show_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """A stylesheet or script of the page."""
    if name not in FILES:
        raise NotFoundException(f"the page has no file {name!r}")
    return _answer(request, FILES[name])


PAGE = (show_page, show_file)


def _answer(request: Request[Any, Any, Any], file: PageFile) -> Response[bytes]:
    headers = HEADERS | {"ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)
