from collections.abc import Callable
from pathlib import Path

from al_loop.campaigns.deletion import describe_deletion, remove_files
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore


def test_deletion_says_what_goes_and_what_stays_and_takes_the_files_after_it(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign, layout = make_campaign(samples=3), DataLayout(tmp_path / "data")
    file = layout.models("demo") / "v1" / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(2_000_000))
    told = describe_deletion(label_store, layout, campaign, ["round 3"])
    assert told.file_bytes == 2_000_000
    for words in ("3 samples", "2.0 MB", "round 3 would be cancelled", f"images in {campaign.root} stay"):
        assert words in told.sentence
    remove_files(label_store, layout)
    assert file.exists()
    label_store.removals.delete(campaign.campaign_id)
    remove_files(label_store, layout)
    assert not layout.campaign("demo").exists()
