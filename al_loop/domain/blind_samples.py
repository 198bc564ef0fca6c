"""Which samples are answered without help although nothing is measured with them, so that its absence tells little."""

from collections.abc import Sequence

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.reserve import random_keys

SALT = 0x626C696E64
"""Makes the draw independent of the others that use the campaign's seed."""


def drawn(campaign: Campaign, sample_ids: Sequence[int]) -> set[int]:
    """Those of these samples that `assist.blind_share` withholds help from: the same at every call."""
    ids = np.asarray(sample_ids, np.int64)
    keys = random_keys(ids, campaign.settings.reserve.seed ^ SALT ^ (campaign.campaign_id << 40))
    return set(ids[keys / np.float64(2**64) < campaign.settings.assist.blind_share].tolist())
