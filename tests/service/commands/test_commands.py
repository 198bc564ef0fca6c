"""The command line against a real service: import, status, round with progress, export, promote."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.client.http import Client
from al_loop.domain.campaigns import CampaignRequest, TaskRequest
from al_loop.domain.labels import LabelInput
from service.app import create_app
from service.cli import main
from service.commands.imports import label_chunks, record
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import CLASSES, running_server, truth, write_pool

Run = Callable[..., int]

QUICK = ["model.encoder=test_resnet", "train.epochs=12", "train.batch_size=8"]
"""Settings for a round of seconds; the tutorial, which another test runs, trains with those of a new campaign."""


@pytest.fixture
def folder(imagery: Path) -> Path:
    """Two class folders of 14 images each, and a file that is no raster."""
    root = imagery / "classes"
    for number in range(28):
        name, level = ("bright", 2500.0) if number % 2 else ("dark", 900.0)
        data = np.full((3, 32, 32), level) + np.random.default_rng(number).normal(0, 120, (3, 32, 32))
        origin = (500_000.0 + 3000 * number, 4_600_000.0)
        make_scene(root / name / f"{number:02d}.tif", width=32, height=32, content=data, origin=origin)
    (root / "dark" / "broken.tif").write_text("no raster")
    return root


@pytest.fixture
def al_loop(settings: Settings) -> Iterator[Run]:
    """Run a command against a service on a free port."""
    with running_server(create_app(settings)) as url:

        def run(*arguments: str) -> int:
            return main([*arguments, "--service", url])

        yield run


def test_import_train_export_and_promote(
    al_loop: Run, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert al_loop("import", str(folder), "--campaign", "land") == 3
    said = capfd.readouterr().err
    assert "classification labels: 28 new" in said
    assert "not a TIFF" in said
    assert "every image has a label" in said
    assert al_loop("settings", "set", "land", *QUICK) == 0
    capfd.readouterr()
    assert al_loop("round", "start", "land", "--json") == 0
    shown = capfd.readouterr()
    assert "round 1 training\n" in shown.err
    ended = json.loads(shown.out)
    assert (ended["number"], ended["state"]) in [(1, "promoted"), (1, "rejected")]
    assert al_loop("round", "list", "land", "--json") == 0
    assert [entry["number"] for entry in json.loads(capfd.readouterr().out)] == [1]
    assert al_loop("status", "land") == 0
    assert "land" in capfd.readouterr().out
    assert al_loop("model", "list", "land") == 0
    assert "[" in capfd.readouterr().out  # the interval of its metric
    assert al_loop("model", "promote", "land", "v1", "--reason", "by hand") == 0
    assert "land: v1 serves (" in capfd.readouterr().err
    assert al_loop("model", "card", "land", "v1") == 0
    assert "bright" in capfd.readouterr().out
    assert al_loop("round", "log", "land") == 0
    assert al_loop("export", "land", "--format", "scaneo", "--out", str(tmp_path / "labels.zip")) == 0
    assert (tmp_path / "labels.zip").read_bytes()[:2] == b"PK"
    capfd.readouterr()
    assert al_loop("round", "watch", "land", "--quiet") == 0
    outcome, choice = capfd.readouterr().err.splitlines()
    assert re.match("round 1 (promoted|rejected): ", outcome), "the outcome, without a line for each phase"
    assert choice.startswith("  deep is the only candidate"), "which candidate is the version"
    assert al_loop("import", str(folder), "--campaign", "land", "--quiet") == 3
    said = capfd.readouterr().err
    assert "registering images" not in said
    assert "land" in said


def test_cancelled_round_has_the_exit_code_of_what_did_not_end_well(
    al_loop: Run, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert al_loop("import", str(folder), "--campaign", "land") == 3
    capfd.readouterr()
    assert al_loop("round", "start", "land", "--detach", "--json") == 0
    assert json.loads(capfd.readouterr().out)["number"] == 1
    assert al_loop("round", "cancel", "land", "--json") == 0
    assert json.loads(capfd.readouterr().out)["state"] == "cancelled"
    assert al_loop("round", "watch", "land", "1") == 1
    assert "round 1 cancelled" in capfd.readouterr().err


def test_known_error_is_one_sentence_without_a_traceback(al_loop: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert al_loop("status", "nobody") == 2
    assert capfd.readouterr().err == "al-loop: no campaign 'nobody'\n"


def test_full_disk_below_the_output_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with suppress(OSError), Path("/dev/full").open("w") as full:  # what is left is written again when it is closed
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["--version"]) == 2
    assert capfd.readouterr().err == "al-loop: what this command makes cannot be written: No space left on device\n"


def test_reader_that_had_enough_is_no_error(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["--version"]) == 1
    assert capfd.readouterr().err == ""


def test_scaneo_command_without_a_service_names_the_remedy(capfd: pytest.CaptureFixture[str]) -> None:
    link = ["scaneo", "connect", "http://127.0.0.1:1", "--campaign", "Land", "--service", "http://127.0.0.1:1"]
    assert main(link) == 2
    assert "al-loop serve" in capfd.readouterr().err


def test_unsafe_settings_stop_the_service(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AL_LOOP_TOKENS", raising=False)
    assert main(["serve", "--host", "0.0.0.0"]) == 2  # noqa: S104  # the point of the test
    assert "without tokens" in capfd.readouterr().err


def test_import_names_the_label_that_was_refused_and_stores_the_others(settings: Settings, imagery: Path) -> None:
    names = write_pool(imagery / "pool", 6)
    with running_server(create_app(settings)) as url, Client(url) as client:
        task = TaskRequest(task="classification", classes=CLASSES)
        client.create_campaign(CampaignRequest(name="land", tasks=[task], root=str(imagery / "pool")))
        client.register("land", names)
        [leased] = client.query("land", "anna", 1).samples
        labels = [
            LabelInput(path=name, task="classification", annotator="import", classes=[truth(name)]) for name in names
        ]
        [refused] = record(client, "land", labels)
        assert refused.path == leased.path
        assert "leased" in refused.reason
        assert client.campaign("land").samples.labelled + client.campaign("land").samples.reserve_labelled == 5


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 10))
def test_label_requests_are_small_and_lose_nothing(lengths: list[int], most: int) -> None:
    labels = [
        LabelInput(path="x" * length, task="classification", annotator="ann", classes=["a"]) for length in lengths
    ]
    chunks = list(label_chunks(labels, most, most_bytes=1000))
    assert [label for chunk in chunks for label in chunk] == labels
    for chunk in chunks:
        assert 1 <= len(chunk) <= most
        assert len(chunk) == 1 or sum(len(msgspec.json.encode(label)) for label in chunk) <= 1000
