"""Gives the routes of a service that has ended to the next one: building them takes longer than many a test."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from litestar import Litestar
from litestar.types import Middleware

from service.app import build_routes

Build = Callable[[list[str], int, Sequence[Middleware]], Litestar]


def reusing_routes() -> Build:
    """`build_routes` that builds only what no ended service has left; what belongs to one lies in `app.state`."""
    idle: defaultdict[tuple[tuple[str, ...], int], list[Litestar]] = defaultdict(list)

    def build(origins: list[str], max_upload_mb: int, tracing: Sequence[Middleware] = ()) -> Litestar:
        left = idle[tuple(origins), max_upload_mb]
        if tracing:
            return build_routes(origins, max_upload_mb, tracing)
        if left:
            return left.pop()
        app = build_routes(origins, max_upload_mb)
        handler = app.asgi_handler

        def leave() -> None:
            app.asgi_handler = handler
            app.state = type(app.state)()
            left.append(app)

        app.on_shutdown.append(leave)
        return app

    return build
