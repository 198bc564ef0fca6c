"""How far annotators agree."""

from litestar import Controller, get
from litestar.di import NamedDependency

from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import AgreementReport
from al_loop.loop import Loop
from al_loop.quality.agreement import agreement_report
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import AGREEMENT, answer


class AgreementController(Controller):
    """`/campaigns/{campaign}/agreement`."""

    path = "/campaigns/{campaign:str}/agreement"
    tags = ("labels",)
    dependencies = TARGET
    guards = (requires("ops"),)

    @get(
        operation_id="getAgreement",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        responses=problems(401, 403, 404) | answer(200, AgreementReport, AGREEMENT),
    )
    def report(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> AgreementReport:
        """How far annotators agree who answered the same samples, by task, pair and class.

        Cohen's kappa for classes (for several labels a sample, of each class), IoU for masks, with 95 % intervals.
        `golden` compares each annotator with the known answers: the labels of annotator `golden` on the samples that
        `settings.query.golden` lists. Retracted labels and re-annotations do not count.
        """
        return agreement_report(loop.store, target)
