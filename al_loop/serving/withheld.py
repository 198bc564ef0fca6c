"""Which samples are answered unaided: without suggestions, acceptance and pictures of the model's uncertainty.

All of the test reserve, gold-standard samples and open re-annotations, or what is measured with them would lean towards
the model; and a share of all others, so that a missing suggestion does not tell which sample is for testing.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime

from al_loop.domain.blind_samples import drawn
from al_loop.domain.campaigns import Campaign
from al_loop.errors import WithheldError
from al_loop.store import LabelStore

REMEMBERED = 4096
"""Images of prediction requests whose sample is remembered."""


class UnaidedSamples:
    """Says which samples of a campaign get no suggestion. Safe to share between threads."""

    def __init__(self, store: LabelStore, clock: Callable[[], datetime]) -> None:
        """Nothing is read yet.

        Args:
            store: Where samples and leases are.
            clock: Says which leases run.
        """
        self._store, self._clock = store, clock
        self._images: OrderedDict[tuple[int, str], tuple[int, bool]] = OrderedDict()

    def among(self, campaign: Campaign, sample_ids: Sequence[int]) -> set[int]:
        """Those of these samples that get no suggestion."""
        if not sample_ids:
            return set()
        on_purpose = self._store.samples.unaided(campaign.campaign_id, sample_ids, self._clock())
        return on_purpose | drawn(campaign, sample_ids)

    def check(self, campaign: Campaign, sample_id: int) -> None:
        """Refuse what shows the model's view of a sample that is answered unaided.

        Raises:
            WithheldError: It is. The message is the same for each reason.
        """
        if self.among(campaign, [sample_id]):
            raise WithheldError

    def has_image(self, campaign: Campaign, pixel_hash: str) -> bool:
        """Whether an image that is asked about is one that annotators answer unaided in SCANEO.

        Prediction requests of a campaign that is not linked are not held back: what they show comes back as no label.
        Nor are images of no sample.

        Args:
            campaign: The campaign.
            pixel_hash: Of the image, as `models.rasters.reading` takes it.
        """
        key, version = (campaign.campaign_id, pixel_hash), self._store.changes.version(campaign.campaign_id)
        known = self._images.get(key)
        if known is None or known[0] != version:
            linked = self._store.scaneo.find(campaign.campaign_id) is not None
            sample_ids = self._store.samples.of_pixels(campaign.campaign_id, pixel_hash) if linked else []
            known = self._images[key] = version, bool(self.among(campaign, sample_ids))
            while len(self._images) > REMEMBERED:
                self._images.popitem(last=False)
        return known[1]
