"""Duplicates: images that are registered more than once, and taking the spare ones out."""

from litestar import Controller, delete, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from al_loop.campaigns.imagery.copies import duplicates
from al_loop.client.answers import DuplicateList, RemovedDuplicates
from al_loop.domain.campaigns import Campaign
from al_loop.errors import InvalidValueError
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems


class DuplicateController(Controller):
    """`/campaigns/{campaign}/duplicates`."""

    path = "/campaigns/{campaign:str}/duplicates"
    tags = ("samples",)
    dependencies = TARGET
    guards = (requires("ops"),)

    @get(operation_id="listDuplicates", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def index(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> DuplicateList:
        """Samples that show one image: equal bytes, known at registration, or equal pixels, known once they are read.

        They stand on one side of the test reserve. Of each group the sample with the most labels is the one to keep.
        """
        return DuplicateList(groups=duplicates(loop.store, target))

    @delete(
        operation_id="removeDuplicates",
        sync_to_thread=True,
        status_code=200,
        responses=problems(400, 401, 403, 404, 409),
    )
    def remove(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        confirm: FromQuery[bool] = False,
    ) -> RemovedDuplicates:
        """Take the spare copies out of the campaign; `confirm` must be true. Their files stay, a scan leaves them out.

        A copy with labels of its own is never taken out, nor one of the gold standard: which labels count is for people
        to decide, who remove the other sample. Such groups are returned as `left`.
        """
        if not confirm:
            raise InvalidValueError("confirm", "samples would be taken out; repeat the request with ?confirm=true")
        removed = loop.remove_duplicates(target)
        return RemovedDuplicates(removed=removed, left=duplicates(loop.store, target))
