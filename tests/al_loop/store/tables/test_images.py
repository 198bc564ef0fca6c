"""What became of the files of samples, in a real store."""

from collections.abc import Callable

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore


def test_new_samples_have_no_problem(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> None:
    assert label_store.images.problems(make_campaign(samples=3).campaign_id) == []
