"""What `/metrics` answers."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from al_loop.loop import Loop
from service.metrics.campaigns import CampaignState
from service.metrics.requests import Metrics
from service.metrics.state import ServiceState

MEDIA_TYPE = CONTENT_TYPE_LATEST.replace("; charset=utf-8", "")  # Litestar adds it


def scrape(
    metrics: Metrics, loop: Loop, *, campaigns: bool = True, reserve: bool = True, person: str | None = None
) -> bytes:
    """Everything that was counted, and how the loop stands now, in Prometheus' text format.

    Args:
        metrics: Of the app.
        loop: Is read.
        campaigns: Whether to tell of campaigns.
        reserve: Whether to tell of their test reserve, too.
        person: Who asks, where it is not told and who asks is known.
    """
    state = CollectorRegistry()
    state.register(ServiceState(loop))
    if campaigns:
        state.register(CampaignState(loop, reserve=reserve, person=person))
    return generate_latest(metrics.registry) + generate_latest(state)
