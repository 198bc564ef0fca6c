"""Which samples are answered without help although nothing is measured with them, so that its absence tells little."""

from collections.abc import Sequence

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.reserve import random_keys

SALT = 0x626C696E64
"""Makes the draw independent of the others that use the campaign's seed."""


def drawn(campaign: Campaign, sample_ids: Sequence[int]) -> set[int]:
    """Those of these samples that `assist.blind_share` withholds help from: the same at every call; at 1 all.

    With a share b, a missing suggestion multiplies the odds that a sample is of the test reserve, which never gets one,
    by 1 / b (its Bayes factor). The default of 0.5 keeps it at 2; below 3 is "not worth more than a bare mention"
    (Kass and Raftery, Bayes Factors, JASA 1995).
    """
    ids, share = np.asarray(sample_ids, np.int64), campaign.settings.assist.blind_share
    keys = random_keys(ids, campaign.settings.reserve.seed ^ SALT ^ (campaign.campaign_id << 40))
    return set(ids[(keys / np.float64(2**64) < share) | (share == 1)].tolist())
