"""New images, and the report about them."""

from collections.abc import Callable
from datetime import timedelta

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.retraining import DriftReport
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, plain_headers

REPORT = DriftReport(version="features", since_round=1, auc=0.8, chance=0.6, p_value=0.005, new_images=9, old_images=9)


def test_images_registered_after_a_moment_are_new_and_their_labels_are_counted(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=3, settings=CampaignSettings(reserve=ReserveSettings(share=0.0, minimum=0)))
    later = NOW + timedelta(days=1)
    label_store.samples.register(campaign.campaign_id, plain_headers(2, start=3), later)
    new = label_store.drift.registered_since(campaign.campaign_id, NOW)
    assert len(new) == 2
    assert len(label_store.drift.registered_since(campaign.campaign_id, later)) == 0
    spec = campaign.tasks[0]
    for path in ("img_00000.png", "img_00003.png"):
        label = LabelInput(path=path, task=spec.task, annotator="ann", classes=spec.classes[:1])
        record_labels(label_store, campaign, [label], later)
    assert label_store.drift.labelled_since(campaign.campaign_id, NOW) == 1


def test_newest_report_is_kept_and_the_same_one_is_not_written_again(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    number, table = make_campaign().campaign_id, label_store.drift
    assert table.report(number) is None
    table.set_report(number, REPORT)
    assert table.report(number) == REPORT
    written = label_store.changes.total
    table.set_report(number, REPORT)
    assert label_store.changes.total == written
    table.set_report(number, None)
    assert table.report(number) is None
