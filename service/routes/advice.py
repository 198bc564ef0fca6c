"""Whether more labels are worth it."""

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import StopAdvice
from al_loop.loop import Loop
from al_loop.training.stop_advice import stop_advice
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems


class AdviceController(Controller):
    """`/campaigns/{campaign}/advice`."""

    path = "/campaigns/{campaign:str}/advice"
    tags = ("rounds",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @get(operation_id="getAdvice", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def show(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        labels: Annotated[
            int, QueryParameter(ge=1, le=1_000_000, description="How many further labels to ask about.")
        ] = 100,
    ) -> StopAdvice:
        """What the next labels would bring by the extended learning curve, the minutes that they cost, and agreement.

        Advice only: nothing stops by it. A task needs four rounds with different numbers of labels. `agreement` says
        how far the two newest versions that scored the pool agree about it.
        """
        advice = stop_advice(loop.store, target, labels)
        return msgspec.structs.replace(advice, agreement=loop.model_agreement.of(target))
