"""Dependencies that Litestar injects into route handlers: the loop, and the campaign named in the path."""

from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from al_loop.domain.campaigns import Campaign
from al_loop.loop import Loop


def provide_loop(state: State) -> Loop:
    """The loop, as the lifespan opened it."""
    loop: Loop = state.loop
    return loop


def provide_target(campaign: FromPath[str], loop: NamedDependency[Loop]) -> Campaign:
    """The campaign named in the path; 404 if there is none."""
    return loop.store.campaigns.get(campaign)


WORKBENCH = {"loop": Provide(provide_loop, sync_to_thread=False)}
TARGET = {"target": Provide(provide_target, sync_to_thread=True)}
