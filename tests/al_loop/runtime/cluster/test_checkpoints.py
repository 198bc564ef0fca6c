"""What a lost machine has written is there for the next one, without a disk in common."""

import shutil
from pathlib import Path

import pytest

from al_loop.runtime.cluster import checkpoints
from al_loop.runtime.cluster.artefacts import ArtefactError, Artefacts
from al_loop.runtime.cluster.checkpoints import carried
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def copied_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LEAST_PAUSE_S", 0.0)


def copied(store: Artefacts) -> list[str]:
    return store.folders("jobs/1/checkpoints")


def test_next_machine_goes_on_from_the_newest_checkpoint_and_older_ones_are_removed(tmp_path: Path):
    store, folder = Artefacts(str(tmp_path / "store")), tmp_path / "checkpoint"
    arguments = ["/snapshot", "--checkpoint", str(folder), "--halvings", "0"]
    with carried(arguments, store, "jobs/1"):
        folder.mkdir()
        for number, said in enumerate((b"step 10", b"step 20"), start=1):
            (folder / ".unfinished").write_bytes(b"ste")
            (folder / "checkpoint.safetensors").write_bytes(said)
            wait_for(lambda number=number: copied(store) == [f"{number:06d}"])
    shutil.rmtree(folder)
    with carried(arguments, store, "jobs/1"):
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"checkpoint.safetensors": b"step 20"}
        (folder / "checkpoint.safetensors").write_bytes(b"step 30")
        wait_for(lambda: copied(store) == ["000003"])


@pytest.mark.parametrize("arguments", [["/snapshot"], ["/snapshot", "--checkpoint", "/nowhere/checkpoint"]])
def test_nothing_is_done_where_the_disk_is_shared_or_there_are_no_checkpoints(tmp_path: Path, arguments: list[str]):
    store = Artefacts(str(tmp_path / "store")) if len(arguments) == 1 else None
    with carried(arguments, store, "jobs/1"):
        pass
    assert not (tmp_path / "store").exists()


def test_place_that_cannot_be_written_is_logged_and_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    store, folder = Artefacts(str(tmp_path / "store")), tmp_path / "checkpoint"

    def full(*_: object) -> None:
        raise ArtefactError("the place is full")

    monkeypatch.setattr(store, "put", full)
    with carried(["--checkpoint", str(folder)], store, "jobs/1"):
        folder.mkdir()
        (folder / "checkpoint.safetensors").write_bytes(b"step 10")
        wait_for(lambda: "a checkpoint was not copied: the place is full" in caplog.text)
