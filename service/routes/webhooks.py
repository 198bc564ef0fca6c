"""Webhooks: who is told of what, what has arrived, and what was given up."""

from datetime import timedelta
from typing import Annotated

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from al_loop.client.answers import DeliveryPage, NewSecret, NewWebhook, Redelivered, WebhookView
from al_loop.domain.webhooks import SUBSCRIBABLE, Delivery, DeliveryState, EventKind, WebhookTarget
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.loop import Loop
from al_loop.webhooks.signature import new_secret
from service.access.tokens import requires
from service.cursors import read_cursor, write_cursor
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import ROTATION, WEBHOOK, json_body
from service.requests.parameters import PathId
from service.schemas import RotateRequest, WebhookRequest
from service.settings import Settings
from service.webhooks.targets import WebhookTargets


class WebhookController(Controller):
    """`/webhooks`."""

    path = "/webhooks"
    tags = ("webhooks",)
    guards = (requires("ops"),)

    @get(operation_id="listWebhooks", sync_to_thread=True, responses=problems(401, 403))
    def index(self, loop: NamedDependency[Loop]) -> list[WebhookView]:
        """All webhooks, oldest first. Their secrets are shown when they are made, and never again."""
        return [_view(loop, hook) for hook in loop.store.webhooks.list()]

    @post(
        operation_id="addWebhook",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        responses=problems(400, 401, 403, 415),
    )
    def add(
        self,
        data: Annotated[WebhookRequest, json_body(failures=WEBHOOK)],
        loop: NamedDependency[Loop],
        settings: NamedDependency[Settings],
    ) -> NewWebhook:
        """Have events sent to an address from now on, signed with the secret that is answered, once.

        The service itself is refused, and so are addresses that are not public, unless `AL_LOOP_WEBHOOK_NETWORKS` names
        their network.
        """
        WebhookTargets(settings).check("$.url", data.url)
        if data.events is not None and EventKind.WEBHOOK_TEST in data.events:
            raise InvalidValueError("$.events", "tests are sent on request, to every webhook")
        secret = new_secret()
        hook = loop.store.webhooks.add(
            data.url,
            list(dict.fromkeys(data.events or SUBSCRIBABLE)),
            None if data.campaigns is None else _ids(loop, data.campaigns),
            secret,
            loop.clock(),
        )
        return NewWebhook(webhook=_view(loop, hook), secret=secret)

    @get("/{webhook_id:int}", operation_id="getWebhook", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def show(self, webhook_id: PathId, loop: NamedDependency[Loop]) -> WebhookView:
        """One webhook, and how its deliveries go."""
        return _view(loop, loop.store.webhooks.get(webhook_id))

    @delete(
        "/{webhook_id:int}",
        operation_id="removeWebhook",
        status_code=204,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def remove(self, webhook_id: PathId, loop: NamedDependency[Loop]) -> None:
        """Send nothing there any more; its secrets and deliveries are removed."""
        loop.store.webhooks.remove(webhook_id)

    @post(
        "/{webhook_id:int}/test",
        operation_id="testWebhook",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def test(self, webhook_id: PathId, loop: NamedDependency[Loop]) -> Delivery:
        """Send an event of the kind `webhook.test`; the delivery tells how it went."""
        loop.store.webhooks.get(webhook_id)
        return loop.store.deliveries.test(webhook_id, loop.clock())

    @post(
        "/{webhook_id:int}/rotate",
        operation_id="rotateWebhookSecret",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 415),
    )
    def rotate(
        self,
        webhook_id: PathId,
        loop: NamedDependency[Loop],
        data: Annotated[RotateRequest | None, json_body(a_day=ROTATION)] = None,
    ) -> NewSecret:
        """Add a secret. Older ones sign beside it for a while, so that the receiver can change over in its own time."""
        secret, now = new_secret(), loop.clock()
        until = now + timedelta(hours=(data or RotateRequest()).overlap_hours)
        loop.store.webhooks.rotate(webhook_id, secret, now, expires_at=until)
        return NewSecret(secret=secret, older_until=until)

    @get(
        "/{webhook_id:int}/deliveries",
        operation_id="listDeliveries",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def deliveries(
        self,
        webhook_id: PathId,
        loop: NamedDependency[Loop],
        delivery_state: Annotated[
            DeliveryState | None,
            QueryParameter(name="state", description="Only those in this state; `dead`: those given up."),
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, QueryParameter()] = None,
    ) -> DeliveryPage:
        """Deliveries, newest first: those that arrived of the last week, those given up of the last month."""
        loop.store.webhooks.get(webhook_id)
        before = read_cursor(cursor) or None
        found = loop.store.deliveries.page(webhook_id, delivery_state, limit=limit, before=before)
        return DeliveryPage(deliveries=found, next_cursor=write_cursor([entry.delivery_id for entry in found], limit))

    @get(
        "/{webhook_id:int}/deliveries/{delivery_id:int}",
        operation_id="getDelivery",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def delivery(self, webhook_id: PathId, delivery_id: PathId, loop: NamedDependency[Loop]) -> Delivery:
        """One delivery: how often it was tried, and how that went."""
        return loop.store.deliveries.get(webhook_id, delivery_id)

    @post(
        "/{webhook_id:int}/deliveries/{delivery_id:int}/redeliver",
        operation_id="redeliver",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def redeliver(self, webhook_id: PathId, delivery_id: PathId, loop: NamedDependency[Loop]) -> Delivery:
        """Send a delivery that ended once more, under the same id, and try that for three days again."""
        return loop.store.deliveries.redeliver(webhook_id, delivery_id, loop.clock())

    @post(
        "/{webhook_id:int}/redeliver",
        operation_id="redeliverDead",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def redeliver_dead(self, webhook_id: PathId, loop: NamedDependency[Loop]) -> Redelivered:
        """Send everything again that was given up for this webhook."""
        loop.store.webhooks.get(webhook_id)
        return Redelivered(redelivered=loop.store.deliveries.redeliver_dead(webhook_id, loop.clock()))


def _ids(loop: Loop, names: list[str]) -> list[int]:
    """Ids of campaigns.

    Raises:
        InvalidValueError: There is no campaign of a name; carries the JSON path.
    """
    found = []
    for index, name in enumerate(names):
        try:
            found.append(loop.store.campaigns.get(name).campaign_id)
        except NotFoundError as error:
            raise InvalidValueError(f"$.campaigns[{index}]", str(error)) from error
    return found


def _view(loop: Loop, hook: WebhookTarget) -> WebhookView:
    """A webhook as it is answered; campaigns that were deleted are left out."""
    names = None
    if hook.campaigns is not None:
        every = {campaign.campaign_id: campaign.name for campaign in loop.store.campaigns.list()}
        names = [every[number] for number in hook.campaigns if number in every]
    counts = loop.store.deliveries.counts(hook.webhook_id)
    return WebhookView(
        webhook_id=hook.webhook_id,
        url=hook.url,
        events=hook.kinds,
        campaigns=names,
        created_at=hook.created_at,
        waiting=counts.get("waiting", 0),
        dead=counts.get("dead", 0),
    )
