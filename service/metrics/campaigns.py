"""How each campaign stands, for those who may know its name.

Labels are bounded: campaigns that are not archived, states, and of versions the one that serves and the newest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import ROUND_ENDS, Round
from al_loop.domain.webhooks import EventKind
from al_loop.loop import Loop
from al_loop.training.annotator_progress import told_counts

CONDITIONS = (EventKind.POOL_EXHAUSTED, EventKind.DRIFT_DETECTED, EventKind.LINK_LOST)
STATES = ("pool", "leased", "labelled", "reserve")
STATES_TOLD = STATES[:3]
"""To those who must not know the test reserve: its samples are counted with the others."""


class CampaignState(Collector):
    """Reads the loop at each scrape; what a campaign's last change left is kept in memory by the store."""

    def __init__(self, loop: Loop, *, reserve: bool = True, person: str | None = None) -> None:
        """Without `reserve` `person` is told nothing that shows which answers belong to the test reserve."""
        self._loop, self._reserve, self._person = loop, reserve, person

    def collect(self) -> Iterator[Metric]:
        """The families, as they are now."""
        campaigns = [entry for entry in self._loop.store.campaigns.list() if entry.archived_at is None]
        yield from self._samples(campaigns)
        yield from self._rounds(campaigns)
        yield from self._labels(campaigns)
        yield self._models(campaigns)
        yield from self._links(campaigns)
        condition = GaugeMetricFamily(
            "al_loop_condition", "1 while a condition holds that webhooks are told of", labels=["campaign", "kind"]
        )
        for kind in CONDITIONS:
            holding = self._loop.store.events.holding(kind)
            for campaign in campaigns:
                if campaign.campaign_id in holding:
                    condition.add_metric([campaign.name, kind.value], 1)
        yield condition

    def _samples(self, campaigns: Sequence[Campaign]) -> Iterator[Metric]:
        samples = GaugeMetricFamily("al_loop_samples", "Samples by state", labels=["campaign", "state"])
        leases = _of_campaign("al_loop_leases", "Samples on lease, those of the test reserve among them")
        labelled = _of_campaign("al_loop_reserve_labelled", "Samples of the test reserve with an answer")
        now = self._loop.clock()
        for campaign in campaigns:
            counts = self._loop.store.campaigns.counts(campaign.campaign_id, now)
            shown = counts if self._reserve else told_counts(self._loop.store, campaign, self._person, now)
            for state in STATES if self._reserve else STATES_TOLD:
                samples.add_metric([campaign.name, state], getattr(shown, state))
            leases.add_metric([campaign.name], shown.leased + shown.reserve_leased)
            labelled.add_metric([campaign.name], counts.reserve_labelled)
        yield from (samples, leases, labelled) if self._reserve else (samples, leases)

    def _rounds(self, campaigns: Sequence[Campaign]) -> Iterator[Metric]:
        running = _of_campaign("al_loop_round_running", "Whether a round waits or runs")
        failed = _of_campaign("al_loop_last_round_failed", "Whether the newest round failed")
        given_up = _of_campaign(
            "al_loop_round_given_up", "Whether a round that started by itself failed and is not tried again"
        )
        waiting = GaugeMetricFamily(
            "al_loop_challenger_waiting", "1 while a version that passed the gate waits", labels=["campaign", "mode"]
        )
        ends = CounterMetricFamily("al_loop_rounds", "Rounds by end state", labels=["campaign", "state"])
        took = SummaryMetricFamily(
            "al_loop_round_duration_seconds", "Time from the start of a round to its end", labels=["campaign", "state"]
        )
        last = _of_campaign("al_loop_last_round_timestamp_seconds", "When the newest round that ended did so")
        for campaign in campaigns:
            rounds = self._loop.store.rounds.list(campaign.campaign_id)
            running.add_metric([campaign.name], any(not entry.state.is_end for entry in rounds))
            failed.add_metric([campaign.name], bool(rounds) and rounds[-1].state == "failed")
            given_up.add_metric([campaign.name], self._loop.outlook.failed_for_good(campaign) is not None)
            if (challenger := self._loop.store.gate.challenger(campaign.campaign_id)) is not None:
                waiting.add_metric([campaign.name, challenger.mode], 1)
            counts = Counter(entry.state for entry in rounds)
            for state in sorted(ROUND_ENDS):
                ends.add_metric([campaign.name, state.value], counts[state])
                seconds = [
                    took_s for entry in rounds if entry.state is state and (took_s := _seconds(entry)) is not None
                ]
                if seconds:
                    took.add_metric([campaign.name, state.value], count_value=len(seconds), sum_value=sum(seconds))
            _add_time(last, campaign, max((entry.ended_at for entry in rounds if entry.ended_at), default=None))
        yield from (running, failed, given_up, waiting, ends, took, last)

    def _labels(self, campaigns: Sequence[Campaign]) -> Iterator[Metric]:
        new = _of_campaign("al_loop_new_labels", "Samples newly labelled since the last round")
        until = _of_campaign("al_loop_labels_until_round", "New labels that are missing for the next round")
        last = _of_campaign("al_loop_last_label_timestamp_seconds", "When the newest label came in")
        head = _of_campaign("al_loop_last_head_timestamp_seconds", "When the light heads were fitted last")
        now = self._loop.clock()
        for campaign in campaigns:
            state, needed = self._loop.outlook.state(campaign, now), campaign.policy.new_labels
            new.add_metric([campaign.name], state.new_samples)
            if needed is not None:
                until.add_metric([campaign.name], max(0, needed - state.new_samples))
            _add_time(last, campaign, state.last_label_at)
            report = self._loop.refitter.report(campaign)
            _add_time(head, campaign, None if report is None else report.fitted_at)
        yield from (new, until, last, head) if self._reserve else (last,)  # heads learn from no answer of the reserve

    def _models(self, campaigns: Sequence[Campaign]) -> Metric:
        metric = GaugeMetricFamily(
            "al_loop_model_metric",
            "Metric on the test reserve of the version that serves and of the newest, as their rounds measured it",
            labels=["campaign", "version", "task", "metric", "serving"],
        )
        for campaign in campaigns:
            measured = [
                entry
                for entry in self._loop.store.rounds.list(campaign.campaign_id)
                if entry.version and entry.evaluation
            ]
            shown = {entry.version: entry for entry in measured if entry.version == campaign.current_version}
            shown |= {entry.version: entry for entry in measured[-1:]}
            for version, entry in shown.items():
                serving = str(version == campaign.current_version).lower()
                for result in entry.evaluation.candidate if entry.evaluation else []:
                    metric.add_metric([campaign.name, str(version), result.task, result.metric, serving], result.value)
        return metric

    def _links(self, campaigns: Sequence[Campaign]) -> Iterator[Metric]:
        up = _of_campaign("al_loop_link_up", "Whether the link to SCANEO works")
        last = _of_campaign("al_loop_last_scaneo_answer_timestamp_seconds", "When SCANEO answered last")
        working, answered = self._loop.links.working(), self._loop.links.answered_at()
        for campaign in campaigns:
            if campaign.campaign_id in working:
                up.add_metric([campaign.name], working[campaign.campaign_id])
                _add_time(last, campaign, answered.get(campaign.campaign_id))
        yield from (up, last)


def _of_campaign(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["campaign"])


def _add_time(family: GaugeMetricFamily, campaign: Campaign, moment: datetime | None) -> None:
    if moment is not None:
        family.add_metric([campaign.name], moment.timestamp())


def _seconds(entry: Round) -> float | None:
    """How long a round ran; None: it never began, or has not ended."""
    if entry.started_at is None or entry.ended_at is None:
        return None
    return (entry.ended_at - entry.started_at).total_seconds()
