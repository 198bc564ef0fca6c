"""Looks after the version that waits for the last word: lets it answer in the shadow, and decides by labels."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import ShadowReport, ShadowSettings
from al_loop.domain.predictions import ShadowAnswer
from al_loop.errors import ConflictError, NotFoundError
from al_loop.serving.model_server import ModelServer
from al_loop.serving.shadow.answering import ShadowModel
from al_loop.store import LabelStore
from al_loop.training.gate.shadow import judge, shadow_report
from models.errors import RegistryError

logger = logging.getLogger(__name__)

MOST_JUDGED = 2_000
"""Labels that judge a challenger at most; their masks are read."""


class Challengers:
    """The challengers of all campaigns. Safe to restart at any time: what it knows is in the store."""

    def __init__(
        self, store: LabelStore, server: ModelServer, shadow: ShadowModel, clock: Callable[[], datetime]
    ) -> None:
        """Nothing is looked at yet.

        Args:
            store: Where challengers, answers and labels are.
            server: Promotes and rejects.
            shadow: Lets a challenger answer.
            clock: Gives aware UTC times.
        """
        self._store, self._server, self._shadow, self._clock = store, server, shadow, clock

    def look(self, campaign: Campaign) -> None:
        """Let the campaign's challenger answer in the shadow, if it has one, and decide once labels allow it."""
        challenger = self._store.gate.challenger(campaign.campaign_id)
        in_shadow = challenger is not None and challenger.mode == "shadow"
        self._shadow.attend(campaign, challenger if in_shadow else None)
        settings = campaign.policy.shadow or ShadowSettings()
        if not in_shadow or campaign.policy.promotion != "shadow" or settings.decide != "automatic":
            return
        report = self.report(campaign)
        if report is None or report.promote is None:
            return
        try:
            if report.promote:
                self._server.promote(campaign, report.version, report.sentence, self._clock, person=False)
            else:
                self._server.reject(campaign, report.version, report.sentence, self._clock)
        except (ConflictError, NotFoundError) as error:  # a person was faster
            logger.info("campaign %s: %s is decided already: %s", campaign.name, report.version, error)
        except RegistryError as error:
            reason = f"it cannot be served: {error}"
            self._server.reject(campaign, report.version, reason, self._clock)

    def record(self, campaign: Campaign, answers: Sequence[ShadowAnswer]) -> None:
        """Keep what the challenger would have answered at a replica, as of now: clocks differ.

        Raises:
            ConflictError: Another challenger, or none, answers in the shadow now, or the campaign is another one.
        """
        challenger = self._store.gate.challenger(campaign.campaign_id)
        wanted = None if challenger is None or challenger.mode != "shadow" else challenger.version
        if any((entry.campaign_id, entry.challenger) != (campaign.campaign_id, wanted) for entry in answers):
            raise ConflictError(f"campaign {campaign.name!r} is another one now, or its challenger is")
        if answers:
            now = self._clock()
            self._store.shadow_answers.record([msgspec.structs.replace(entry, answered_at=now) for entry in answers])

    def report(self, campaign: Campaign) -> ShadowReport | None:
        """How the challenger in the shadow does; None: there is none."""
        number, challenger = campaign.campaign_id, self._store.gate.challenger(campaign.campaign_id)
        if challenger is None or challenger.mode != "shadow":
            return None
        champion = campaign.current_version
        settings = campaign.policy.shadow or ShadowSettings()
        answered, pairs = 0, []
        if champion is not None:
            answers = self._store.shadow_answers
            answered = answers.count(number, champion, challenger.version)
            pairs = list(answers.judged(number, champion, challenger, MOST_JUDGED)) if answered else []
        headers = self._store.samples.headers(number, [label.sample_id for label, _ in pairs])
        return shadow_report(
            challenger, champion, judge(campaign, pairs, headers), answered, self._shadow.counts(campaign), settings,
            campaign.policy.tolerance,
        )  # fmt: skip
