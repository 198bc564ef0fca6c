"""Programs that an earlier run left on a cluster: those of rounds that go on stay, all others are ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import RoundState
from al_loop.runtime.cluster.config import RayConfig, driver_directory
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.cluster.reach import ClusterState
from al_loop.runtime.processes import ProcessFailedError
from al_loop.store import LabelStore
from al_loop.training.running.left_on_cluster import LeftOnCluster
from al_loop.training.running.round_files import RoundFiles
from tests.al_loop.store.fixtures import NOW


class Cluster:
    """One that answers or not, and ends programs that a driver asks it to end."""

    def __init__(self) -> None:
        self.answers, self.works, self.ended = True, True, list[str]()

    def drive(self, module: str, arguments: list[str], directory: Path, **_: Any) -> None:
        assert arguments == ["--end"]
        if not self.works:
            raise ProcessFailedError("the Ray cluster was lost")
        self.ended.append(directory.parent.parent.name + "/" + directory.parent.name)
        (directory / "ended").write_text("cancelled")

    def executor(self) -> RayExecutor:
        state = ClusterState("head:6379", lambda address: self.answers)
        return RayExecutor(RayConfig(address="head:6379", data="/"), drive=self.drive, state=state)


def leave(directory: Path) -> Path:
    """What is on the disk where a service was killed while a program of this directory was on the cluster."""
    driver = driver_directory(directory)
    driver.mkdir(parents=True)
    (driver / "submission.txt").write_text("al-loop-1")
    (driver / "driver.json").write_text("{}")
    return driver


def test_programs_that_no_job_takes_up_are_ended_once_the_cluster_answers(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign, layout, cluster = make_campaign("demo"), DataLayout(tmp_path), Cluster()
    number = campaign.campaign_id
    cancelled = label_store.rounds.create(number, reason="ops", now=NOW).number
    label_store.rounds.set_state(number, cancelled, RoundState.CANCELLED, NOW)
    goes_on = label_store.rounds.create(number, reason="ops", now=NOW).number
    drivers = [
        leave(layout.round(campaign.folder, cancelled) / "training-2"),
        leave(layout.pretraining(campaign.folder, 1) / "training"),
        leave(layout.comparison(campaign.folder, 1) / "joint" / "seed-1"),
        leave(layout.round(campaign.folder, goes_on) / "training"),
    ]
    left = LeftOnCluster(cluster.executor(), label_store, layout)
    cluster.answers = False
    left.look()
    cluster.answers, cluster.works = True, False
    left.look()
    assert (cluster.ended, left.count) == ([], 4)
    cluster.works = True
    left.look()
    left.look()
    assert cluster.ended == ["1/joint", "pretrainings/1", "rounds/1"]
    assert [driver.exists() for driver in drivers] == [False, False, False, True]
    assert left.count == 1  # it waits for its job


def test_next_attempt_of_a_round_is_the_one_that_a_cluster_may_still_run(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path)
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "log.txt").write_text("x")
    assert files.next_run() == tmp_path / "training-2"
    driver = leave(tmp_path / "training")
    (tmp_path / "training" / "model.onnx").write_text("in the making")
    assert files.next_run() == tmp_path / "training"
    assert (tmp_path / "training" / "model.onnx").exists()
    (driver / "submission.txt").unlink()
    assert files.next_run() == tmp_path / "training-2"


@pytest.mark.parametrize("there", [True, False])
def test_driver_that_left_no_order_has_nothing_to_end(tmp_path: Path, there: bool) -> None:
    driver = leave(tmp_path / "training")
    if not there:
        (driver / "driver.json").unlink()
    cluster = Cluster()
    assert cluster.executor().end(driver)
    assert (len(cluster.ended), driver.exists()) == (there, False)
