"""Backups of a directory at work: one moment of it, whatever is written meanwhile."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.errors import StoreError, StoreLockedError
from al_loop.store import LabelStore
from al_loop.upkeep.archive import read_archive
from al_loop.upkeep.backup import take_backup
from al_loop.upkeep.restore import restore_backup
from tests.al_loop.store.fixtures import CLASSES, NOW, ONE_TASK, plain_headers


def make_campaign(store: LabelStore, root: Path, name: str = "fields") -> Campaign:
    return store.campaigns.create(
        name=name, tasks=ONE_TASK, root=str(root), bands=None, settings=CampaignSettings(), policy=RetrainPolicy(),
        now=NOW,
    )  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    return DataLayout(tmp_path / "data")


@pytest.fixture
def at_work(layout: DataLayout) -> Iterator[LabelStore]:
    """A store with a campaign of 300 samples, some files, and files that no backup needs."""
    layout.root.mkdir()
    store = LabelStore.open(layout.database)
    campaign = make_campaign(store, layout.root)
    store.samples.register(campaign.campaign_id, plain_headers(300), now=NOW)
    for name in ("models/v1/model.onnx", "rounds/1/training/log.txt", "scores/v1/part-0.npy", "pictures/1/copy.tif"):
        (layout.campaign("fields") / name).parent.mkdir(parents=True, exist_ok=True)
        (layout.campaign("fields") / name).write_text(name)
    (layout.campaign("fields") / ".staging-1").write_text("unfinished")
    (layout.temporary / "upload").mkdir(parents=True)
    yield store
    store.close()


def label(store: LabelStore, sample_id: int) -> None:
    campaign = store.campaigns.get("fields")
    answer = LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=[CLASSES[0]])
    record_labels(store, campaign, [answer], now=NOW)


def labelled(store: LabelStore) -> list[int]:
    campaign = store.campaigns.get("fields")
    return sorted(entry.sample_id for entry in store.labels.current(campaign.campaign_id))


@pytest.mark.parametrize("embeddings", [False, True])
def test_restored_directory_is_as_it_was_but_for_what_is_made_again(
    at_work: LabelStore, layout: DataLayout, tmp_path: Path, embeddings: bool
) -> None:
    label(at_work, 3)
    archive = tmp_path / "backup.tar"
    archive.write_bytes(b"".join(take_backup(at_work, layout, lambda: NOW, embeddings=embeddings)))
    label(at_work, 4)
    restored = restore_backup(archive, tmp_path / "restored")
    assert [(entry.name, entry.samples, entry.labels, entry.found) for entry in restored.campaigns] == [
        ("fields", 300, 1, True)
    ]
    files = {
        str(path.relative_to(tmp_path / "restored" / "campaigns" / "fields"))
        for path in (tmp_path / "restored" / "campaigns").rglob("*")
        if path.is_file()
    }
    kept = {"models/v1/model.onnx", "rounds/1/training/log.txt"}
    assert files == kept | ({"scores/v1/part-0.npy"} if embeddings else set())
    again = LabelStore.open(tmp_path / "restored" / "al-loop.duckdb")
    assert labelled(again) == [3]
    label(again, 5)  # ids go on after those that are taken
    assert labelled(again) == [3, 5]
    again.close()
    assert list(layout.temporary.iterdir()) == [layout.temporary / "upload"]


def test_labels_that_come_in_meanwhile_are_whole_in_it_or_not_at_all(
    at_work: LabelStore, layout: DataLayout, tmp_path: Path
) -> None:
    """Every label before the last one that is in the backup is in it: they were written one after the other."""
    stop = threading.Event()
    written: list[int] = []

    def annotate() -> None:
        for sample_id in range(1, 301):
            if stop.is_set():
                return
            label(at_work, sample_id)
            written.append(sample_id)

    annotator = threading.Thread(target=annotate)
    annotator.start()
    acknowledged = []
    for number in range(3):
        acknowledged.append(len(written))
        (tmp_path / f"{number}.tar").write_bytes(b"".join(take_backup(at_work, layout, lambda: NOW)))
    stop.set()
    annotator.join()
    for number, known in enumerate(acknowledged):
        restore_backup(tmp_path / f"{number}.tar", tmp_path / f"restored-{number}")
        again = LabelStore.open(tmp_path / f"restored-{number}" / "al-loop.duckdb")
        found = labelled(again)
        again.close()
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= known


def test_file_that_is_replaced_while_the_backup_is_read_is_in_it_as_it_was(
    at_work: LabelStore, layout: DataLayout, tmp_path: Path
) -> None:
    stream = take_backup(at_work, layout, lambda: NOW)
    head = next(stream)
    model = layout.campaign("fields") / "models/v1/model.onnx"
    (model.parent / "next").write_text("of another version")
    (model.parent / "next").replace(model)
    (tmp_path / "backup.tar").write_bytes(head + b"".join(stream))
    restore_backup(tmp_path / "backup.tar", tmp_path / "restored")
    assert (tmp_path / "restored/campaigns/fields/models/v1/model.onnx").read_text() == "models/v1/model.onnx"


def test_database_stays_locked_for_others_after_a_backup(at_work: LabelStore, layout: DataLayout) -> None:
    b"".join(take_backup(at_work, layout, lambda: NOW))
    imports = "from pathlib import Path; from al_loop.store import LabelStore"
    code = f"{imports}; LabelStore.open(Path({str(layout.database)!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert StoreLockedError.__name__ in found.stderr


def test_backup_that_nobody_reads_to_its_end_leaves_nothing(at_work: LabelStore, layout: DataLayout) -> None:
    next(take_backup(at_work, layout, lambda: NOW))
    take_backup(at_work, layout, lambda: NOW).close()
    assert list(layout.temporary.iterdir()) == [layout.temporary / "upload"]


def test_database_that_cannot_be_copied_is_an_error_and_leaves_nothing(
    at_work: LabelStore, layout: DataLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(layout.root))
    (layout.root / "cp").write_text("#!/bin/sh\necho 'cp: No space left on device' >&2\nexit 1\n")
    (layout.root / "cp").chmod(0o755)
    with pytest.raises(StoreError, match="No space left"):
        take_backup(at_work, layout, lambda: NOW)
    assert list(layout.temporary.iterdir()) == [layout.temporary / "upload"]
    monkeypatch.undo()
    label(at_work, 7)  # the store goes on
    assert labelled(at_work) == [7]


def test_running_round_is_left_out(at_work: LabelStore, layout: DataLayout, tmp_path: Path) -> None:
    campaign = at_work.campaigns.get("fields")
    number = at_work.rounds.create(campaign.campaign_id, reason="ops", now=NOW).number
    layout.round("fields", number).mkdir(exist_ok=True)
    (layout.round("fields", number) / "snapshot.parquet").write_text("half")
    (tmp_path / "b.tar").write_bytes(b"".join(take_backup(at_work, layout, lambda: NOW)))
    assert read_archive(tmp_path / "b.tar").files == 2 + layout.database.with_name("al-loop.duckdb.wal").exists()
