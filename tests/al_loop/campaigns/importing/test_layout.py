import pytest

from al_loop.campaigns.importing.layout import image_folders, is_preview, is_role, place_of, splits_note


@pytest.mark.parametrize(
    ("path", "split", "side", "folders", "base"),
    [
        ("a.tif", None, None, (), "a"),
        ("Images/A.TIF", None, "image", (), "a"),
        ("train/images/sub/a.tif", "train", "image", ("sub",), "a"),
        ("validation_masks/a_mask.png", "val", "mask", (), "a_mask"),
        ("images_train2017/a.jpg", "train", "image", (), "a"),
        ("ground-truth png/x/a.png", None, "mask", ("x",), "a"),
        ("SegmentationObject/a.png", None, "preview", (), "a"),
        ("forest/a.tif", None, None, ("forest",), "a"),
    ],
)
def test_folders_tell_split_and_side(
    path: str, split: str | None, side: str | None, folders: tuple[str, ...], base: str
) -> None:
    assert tuple(place_of(path)) == (split, side, folders, base)


@pytest.mark.parametrize("name", ["forest", "AnnualCrop", "SeaLake", "imagery", "trainstation", "2017", "png", ""])
def test_ordinary_names_have_no_role(name: str) -> None:
    assert not is_role(name)


def test_previews_are_told_from_other_roles() -> None:
    assert [is_preview(name) for name in ("Thumbnails", "quick_looks", "masks", "forest")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["images", "masks", "thumbs", "more"], ["images", "more"]),
        (["train_images", "train_masks"], ["train_images"]),
        (["labels", "forest"], ["labels", "forest"]),
    ],
)
def test_folders_of_masks_and_previews_are_passed_over_beside_images(names: list[str], left: list[str]) -> None:
    assert image_folders(names) == left


def test_splits_are_told_with_their_counts() -> None:
    assert splits_note(["forest/a.tif"]) == []
    assert "test (1), train (2) images" in splits_note(["train/a.tif", "training/b.tif", "Test/c.tif"])[0]
