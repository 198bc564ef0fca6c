"""Trainings of super-resolution as jobs; the way through with the real program is tested over HTTP."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.super_resolutions import SuperResolutionRequest, SuperResolutionState, SuperResolutionTraining
from al_loop.errors import ArchivedError, InvalidValueError
from al_loop.runtime.processes import ProcessFailedError, run_supervised
from al_loop.store import LabelStore
from al_loop.training.super_resolution.running import MOST_ATTEMPTS, SuperResolutionKind, SuperResolutionRunner
from tests.waiting import wait_for


def ended(store: LabelStore, campaign: Campaign, number: int) -> SuperResolutionTraining:
    def look() -> SuperResolutionTraining | None:
        entry = store.super_resolutions.get(campaign.campaign_id, number)
        return entry if entry.state.is_end else None

    return wait_for(look)


def runner(store: LabelStore, data: Path, program: Callable[..., None]) -> SuperResolutionRunner:
    return SuperResolutionRunner(store, DataLayout(data), lambda: datetime.now(UTC), executor=program)


def test_model_lies_in_the_campaigns_folder(
    make_campaign: Callable[..., Campaign],
    label_store: LabelStore,
    pair_folder: Path,
    super_model: Path,
    tmp_path: Path,
) -> None:
    campaign = make_campaign()

    def program(module: str, arguments: list[str], directory: Path, **hooks: Any) -> None:
        hooks["on_phase"]("training")
        shutil.copytree(super_model, directory)

    jobs = runner(label_store, tmp_path, program)
    started = jobs.start(campaign, SuperResolutionRequest(pairs=str(pair_folder)), [pair_folder.parent.resolve()])
    entry = ended(label_store, campaign, started.number)
    jobs.close()
    assert (entry.state, entry.error) == (SuperResolutionState.FINISHED, None)
    assert entry.result is not None
    assert entry.result.folder == "super-resolution/1"
    assert (DataLayout(tmp_path).campaign(campaign.folder) / entry.result.folder / "model.onnx").is_file()


def test_failed_training_says_why_and_keeps_its_log_alone(
    make_campaign: Callable[..., Campaign], label_store: LabelStore, pair_folder: Path, tmp_path: Path
) -> None:
    campaign = make_campaign()

    def program(module: str, arguments: list[str], directory: Path, **_: Any) -> None:
        directory.mkdir(parents=True)
        (directory / "log.txt").write_text("what it wrote")
        Path(arguments[arguments.index("--checkpoint") + 1]).mkdir()
        raise ProcessFailedError("the loss is not finite")

    jobs = runner(label_store, tmp_path, program)
    jobs.start(campaign, SuperResolutionRequest(pairs=str(pair_folder)), [pair_folder.parent.resolve()])
    entry = ended(label_store, campaign, 1)
    assert entry.state is SuperResolutionState.FAILED
    assert str(entry.error).startswith("the loss is not finite")
    assert jobs.log(campaign, 1) == ["what it wrote"]
    jobs.close()
    part = DataLayout(tmp_path).super_resolution(campaign.folder, 1).with_name("1.part")
    assert [path.name for path in part.iterdir()] == ["run-1"]


def test_folder_elsewhere_or_without_pairs_is_refused(
    make_campaign: Callable[..., Campaign], label_store: LabelStore, pair_folder: Path, tmp_path: Path
) -> None:
    campaign, jobs = make_campaign(), runner(label_store, tmp_path, run_supervised)
    home, inside = tmp_path.resolve(), tmp_path / "empty"
    inside.mkdir()
    for folder, why in (
        (pair_folder, "lies outside the"), (inside, "has no readable pairs.json"), (home / "no", "not an exist"),
    ):  # fmt: skip
        with pytest.raises(InvalidValueError, match=why):
            jobs.start(campaign, SuperResolutionRequest(pairs=str(folder)), [home])
    archived = msgspec.structs.replace(campaign, archived_at=datetime.now(UTC))
    with pytest.raises(ArchivedError):
        jobs.start(archived, SuperResolutionRequest(pairs=str(pair_folder)), [pair_folder.parent.resolve()])
    jobs.close()


def test_training_goes_on_a_few_times_only(
    make_campaign: Callable[..., Campaign], label_store: LabelStore, tmp_path: Path
) -> None:
    campaign, layout = make_campaign(), DataLayout(tmp_path)
    kind = SuperResolutionKind(label_store, layout, run_supervised)
    entry = label_store.super_resolutions.create(
        campaign.campaign_id, SuperResolutionRequest(pairs="/pairs"), datetime.now(UTC)
    )
    assert kind.goes_on(campaign, entry)
    part = layout.super_resolution(campaign.folder, 1).with_name("1.part")
    for attempt in range(MOST_ATTEMPTS):
        (part / f"run-{attempt + 1}").mkdir(parents=True)
    assert not kind.goes_on(campaign, entry)
    assert kind.directory(campaign, 1).name == f"run-{MOST_ATTEMPTS}"
    assert kind.after_a_kill(entry)[0] is SuperResolutionState.INTERRUPTED
