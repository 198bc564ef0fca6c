"""What Litestar gives route handlers: the loop, the campaign named in the path, and how a repeated request is named."""

import hashlib
from typing import Annotated

import msgspec
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, HeaderParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import RequestKey
from al_loop.loop import Loop
from service.settings import Settings

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Chosen by the client, a new one for each new request: one that is sent again with its key is "
        "answered as before and does nothing again, for seven days. Another request with the same key is a 409.",
    ),
]
"""Parameter of handlers whose requests may be repeated."""


def request_key(
    key: str | None, loop: Loop, campaign: Campaign, annotator: str, action: str, body: object
) -> RequestKey | None:
    """The name of a request; None for one without a key.

    Args:
        key: The header.
        loop: Says what time it is.
        campaign: What the request concerns.
        annotator: Whose request it is: keys of different people do not meet.
        action: What is asked for, such as "skip".
        body: With what; equal requests have equal ones.
    """
    if key is None:
        return None
    digest = hashlib.blake2b(action.encode() + b"\0" + msgspec.json.encode(body), digest_size=16).hexdigest()
    return RequestKey(campaign_id=campaign.campaign_id, annotator=annotator, key=key, digest=digest, at=loop.clock())


def provide_loop(state: State) -> Loop:
    """The loop, as the lifespan opened it."""
    loop: Loop = state.loop
    return loop


def provide_settings(state: State) -> Settings:
    """The settings of the service."""
    settings: Settings = state.settings
    return settings


async def provide_target(campaign: FromPath[str], loop: NamedDependency[Loop]) -> Campaign:
    """The campaign named in the path; 404 if there is none. One that is in memory needs no thread to wait for."""
    known = loop.store.campaigns.known(campaign)
    return known if known is not None else await sync_to_thread(loop.store.campaigns.get, campaign)


WORKBENCH = {
    "loop": Provide(provide_loop, sync_to_thread=False),
    "settings": Provide(provide_settings, sync_to_thread=False),
}
TARGET = {"target": Provide(provide_target)}
