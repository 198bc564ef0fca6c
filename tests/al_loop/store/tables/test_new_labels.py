"""Labels since a round."""

from collections.abc import Callable
from datetime import timedelta

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW


def test_labels_are_found_by_when_they_came_in_also_after_the_clock_was_set_back(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=4, settings=CampaignSettings(reserve=ReserveSettings(share=0.0, minimum=0)))
    number, spec, hour = campaign.campaign_id, campaign.tasks[0], timedelta(hours=1)
    assert label_store.new_labels.first_new_at(number, None) is None
    for sample, moment in enumerate((NOW, NOW + 9 * hour, NOW + hour)):
        label = LabelInput(path=f"img_0000{sample}.png", task=spec.task, annotator="ann", classes=spec.classes[:1])
        record_labels(label_store, campaign, [label], moment)
    assert label_store.new_labels.first_new_at(number, None) == NOW
    first = label_store.new_labels.newest_before(number, NOW)
    assert first is not None
    assert label_store.new_labels.newest_before(number, NOW - hour) is None
    assert label_store.new_labels.first_new_at(number, first) == NOW + hour
    assert label_store.labels.last_recorded_at(number) == NOW + hour  # the newest, not the latest
