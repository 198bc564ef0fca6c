"""Tokens and roles: ops may do what annotators may, annotators what prediction clients may."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from al_loop.domain.audit import Role
from service.access.people import Identity, Tokens
from service.log import about_request

RANK: dict[Role, int] = {"predict": 0, "annotate": 1, "ops": 2}
ANNOTATOR = "annotator"
"""Field of bodies and parameter of queries that names who labels."""


def requires(role: Role, *, in_query: bool = False) -> Guard:
    """A guard that lets tokens of `role` and above pass; where no tokens are set everybody passes.

    It leaves in the state of the request who asks (`identity_of`) and which role was needed.

    Args:
        role: Least role.
        in_query: Whether `?token=` is accepted as well as `Authorization: Bearer`; SCANEO can send nothing but a URL.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        # Asynchronous, as Litestar hands any other one to a thread, where it would wait for a place in the lane.
        tokens: Tokens = connection.app.state.tokens
        connection.state.needed_role = role
        about_request(campaign=connection.path_params.get("campaign"))
        if not tokens.required:
            return
        given = _bearer(connection) or (connection.query_params.get("token") if in_query else None)
        if not given:
            raise NotAuthorizedException(
                "This service needs a token: send it as `Authorization: Bearer <token>`"
                + (" or `?token=<token>` in the URL." if in_query else ".")
            )
        found = tokens.find(given)
        if found is None:
            raise NotAuthorizedException(
                "This token is not known to the service, or was revoked; ask its operator for a valid one."
            )
        if RANK[found.role] < RANK[role]:
            raise PermissionDeniedException(f"This token has the role {found.role!r}; {role!r} is needed here.")
        connection.state.identity = found
        about_request(who=found.name or found.role)

    return guard


def identity_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Identity | None:
    """Who asks, once the guard has let the request pass; None: no tokens are set, or the route needs none."""
    found: Identity | None = connection.state.get("identity")
    return found


def is_operator(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether a request may see what annotators must not, such as the test reserve; always, where no tokens are set."""
    tokens: Tokens = connection.app.state.tokens
    found = None if not tokens.required else tokens.find(_bearer(connection) or "")
    return not tokens.required or (found is not None and found.role == "ops")


def may_see_campaigns(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether routes that need no token may name campaigns: where no tokens are set, or to whoever sends one."""
    tokens: Tokens = connection.app.state.tokens
    found = None if not tokens.required else tokens.find(_bearer(connection) or "")
    return not tokens.required or (found is not None and RANK[found.role] >= RANK["annotate"])


def person_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The person of the token, as labels have the name; None: no tokens are set, or the token is of an account."""
    tokens: Tokens = connection.app.state.tokens
    found = tokens.find(_bearer(connection) or "") if tokens.required else None
    if found is None or found.name is None:
        return None
    name: str = connection.app.state.loop.store.annotators.known_spelling(found.name)
    return name


async def check_annotator(request: Request[Any, Any, Any]) -> None:
    """Refuse to let a person act under another name: labels carry the name of the token.

    Operators may, as they import labels of others.

    Raises:
        ValidationException: The body is malformed.
        PermissionDeniedException: The body or the query names somebody else.
    """
    identity = identity_of(request)
    if identity is None or identity.name is None or identity.role == "ops":
        return
    annotators = request.app.state.loop.store.annotators
    annotators.spelling_of(identity.name)  # whoever types it otherwise first does not decide how it is recorded
    spelled = annotators.known_spelling
    named = request.query_params.getall(ANNOTATOR, [])
    if request.route_handler.parsed_data_field is not None and await request.body():
        body = await request.json()
        named += [getattr(entry, ANNOTATOR, None) for entry in (body if isinstance(body, list) else [body])]
    other = next((name for name in named if name is not None and spelled(name) != spelled(identity.name)), None)
    if other is not None:
        raise PermissionDeniedException(
            f"This token belongs to {identity.name!r}, so it cannot act for {other!r}; send {identity.name!r} as "
            "`annotator`."
        )


def has_operators_token(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether a request carries an operator's token; not where no tokens are set: an annotator may ask there."""
    return bool(connection.app.state.tokens.required) and is_operator(connection)


def _bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
