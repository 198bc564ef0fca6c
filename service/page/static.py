"""The files of the pages as browsers get them: read once, with an ETag, and never code or data of another site."""

import gzip
import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from litestar import Request, Response

MEDIA_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Cache-Control": "no-cache",  # kept, but asked about: after an update no module meets an older one
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}
ROOT = b"{{root}}"
"""What a document writes before a link into the service, such as `href="{{root}}page/page.css"`."""


class PageFile(msgspec.Struct, frozen=True):
    """A file of a page."""

    body: bytes
    media_type: str


def read_files(package: str) -> dict[str, PageFile]:
    """The files of a package and its folders that browsers may ask for, by path, such as `start/start.js`."""
    return _read(files(package), "")


@lru_cache(maxsize=1024)
def packed(body: bytes) -> bytes:
    """A body compressed by gzip, at the first request for it."""
    return gzip.compress(body, mtime=0)


def takes_gzip(accepted: str) -> bool:
    """Whether a client that sent this `Accept-Encoding` reads gzip; not where it does not name it."""
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", accepted) is not None


def answer_file(request: Request[Any, Any, Any], file: PageFile, policy: str = POLICY) -> Response[bytes]:
    """A file, compressed where the browser can read it, or 304 where the browser has it.

    Documents get their links relative to the address that they were asked for at, so that they work below whatever
    path a proxy puts the service at, without being told.

    Args:
        request: Tells how deep the document lies below the root of the service.
        file: What is asked for.
        policy: The Content-Security-Policy.
    """
    body = file.body.replace(ROOT, way_to_root(request).encode()) if file.media_type == "text/html" else file.body
    digest = hashlib.sha256(body).hexdigest()[:20]
    headers = HEADERS | {"Content-Security-Policy": policy, "ETag": f'"{digest}"'}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        body = packed(body)
        headers |= {"Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(body, headers=headers, media_type=file.media_type)


def way_to_root(request: Request[Any, Any, Any]) -> str:
    """The relative path from the address of a request up to the root of the service: `./`, `../` and so on."""
    asked = request.scope.get("raw_path") or request.scope["path"].encode()  # where %2F is no step down
    return "../" * (asked.partition(b"?")[0].count(b"/") - 1) or "./"


def _read(folder: Traversable, prefix: str) -> dict[str, PageFile]:
    found: dict[str, PageFile] = {}
    for entry in folder.iterdir():
        media_type = MEDIA_TYPES.get(entry.name.rpartition(".")[2])
        if entry.is_dir():
            found |= _read(entry, f"{prefix}{entry.name}/")
        elif media_type is not None:
            found[prefix + entry.name] = PageFile(entry.read_bytes(), media_type)
    return found
