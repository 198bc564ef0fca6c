"""What was shown is on record even if the process is killed the moment after it answered."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import ShownPrediction
from al_loop.runtime.journal import Journal
from al_loop.serving.prediction_log import PredictionLog
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, stored_predictions
from tests.waiting import PATIENCE_S

ANSWERS_AND_DIES = """
import os, signal, sys
from pathlib import Path
import numpy as np
from al_loop.campaigns.layout import DataLayout
from al_loop.serving.prediction_log import PredictionLog
from al_loop.store import LabelStore
from tests.al_loop.serving.test_prediction_log import shown

layout = DataLayout(Path(sys.argv[1]))
log = PredictionLog(LabelStore.open(layout.database), layout.shown_journal)
log.add(shown(1, "classification", answer={"probabilities": [0.25, 0.75]}))
log.add(shown(1, "segmentation"), np.ones((3, 4), np.uint8))
os.kill(os.getpid(), signal.SIGKILL)
"""


def shown(campaign_id: int, task: str = "classification", **changes: object) -> ShownPrediction:
    fields = {"pixel_hash": "aa", "version": "v1", "answer": {}, "shown_at": NOW}
    return ShownPrediction(campaign_id=campaign_id, task=task, **fields | changes)  # type: ignore[arg-type]


@pytest.fixture
def layout(tmp_path: Path, label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> DataLayout:
    """A data directory at rest, with one campaign."""
    assert make_campaign(samples=1).campaign_id == 1
    label_store.close()
    (tmp_path / "data").mkdir()
    found = DataLayout(tmp_path / "data")
    shutil.copy(tmp_path / "store" / "al_loop.duckdb", found.database)
    return found


def test_killed_process_forgets_no_answer(layout: DataLayout) -> None:
    died = subprocess.run([sys.executable, "-c", ANSWERS_AND_DIES, str(layout.root)], check=False, timeout=PATIENCE_S)
    assert died.returncode == -signal.SIGKILL
    store = LabelStore.open(layout.database)
    log = PredictionLog(store, layout.shown_journal)
    stored = {entry.task: entry.answer for entry in stored_predictions(store, 1)}
    assert stored == {"classification": {"probabilities": [0.25, 0.75]}, "segmentation": {"mask": False}}
    assert not list(layout.shown_journal.iterdir())
    log.close()
    store.close()


def test_note_of_what_is_stored_already_doubles_nothing(layout: DataLayout) -> None:
    store = LabelStore.open(layout.database)
    log = PredictionLog(store, layout.shown_journal)
    log.add(shown(1))
    log.close()
    assert not list(layout.shown_journal.iterdir())
    # as if killed between the commit and the removal of the file
    Journal(layout.shown_journal, ShownPrediction).note(shown(1))
    PredictionLog(store, layout.shown_journal).close()
    assert len(stored_predictions(store, 1)) == 1
    store.close()


def test_note_that_was_cut_off_hides_no_other(layout: DataLayout) -> None:
    journal = Journal(layout.shown_journal, ShownPrediction)
    journal.note(shown(1))
    (page,) = journal.rotate()
    with page.open("ab") as file:
        file.write(b'{"campaign_id": 1, "pixel')
    store = LabelStore.open(layout.database)
    PredictionLog(store, layout.shown_journal).close()
    assert [entry.pixel_hash for entry in stored_predictions(store, 1)] == ["aa"]
    store.close()


def test_answer_is_given_where_no_note_can_be_written(layout: DataLayout, caplog: pytest.LogCaptureFixture) -> None:
    store = LabelStore.open(layout.database)
    log = PredictionLog(store, layout.shown_journal)
    shutil.rmtree(layout.shown_journal)
    log.add(shown(1))
    assert "could not be noted" in caplog.text
    log.close()
    assert len(stored_predictions(store, 1)) == 1
    store.close()


def test_masks_are_stored_in_the_background(layout: DataLayout) -> None:
    store = LabelStore.open(layout.database)
    log = PredictionLog(store, layout.shown_journal)
    log.add(shown(1, "segmentation"), np.full((3, 4), 2, np.uint8))
    log.flush()
    assert stored_predictions(store, 1)[0].answer == {"pixels": {"2": 12}, "height": 3, "width": 4}
    assert not list(layout.shown_journal.iterdir())
    log.close()
    store.close()
