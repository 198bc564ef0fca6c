"""Pretrainings: start, look at, cancel."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency

from al_loop.client.answers import PretrainingList, PretrainingView
from al_loop.domain.campaigns import Campaign
from al_loop.loop import Loop
from al_loop.scoring.embedding_versions import available_embeddings
from models.pretrain_config import PretrainConfig
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import PRETRAINED, PRETRAINED_ON_PAIRS, PRETRAINING, json_body
from service.requests.parameters import PathId
from service.settings import Settings
from service.views import job_view


class PretrainingController(Controller):
    """`/campaigns/{campaign}/pretrainings`."""

    path = "/campaigns/{campaign:str}/pretrainings"
    tags = ("pretrainings",)
    dependencies = TARGET

    @post(
        operation_id="startPretraining",
        status_code=202,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415, 501),
    )
    def start(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        settings: NamedDependency[Settings],
        data: Annotated[
            PretrainConfig | None, json_body(on_the_pool=PRETRAINING, own_weights=PRETRAINED, pairs=PRETRAINED_ON_PAIRS)
        ] = None,
    ) -> PretrainingView:
        """Make an encoder without labels from the campaign's images, or from given weights, and embed all samples.

        With `pairs_by` the two views that it compares come from two images of one place. The test reserve is left out
        of training. A pretraining waits while a round runs, and rounds wait for it.
        """
        started = loop.pretrainings.start(target, data or PretrainConfig(), settings.imagery_folders)
        return job_view(PretrainingView, loop.pretrainings, target, started)

    @get(
        operation_id="listPretrainings",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def index(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> PretrainingList:
        """All pretrainings, oldest first, and the versions whose embeddings can be used now."""
        return PretrainingList(
            pretrainings=loop.store.pretrainings.list(target.campaign_id),
            embeddings=available_embeddings(loop.store, loop.layout, target),
        )

    @get(
        "/{number:int}",
        operation_id="getPretraining",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
    )
    def show(self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> PretrainingView:
        """One pretraining: its state, progress while it runs, what was measured; the log's end if it failed."""
        entry = loop.store.pretrainings.get(target.campaign_id, number)
        return job_view(PretrainingView, loop.pretrainings, target, entry)

    @post(
        "/{number:int}/cancel",
        operation_id="cancelPretraining",
        status_code=202,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409),
    )
    def cancel(self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> PretrainingView:
        """Stop a pretraining; its process tree ends within seconds. Earlier encoders stay in use."""
        return job_view(PretrainingView, loop.pretrainings, target, loop.pretrainings.cancel(target, number))
