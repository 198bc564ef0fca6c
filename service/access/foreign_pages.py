"""Refuses requests that web pages of other sites make a browser send, and takes JSON only as JSON.

A service on a loopback address may run without tokens, as only programs of this machine reach it. A browser is one of
them, and it runs the scripts of every page it shows: such a page may send forms to `http://127.0.0.1:8090`, and a page
whose name is made to point at 127.0.0.1 after it was loaded (DNS rebinding) may read the answers, too. A service that
listens on any other address has tokens, which such pages do not know; it answers by any name, as containers and proxies
need.
"""

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from service.settings import Settings, is_loopback

READING = ("GET", "HEAD", "OPTIONS")
JSON_TYPE = re.compile(r"application/(?:[\w.!#$&^-]+\+)?json", re.IGNORECASE | re.ASCII)
PORTS = {"http": 80, "https": 443}


class OwnAddresses(NamedTuple):
    """Where the pages lie that may call the service."""

    on_loopback: bool
    """Whether only this machine reaches it."""
    public: tuple[str, int] | None
    """Host and port of its public address."""
    origins: list[str]
    """Other origins that the settings let in."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        public = None if settings.public_url is None else _place(settings.public_url)
        return cls(is_loopback(settings.host), public, settings.allowed_origins)


class ForeignPagesMiddleware(ASGIMiddleware):
    """Answers 403 to a foreign `Host` or `Origin` on loopback, and 415 to a JSON body of another content type.

    `app.state.own_addresses` says what is not foreign. 403 for a foreign host, too, and not 421: browsers ask once more
    after a 421, and 403 is what the routes document.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on if it may come in.

        Raises:
            PermissionDeniedException: The service is asked for by a name that is not its own, or a page of another
                site writes.
            HTTPException: 415, the body has to be JSON and does not say that it is.
        """
        request = Request[Any, Any, Any](scope)
        own: OwnAddresses = scope["litestar_app"].state.own_addresses
        if own.on_loopback:
            _check_host(request, own)
            if request.method not in READING:
                _check_origin(request, own)
        _check_json(request)
        await next_app(scope, receive, send)


def _check_host(request: Request[Any, Any, Any], own: OwnAddresses) -> None:
    hosts = request.headers.getall("host", [])
    if len(hosts) != 1 or not _is_answered(hosts[0], own.public):
        raise PermissionDeniedException(
            f"This service listens on this machine only and does not answer as {', '.join(hosts)!r}: ask for it at "
            "localhost or 127.0.0.1, or set AL_LOOP_PUBLIC_URL to the address at which it is reached."
        )


@lru_cache(16)
def _is_answered(host: str, public: tuple[str, int] | None) -> bool:
    place = _place(f"http://{host}")
    return place is not None and (is_loopback(place[0]) or (public is not None and place[0] == public[0]))


def _check_origin(request: Request[Any, Any, Any], own: OwnAddresses) -> None:
    """Browsers name the page's site in `Origin` with every write; other programs, SCANEO too, do not send it."""
    origin = request.headers.get("origin")
    if "*" in own.origins or origin in own.origins:
        return
    if request.headers.get("sec-fetch-site") == "cross-site" or not (origin is None or _is_own(origin, request, own)):
        raise PermissionDeniedException(
            f"A web page of another site ({origin or 'not named'}) may not write here; if it is this service "
            "behind a proxy, set AL_LOOP_PUBLIC_URL to the proxy's address; if that page may, add its origin to "
            "AL_LOOP_CORS_ORIGINS."
        )


def _is_own(origin: str, request: Request[Any, Any, Any], own: OwnAddresses) -> bool:
    place = _place(origin)
    scheme = origin.partition(":")[0]
    return place is not None and place in (_place(f"{scheme}://{request.headers['host']}"), own.public)


def _check_json(request: Request[Any, Any, Any]) -> None:
    """Refuse other types: a web page may send forms and plain text anywhere without a preflight, but not JSON."""
    handler = request.scope["route_handler"]
    if not isinstance(handler, HTTPRouteHandler) or handler.parsed_data_field is None:
        return
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    given = request.headers.get("content-type", "").partition(";")[0].strip()
    if has_body and not JSON_TYPE.fullmatch(given):
        raise HTTPException(
            f"The body has to be JSON and say so: send `Content-Type: application/json`, not {given or 'none'!r}.",
            status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def _place(url: str) -> tuple[str, int] | None:
    """Host name in lower case and port of a web address; None for anything else, such as the origin `null`."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None
