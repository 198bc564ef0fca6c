"""Kill -9 and full disks: what was acknowledged is on disk, and nothing else breaks."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.domain.labels import Label, LabelInput
from al_loop.errors import StoreFullError
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import CLASSES, NOW, plain_headers

KILLS = 6

ANNOTATE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from al_loop.campaigns.labelling import record_labels
from al_loop.domain.labels import Label, LabelInput
from al_loop.store import LabelStore

store = LabelStore.open(Path(sys.argv[1]))
campaign = store.campaigns.get("demo")
def annotate(worker):
    for turn in range(10_000):
        label = LabelInput(
            sample_id=turn % 50 + 1, task="classification", annotator=f"{sys.argv[2]} {worker} {turn}", classes=[]
        )
        (stored,) = record_labels(store, campaign, [label], datetime.now(UTC))
        sys.stdout.write(f"{stored.label_id} {stored.annotator}\\n")
        sys.stdout.flush()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(annotate, range(4)))
"""


def create(path: Path) -> None:
    store = LabelStore.open(path)
    make_demo(store)
    store.close()


def make_demo(store: LabelStore) -> None:
    campaign = store.campaigns.create(
        name="demo", tasks=[TaskSpec(task="classification", classes=CLASSES)], root="/", bands=None,
        settings=CampaignSettings(), policy=RetrainPolicy(), now=NOW,
    )  # fmt: skip
    store.samples.register(campaign.campaign_id, plain_headers(50), NOW)


def test_kill_loses_no_acknowledged_label(tmp_path: Path) -> None:
    path = tmp_path / "al_loop.duckdb"
    create(path)
    rng = random.Random(0)
    acknowledged: dict[int, str] = {}
    for run in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", ANNOTATE, str(path), str(run)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline()]  # it is at work now
            time.sleep(rng.uniform(0.0, 0.15))
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        complete = [line.decode() for line in lines if line.endswith(b"\n")]
        acknowledged |= {
            int(label_id): annotator.strip() for label_id, annotator in (x.split(" ", 1) for x in complete)
        }
        store = LabelStore.open(path)
        stored = {label.label_id: label.annotator for label in store.labels.current(1)}
        store.close()
        assert acknowledged.items() <= stored.items()
    assert len(acknowledged) >= KILLS


def note(sample_id: int, annotator: str) -> LabelInput:
    return LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=[])


def test_full_disk_refuses_the_label_and_recovers(small_disk: Path) -> None:
    path = small_disk / "al_loop.duckdb"
    store = LabelStore.open(path)
    make_demo(store)
    campaign = store.campaigns.get("demo")
    (before,) = record_labels(store, campaign, [note(1, "before")], NOW)
    disk = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (disk.f_bavail * disk.f_frsize))
    with pytest.raises(StoreFullError, match="nothing was stored"):
        record_labels(store, campaign, [note(2, "x" * 200) for _ in range(500)], NOW)
    assert store.labels.current(campaign.campaign_id) == [before]
    filler.unlink()
    (after,) = record_labels(store, campaign, [note(3, "after")], NOW)
    store.close()
    again = LabelStore.open(path)
    assert again.labels.current(campaign.campaign_id) == [before, after]
    again.close()


def test_failed_checkpoint_leaves_the_store_at_work(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = small_disk / "al_loop.duckdb"
    store = LabelStore.open(path)
    make_demo(store)
    campaign = store.campaigns.get("demo")
    rng = random.Random(0)

    def large(turn: int) -> Label:
        (stored,) = record_labels(store, campaign, [note(turn + 1, rng.randbytes(1_000_000).hex())], NOW)
        return stored

    labels = [large(turn) for turn in range(6)]  # 2 MB each, incompressible
    disk, spare = os.statvfs(small_disk), small_disk / "spare"
    spare.write_bytes(b"x" * 1_000_000)
    (small_disk / "filler").write_bytes(b"x" * (disk.f_bavail * disk.f_frsize - 11_000_000))
    labels += [large(turn) for turn in range(6, 9)]  # the log passes its limit, and there is no room for its contents
    with pytest.raises(StoreFullError):  # more than is left of the log's last page; the attempt took all other room
        record_labels(store, campaign, [note(39, "x" * 5000)], NOW)
    spare.unlink()
    (last,) = record_labels(store, campaign, [note(40, "small")], NOW)
    assert "could not move its write-ahead log" in caplog.text
    assert store.labels.current(campaign.campaign_id) == [*labels, last]
    store.close()
