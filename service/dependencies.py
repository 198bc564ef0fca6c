"""What handlers are given."""

from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from al_loop.records import Campaign
from al_loop.workbench import Workbench


def provide_workbench(state: State) -> Workbench:
    """The loop, as the lifespan opened it."""
    workbench: Workbench = state.workbench
    return workbench


def provide_target(campaign: FromPath[str], workbench: NamedDependency[Workbench]) -> Campaign:
    """The campaign named in the path; 404 if there is none."""
    return workbench.store.campaigns.get(campaign)


WORKBENCH = {"workbench": Provide(provide_workbench, sync_to_thread=False)}
TARGET = {"target": Provide(provide_target, sync_to_thread=True)}
