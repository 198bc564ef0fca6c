"""The log: lines for people or JSON for collectors, the id of the request on every line, and a line for each request.

Nothing here, and nothing that logs through it, writes a token: queries are written without theirs.
"""

import json
import logging
import re
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from al_loop_records.texts import visible
from service.settings import Settings

HEADER = "X-Request-Id"
NOISY = ("rasterio", "httpx", "httpcore", "apscheduler", "botocore", "numexpr")
"""httpx would write down every request to SCANEO, APScheduler every tick, botocore where it found a key, NumExpr how
many threads it uses."""
GIVEN_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
TOKEN = re.compile(r"((?:^|[&?])token=)[^&]*", re.IGNORECASE)

access = logging.getLogger("al_loop.access")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)
"""What is known of the request: `campaign` and `who`."""
OF_CAMPAIGN = "campaign %s"
"""How lines begin that are about a campaign."""


def set_up_logging(settings: Settings) -> None:
    """Write the log of this process to standard error, in the form that the settings ask for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """`time level logger: message`, and the id of the request where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name is the library's
        """One line, without the exception."""
        request = _request_id.get()
        line = visible(super().formatMessage(record), line=True)
        return line + (f" [{request}]" if request else "")


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`.

    Where they are known also `request_id`, `campaign`, `who`, `action` and `exception`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON without line ends."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": _request_id.get(),
            "campaign": _campaign_of(record),
            "who": (_about.get() or {}).get("who"),
            "action": getattr(record, "action", None),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in line.items() if value is not None}, ensure_ascii=False)


class RequestLog:
    """Gives each request an id, which its answer carries in `X-Request-Id`, and writes a line for it if that is wanted.

    An id that comes with the request is kept, so that a proxy's log and this one can be read together.
    """

    def __init__(self, app: ASGIApp, *, write: bool) -> None:
        """Wrap an app.

        Args:
            app: Answers the request.
            write: Whether to write a line for each.
        """
        self._app, self._write = app, write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its id."""
        given = Headers.from_scope(scope).get(HEADER, "")
        number = given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        started, status = perf_counter(), 499  # nobody was there any more to be answered

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)[HEADER] = number
            await send(message)

        before, about = _request_id.set(number), _about.set({})
        try:
            await self._app(scope, receive, send_with_id)
        except BaseException:
            status = 500
            raise
        finally:
            if self._write:
                client = scope.get("client")
                asked = f"{scope.get('method', '')} {_address(scope)}"
                took_ms = 1000 * (perf_counter() - started)
                access.info("%s %s %d %.0f ms", client[0] if client else "-", asked, status, took_ms)
            _request_id.reset(before)
            _about.reset(about)


def about_request(*, campaign: str | None = None, who: str | None = None) -> None:
    """Let lines that are logged for this request say what it concerns and who asks, by name or role."""
    about = _about.get()
    if about is not None:
        about.update({name: value for name, value in (("campaign", campaign), ("who", who)) if value is not None})


def _campaign_of(record: logging.LogRecord) -> str | None:
    """The campaign that a line begins with, or that the request is about."""
    if record.msg.__class__ is str and record.msg.startswith(OF_CAMPAIGN) and isinstance(record.args, tuple):
        return str(record.args[0])
    return (_about.get() or {}).get("campaign")


def current_request_id() -> str | None:
    """Id of the request that is answered now; None: none is."""
    return _request_id.get()


def without_tokens(query: str) -> str:
    """A query, or an address with one, without the values of tokens."""
    return TOKEN.sub(r"\1***", query)


def _address(scope: Scope) -> str:
    """Path and query as they were asked for, without tokens and characters that would break a line."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = without_tokens(scope.get("query_string", b"").decode("latin-1"))
    text = path.partition(b"?")[0].decode("latin-1") + (f"?{query}" if query else "")
    return text.encode("unicode_escape").decode("ascii")
