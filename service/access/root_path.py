"""Lets the service live below a path of a proxy, such as `https://maps.example.org/al-loop/`."""

from litestar.datastructures import Headers
from litestar.response import Redirect
from litestar.types import ASGIApp, Receive, Scope, Send

from service.settings import is_clean_path

HEADER = "x-forwarded-prefix"


class RootPath:
    """Takes the path of the proxy off the paths of requests before they are routed, and remembers it for addresses.

    The path is a setting, or what the proxy says in `X-Forwarded-Prefix`. That header may be sent by anybody: it is
    heard only where nothing is set and only if it is a clean path, and all that comes of it are addresses in the
    answer to this one request. By convention a proxy that sends it has taken the path off already.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        """Wrap an app.

        Args:
            app: Routes the request.
            root_path: A clean path, or nothing: as the header says. A proxy may take it off or leave it on.
        """
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its path below the root of the service; `/al-loop` itself becomes `/al-loop/`."""
        given = Headers.from_scope(scope).get(HEADER, "")
        prefix = self._root_path or (given if is_clean_path(given) else "")
        if prefix and scope["path"] == self._root_path:
            query = scope["query_string"].decode("ascii", "replace")
            answer = Redirect(f"{prefix}/" + (f"?{query}" if query else ""), status_code=308)
            request = scope["litestar_app"].request_class(scope, receive, send)
            await answer.to_asgi_response(app=None, request=request)(scope, receive, send)
            return
        if self._root_path and scope["path"].startswith(f"{self._root_path}/"):
            depth = self._root_path.count("/")
            raw = scope.get("raw_path") or scope["path"].encode()
            scope["path"] = scope["path"].removeprefix(self._root_path)
            scope["raw_path"] = b"/" + raw.split(b"/", depth + 1)[-1]
        # Not "root_path": Litestar would look for it anywhere in the path and take that off as well.
        scope["app_root_path"] = prefix  # type: ignore[typeddict-unknown-key]
        await self._app(scope, receive, send)
