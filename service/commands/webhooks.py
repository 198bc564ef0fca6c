"""`al-loop webhook`: have other programs told of what happens."""

import sys
import time
from typing import Annotated

import typer
from rich.table import Table

from al_loop.domain.webhooks import Delivery, DeliveryState, EventKind
from service.commands.options import DEFAULT_URL, AsJson, Service, Token, connect
from service.commands.output import ExitCode, console, print_json, print_tables

WebhookId = Annotated[int, typer.Argument(metavar="ID", help="Id of the webhook, as `al-loop webhook list` shows it.")]

TEST_WAIT_S = 15.0
"""Seconds that `webhook test` waits for its delivery: longer than one attempt takes."""
LOOK_EVERY_S = 0.3


def add(
    url: Annotated[str, typer.Argument(help="Where events are sent, by POST.")],
    event: Annotated[
        list[EventKind] | None, typer.Option(help="Kind of event; may be repeated; all if left out.")
    ] = None,
    campaign: Annotated[
        list[str] | None, typer.Option(help="Campaign whose events are sent; may be repeated; all if left out.")
    ] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Have events sent to an address.

    Prints the secret that signs them to standard output, once: the receiver needs it to know that they come from here.
    """
    with connect(service, token) as client:
        made = client.add_webhook({"url": url, "events": event or None, "campaigns": campaign or None})
    if as_json:
        print_json(made)
        return
    console(stderr=True).print(
        f"webhook {made.webhook.webhook_id} is sent {', '.join(made.webhook.events)}; its secret is shown this once:"
    )
    sys.stdout.write(f"{made.secret}\n")


def show_all(as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """List the webhooks.

    With what they are sent, how many deliveries wait, and how many were given up.
    """
    with connect(service, token) as client:
        hooks = client.webhooks()
    if as_json:
        print_json(hooks)
        return
    table = Table("id", "address", "events", "campaigns", "waiting", "given up")
    for hook in hooks:
        campaigns = "all" if hook.campaigns is None else ", ".join(hook.campaigns)
        table.add_row(
            str(hook.webhook_id), hook.url, ", ".join(hook.events), campaigns, str(hook.waiting), str(hook.dead)
        )
    print_tables(table)


def remove(webhook_id: WebhookId, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Remove a webhook.

    Its secrets and whatever waits for it are removed as well.
    """
    with connect(service, token) as client:
        client.remove_webhook(webhook_id)
    console(stderr=True).print(f"webhook {webhook_id} is removed")


def send_test(
    webhook_id: WebhookId, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> ExitCode:
    """Send a test event and say how that went.

    Waits for the first attempt; one that fails is tried again like any other event.
    """
    with connect(service, token) as client:
        delivery = client.test_webhook(webhook_id)
        until = time.monotonic() + TEST_WAIT_S
        while delivery.attempts == 0 and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
            delivery = client.delivery(webhook_id, delivery.delivery_id)
    if as_json:
        print_json(delivery)
    else:
        console().print(f"delivery {delivery.delivery_id}: {_said(delivery)}")
    return ExitCode.DONE if delivery.state == "delivered" else ExitCode.FAILED


def rotate(
    webhook_id: WebhookId,
    overlap_hours: Annotated[
        float, typer.Option(help="Hours in which older secrets sign as well; 0: they end at once.", min=0)
    ] = 24.0,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Give a webhook a new secret and print it, once.

    Older secrets sign beside it for a while: change the receiver over in that time.
    """
    with connect(service, token) as client:
        made = client.rotate_webhook(webhook_id, overlap_hours)
    if as_json:
        print_json(made)
        return
    console(stderr=True).print(
        f"webhook {webhook_id} has a new secret, shown this once; older ones sign until "
        f"{made.older_until:%Y-%m-%d %H:%M} UTC:"
    )
    sys.stdout.write(f"{made.secret}\n")


def deliveries(
    webhook_id: WebhookId,
    state: Annotated[
        DeliveryState | None, typer.Option(help="Only those in this state; dead: those that were given up.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Newest deliveries that are shown.", min=1, max=1000)] = 100,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List what was sent to a webhook, newest first.

    Each event with how often it was tried, and what came of it.
    """
    with connect(service, token) as client:
        found = client.deliveries(webhook_id, state, limit=limit).deliveries
    if as_json:
        print_json(found)
        return
    table = Table("id", "happened", "event", "campaign", "attempts", "state")
    for entry in found:
        table.add_row(
            str(entry.delivery_id), f"{entry.occurred_at:%Y-%m-%d %H:%M:%S}", entry.kind, entry.campaign or "",
            str(entry.attempts), _said(entry),
        )  # fmt: skip
    print_tables(table)


def redeliver(
    webhook_id: WebhookId,
    delivery: Annotated[
        int | None, typer.Argument(metavar="DELIVERY", help="Id of a delivery; all that were given up if left out.")
    ] = None,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send a delivery again, or all that were given up.

    They keep their ids, so that a receiver knows those that it has seen.
    """
    with connect(service, token) as client:
        count = 1
        if delivery is None:
            count = client.redeliver_dead(webhook_id)
        else:
            client.redeliver(webhook_id, delivery)
    console(stderr=True).print(f"{count} {'delivery is' if count == 1 else 'deliveries are'} sent again")


def _said(delivery: Delivery) -> str:
    """How a delivery stands, in a few words."""
    if delivery.state == "delivered":
        return f"delivered, answered {delivery.status}"
    why = f": {delivery.problem}" if delivery.problem else ""
    if delivery.state == "dead":
        return f"given up{why}"
    return f"waiting{why}" + (f", tried again at {delivery.next_at:%H:%M:%S} UTC" if delivery.next_at and why else "")
