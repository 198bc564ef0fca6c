"""What is told because it holds, and not because something was done: pools without samples, links that are down."""

from collections.abc import Callable
from datetime import datetime, timedelta

from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import SampleCounts
from al_loop.domain.webhooks import EventKind
from al_loop.scaneo.links import ScaneoLinks
from al_loop.store import LabelStore

LOST_AFTER = timedelta(seconds=60)
"""How long a link is in trouble before it counts as lost: SCANEO may be restarted."""


class ConditionWatch:
    """Looks at conditions, and lets the outbox know when they begin and end."""

    def __init__(self, store: LabelStore, links: ScaneoLinks, clock: Callable[[], datetime]) -> None:
        self._store, self._links, self._clock = store, links, clock
        self._down_since: dict[int, datetime] = {}

    def look_at_pool(self, campaign: Campaign) -> None:
        """See whether a campaign has samples left that could be offered."""
        now = self._clock()
        counts = self._store.campaigns.counts(campaign.campaign_id, now)
        self._store.events.set_condition(
            EventKind.POOL_EXHAUSTED,
            campaign.campaign_id,
            holds=counts.total > 0 and not self._has_left(campaign, counts, now),
            data={
                "samples": counts.total,
                "labelled": counts.labelled + counts.reserve_labelled,
                "skipped": counts.skipped,
                "unusable": counts.unusable,
            },
            now=now,
        )

    def _has_left(self, campaign: Campaign, counts: SampleCounts, now: datetime) -> bool:
        """Whether a sample can be offered, or may come back from its lease; of the test reserve, too."""
        if counts.pool + counts.leased > counts.skipped + counts.unusable:
            return True  # at least one of them is neither
        return self._store.samples.are_left(campaign.campaign_id, now)

    def look_at_links(self) -> None:
        """See which links are in trouble for longer than a restart takes."""
        now, working = self._clock(), self._links.working()
        down = {campaign_id for campaign_id, works in working.items() if not works}
        self._down_since = {key: self._down_since.get(key, now) for key in down}
        if not working:
            return
        campaigns = {campaign.campaign_id: campaign for campaign in self._store.campaigns.list()}
        for campaign_id in working.keys() & campaigns.keys():
            since = self._down_since.get(campaign_id)
            if since is not None and now - since < LOST_AFTER:
                continue
            problems = self._links.notices(campaigns[campaign_id]) if since is not None else []
            self._store.events.set_condition(
                EventKind.LINK_LOST,
                campaign_id,
                holds=since is not None,
                data={"problem": next(iter(problems), None)},
                now=now,
            )
