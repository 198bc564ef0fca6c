"""What is remembered of files that could not be registered."""

from collections.abc import Callable

from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import SkippedPath
from al_loop.store import LabelStore


def test_newest_look_at_a_file_counts(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> None:
    number = make_campaign().campaign_id
    first = [SkippedPath(path="b.tif", reason="the file is empty"), SkippedPath(path="a\udcff.tif", reason="damaged")]
    label_store.skipped_files.note(number, first)
    assert [entry.path for entry in label_store.skipped_files.of(number)] == ["a\\udcff.tif", "b.tif"]
    label_store.skipped_files.note(number, [], ["b.tif", "c.tif"])
    assert [entry.path for entry in label_store.skipped_files.of(number)] == ["a\\udcff.tif"]
    label_store.skipped_files.note(number, [])
    assert label_store.skipped_files.of(number) == []
