"""Tokens and roles: ops may do what annotators may, annotators what prediction clients may."""

import secrets
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from service.settings import Role

RANK: dict[Role, int] = {"predict": 0, "annotate": 1, "ops": 2}


def requires(role: Role, *, in_query: bool = False) -> Guard:
    """A guard that lets tokens of `role` and above pass; without configured tokens everybody passes.

    Args:
        role: Least role.
        in_query: Whether `?token=` is accepted as well as `Authorization: Bearer`; SCANEO can send nothing but a URL.
    """

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        roles: dict[str, Role] = connection.app.state.roles
        if not roles:
            return
        given = _bearer(connection) or (connection.query_params.get("token") if in_query else None)
        if not given:
            raise NotAuthorizedException(
                "This service needs a token: send it as `Authorization: Bearer <token>`"
                + (" or `?token=<token>` in the URL." if in_query else ".")
            )
        found = next((roles[token] for token in roles if secrets.compare_digest(token.encode(), given.encode())), None)
        if found is None:
            raise NotAuthorizedException("This token is not known to the service; ask its operator for a valid one.")
        if RANK[found] < RANK[role]:
            raise PermissionDeniedException(f"This token has the role {found!r}; {role!r} is needed here.")

    return guard


def is_operator(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether a request may see what annotators must not, such as the test reserve; always, where no tokens are set."""
    roles: dict[str, Role] = connection.app.state.roles
    given = _bearer(connection) or ""
    return not roles or any(
        role == "ops" and secrets.compare_digest(token.encode(), given.encode()) for token, role in roles.items()
    )


def _bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
