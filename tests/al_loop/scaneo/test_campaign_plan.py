from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.errors import InvalidValueError
from al_loop.scaneo.campaign_plan import PathMap, infer_tasks, output_indices, plan_tasks, root_of
from al_loop.scaneo.records import ScaneoAnnotation, ScaneoCampaign, ScaneoLabel
from models.card import TaskSpec

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001  # SCANEO's times have no zone
NEWEST_FIRST = [ScaneoLabel(id=name, name=name, color="#0048f0") for name in ("forest", "urban", "water")]


def annotation(kind: str, value: str, image_id: int = 1) -> ScaneoAnnotation:
    return ScaneoAnnotation(
        id="a",
        type=kind,  # type: ignore[arg-type]
        value=value,
        image_id=image_id,
        created_at=NOON,
        updated_at=NOON,
    )


def campaign(path: str | None) -> ScaneoCampaign:
    return ScaneoCampaign(id="c", name="demo", path=path, updated_at=NOON)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("/data/camp1", "/mnt/pool/camp1"),
        ("/data/deep/camp1", "/mnt/deep/camp1"),
        ("/data", "/mnt/pool"),
        ("/database/camp1", "/database/camp1"),
        ("camp1", "camp1"),
    ],
)
def test_longest_prefix_of_whole_folders_is_mapped(theirs: str, ours: str) -> None:
    assert PathMap.parse(["/data=/mnt/pool", "/data/deep/=/mnt/deep"]).ours(theirs) == Path(ours)


@pytest.mark.parametrize("text", ["/data", "=/mnt", "/data=", ""])
def test_path_map_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match=r"\$\.path_map\[1\]"):
        PathMap.parse(["/a=/b", text])


@pytest.mark.parametrize(("path", "hint"), [(None, "EOTDL"), ("camp1", "relative"), ("/nobody/here", "--path-map")])
def test_campaign_whose_images_are_not_here_says_what_to_do(path: str | None, hint: str) -> None:
    with pytest.raises(InvalidValueError, match=hint):
        root_of(campaign(path), PathMap())


def test_root_is_found_through_the_map(tmp_path: Path) -> None:
    (tmp_path / "camp1").mkdir()
    assert root_of(campaign("/data/camp1"), PathMap.parse([f"/data={tmp_path}"])) == tmp_path / "camp1"


def test_tasks_are_those_that_people_answered() -> None:
    rows = [annotation("segmentation", "water"), annotation("detection", "urban"), annotation("points", "urban")]
    assert infer_tasks(rows) == ["segmentation", "detection"]
    with pytest.raises(InvalidValueError, match="--tasks"):
        infer_tasks(rows[2:])


def test_classes_come_in_the_order_in_which_they_were_made() -> None:
    [spec] = plan_tasks(["segmentation"], NEWEST_FIRST, [])
    assert spec.classes == ["water", "urban", "forest"]
    assert output_indices(spec) == {"water": 1, "urban": 2, "forest": 3}


def test_classes_that_a_campaign_has_keep_their_place() -> None:
    existing = [TaskSpec(task="classification", classes=["urban", "gone"])]
    [spec] = plan_tasks(["classification"], NEWEST_FIRST, [], existing)
    assert spec.classes == ["urban", "gone", "water", "forest"]
    assert output_indices(spec)["urban"] == 0


@pytest.mark.parametrize(("image_id", "several"), [(1, True), (2, False)])
def test_images_with_two_classes_make_the_task_multi_label(image_id: int, several: bool) -> None:
    rows = [annotation("classification", "water"), annotation("classification", "urban", image_id)]
    assert plan_tasks(["classification"], NEWEST_FIRST, rows)[0].multi_label is several


def test_campaign_without_labels_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="no labels"):
        plan_tasks(["segmentation"], [], [])


@given(st.lists(st.sampled_from(["a", "b", "deep", "x.tif"]), max_size=4))
def test_path_map_leads_there_and_back(parts: list[str]) -> None:
    paths = PathMap.parse(["/data=/mnt/pool", "/data/deep=/mnt/deep"])
    theirs = "/".join(["/data", *parts])
    assert paths.theirs(paths.ours(theirs)) == theirs


def test_path_that_scaneo_cannot_see_is_refused() -> None:
    assert PathMap().theirs(Path("/anywhere/x")) == "/anywhere/x"
    with pytest.raises(InvalidValueError, match="--path-map"):
        PathMap.parse(["/data=/mnt/pool"]).theirs(Path("/home/x"))


def test_campaign_of_eotdl_lies_where_its_data_set_was_staged(tmp_path: Path) -> None:
    """SCANEO names its images by their paths in the data set, under which eotdl stages them."""
    theirs = msgspec.structs.replace(campaign(None), eotdl_dataset="d1")
    for text in ("eotdl:d1", "eotdl"):
        paths = PathMap.parse([f"{text}={tmp_path}", "/data=/mnt"])
        assert root_of(theirs, paths) == tmp_path
        with pytest.raises(InvalidValueError, match="must see"):  # SCANEO does not see that folder
            paths.theirs(tmp_path / "batch")
    assert PathMap.parse([f"eotdl={tmp_path}"]).theirs(tmp_path / "batch") == str(tmp_path / "batch")
    with pytest.raises(InvalidValueError, match="eotdl:d1=FOLDER"):
        root_of(theirs, PathMap.parse(["eotdl:d2=/x"]))
    with pytest.raises(InvalidValueError, match="no folder /nobody"):
        root_of(theirs, PathMap.parse(["eotdl:d1=/nobody"]))
