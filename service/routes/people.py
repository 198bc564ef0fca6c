"""Who asks, and who did what."""

from typing import Annotated, Any

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from al_loop.client.answers import AuditPage, WhoAmI
from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR
from al_loop.loop import Loop
from service.access.tokens import identity_of, requires
from service.cursors import read_cursor, write_cursor
from service.errors import problems

MOST_NAMES = 500
"""Names that are suggested at most."""


class PeopleController(Controller):
    """`/whoami`, `/annotators` and `/audit`."""

    tags = ("people",)

    @get(
        "/whoami",
        operation_id="whoAmI",
        sync_to_thread=False,
        guards=[requires("predict")],
        responses=problems(401),
    )
    def whoami(self, request: Request[Any, Any, Any]) -> WhoAmI:
        """Whose token was sent, and what it may do. Pages look here for the annotator's name before they ask for it."""
        identity = identity_of(request)
        if identity is None:
            return WhoAmI(name=None, role=None, authentication="none")
        return WhoAmI(name=identity.name, role=identity.role, authentication="token")

    @get(
        "/annotators",
        operation_id="listAnnotators",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403),
    )
    def annotators(self, loop: NamedDependency[Loop]) -> list[str]:
        """Names that labels carry so far, those of the newest labels first, so that nobody is entered a second time."""
        return loop.store.labels.annotators(without=GOLD_STANDARD_ANNOTATOR, limit=MOST_NAMES)

    @get(
        "/audit",
        operation_id="getAudit",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403),
    )
    def audit(
        self,
        loop: NamedDependency[Loop],
        campaign: Annotated[
            str | None, QueryParameter(description="Only what concerns this campaign; a deleted one's, too.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, QueryParameter()] = None,
    ) -> AuditPage:
        """Who promoted, retracted, changed settings, started rounds and so on, newest first.

        Every change that needs the role `ops` and every deletion is recorded with the name of the token, and so are
        tokens that came into the token file or left it. Labels have a history of their own.
        """
        entries = loop.store.audit.page(campaign, limit=limit, before=read_cursor(cursor) or None)
        return AuditPage(entries=entries, next_cursor=write_cursor([entry.audit_id for entry in entries], limit))
