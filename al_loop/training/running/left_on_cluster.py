"""Ends programs that an earlier run of the service left on the Ray cluster, and that no job takes up again.

A round goes on under its submission. What else was at work, such as a pretraining, was interrupted by the stop of the
service, and rounds may have been cancelled or deleted since: their programs would hold a machine for a day.
"""

import logging
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.runtime.cluster.config import DRIVER_SUFFIX, SUBMISSION_FILE
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)

PLACES = ("rounds", "pretrainings", "reproductions", "comparisons")
"""Folders of a campaign in which programs work."""


class LeftOnCluster:
    """What was left at the last stop; `look` ends it bit by bit."""

    def __init__(self, executor: RayExecutor, store: LabelStore, layout: DataLayout) -> None:
        """See what there is, before any job of this run begins.

        Args:
            executor: Follows and ends programs.
            store: Of the rounds that go on.
            layout: Where programs work.
        """
        self._executor, self._store, self._layout = executor, store, layout
        root = layout.root / "campaigns"
        found = (root.glob(f"*/{place}/**/*{DRIVER_SUFFIX}/{SUBMISSION_FILE}") for place in PLACES)
        self._left = sorted(submission.parent for submissions in found for submission in submissions)

    @property
    def count(self) -> int:
        """How many programs may still have to be ended."""
        return len(self._left)

    def look(self) -> None:
        """End what nobody takes up; what cannot be ended now, as the cluster does not answer, the next time."""
        if not self._left or not self._executor.state.look():
            return
        going_on, left = self._rounds_that_go_on(), []
        for driver in self._left:
            if self._executor.follows(driver) or not driver.exists():
                continue  # a job took it up, and sees to it
            if driver.parent in going_on or not self._executor.end(driver):
                left.append(driver)
            else:
                logger.info("ended a program that an earlier run left on the Ray cluster: %s", driver)
        self._left = left

    def _rounds_that_go_on(self) -> set[Path]:
        """Folders of rounds that have not ended."""
        return {
            self._layout.round(campaign.folder, entry.number)
            for campaign in self._store.campaigns.list()
            for entry in self._store.rounds.unfinished(campaign.campaign_id)
        }
