"""Removes the files that the policy's `retention` does not keep; says first what would go."""

from litestar import Controller, get, post
from litestar.di import NamedDependency

from al_loop.domain.campaigns import Campaign
from al_loop.domain.retention import PruneReport
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS


class PruningController(Controller):
    """`/campaigns/{campaign}/pruning`."""

    path = "/campaigns/{campaign:str}/pruning"
    tags = ("models",)
    dependencies = TARGET
    guards = (requires("ops"),)

    @get(operation_id="previewPruning", sync_to_thread=True, responses=problems(401, 403, 404))
    def preview(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> PruneReport:
        """What a pruning would remove now, with the bytes that it frees, and which versions stay and why."""
        return loop.pruner.prune(target, dry_run=True)

    @post(
        operation_id="prune",
        opt={LANE: OPERATIONS},
        status_code=200,
        sync_to_thread=True,
        responses=problems(401, 403, 404),
    )
    def prune(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> PruneReport:
        """Remove what the policy's `retention` does not keep, as happens after each round.

        Labels, metrics, verdicts and cards of all rounds and versions stay.
        """
        return loop.pruner.prune(target)
