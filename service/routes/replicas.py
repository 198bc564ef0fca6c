"""What replicas ask of the service that owns the store. Of one version on both sides, so not part of the interface."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import ShadowAnswer, ShownPrediction
from al_loop.loop import Loop
from al_loop.serving.replica import ServedState
from service.access.tokens import requires
from service.dependencies import TARGET
from service.limits.lanes import LANE, PREDICTIONS


class ReplicasController(Controller):
    """`/replica`."""

    path = "/replica"
    include_in_schema = False
    opt = {LANE: PREDICTIONS}  # noqa: RUF012  # Litestar declares it without ClassVar
    guards = (requires("ops"),)

    @get("/state", sync_to_thread=True)
    def state(self, loop: NamedDependency[Loop]) -> ServedState:
        """What serves."""
        return loop.copies.state()

    @post("/campaigns/{campaign:str}/shown", status_code=200, dependencies=TARGET, sync_to_thread=True)
    def note(
        self, target: NamedDependency[Campaign], loop: NamedDependency[Loop], data: JSONBody[ShownPrediction]
    ) -> dict[str, bool]:
        """Remember what a replica is about to answer; says whether it has to keep it to itself."""
        return {"withheld": loop.predictions.note(target, data)}

    @post("/campaigns/{campaign:str}/shadow", status_code=200, dependencies=TARGET, sync_to_thread=True)
    def record(
        self, target: NamedDependency[Campaign], loop: NamedDependency[Loop], data: JSONBody[list[ShadowAnswer]]
    ) -> dict[str, int]:
        """Keep what the challenger would have answered at a replica."""
        loop.challengers.record(target, data)
        return {"answers": len(data)}
