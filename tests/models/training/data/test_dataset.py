from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from models.card import IGNORE, BandPolicy, ModelConfig, Nodata, TrainConfig
from models.manifest import Manifest
from models.tasks import task_of
from models.training.data.dataset import Chip, ChipReader, LabelledSample, pad_batch, read_samples
from tests.data.examples import examples
from tests.data.make_scene import make_scene
from tests.models.training.fixtures import CLASSIFICATION, SEGMENTATION, write_snapshot

SQUARE = (1, shapely.to_wkb(shapely.box(50, 20, 60, 40)))


def snapshot(root: Path, path: Path, **changes: object) -> tuple[Manifest, LabelledSample]:
    rows = [{"path": path, "split": "train", "classification": [1], "segmentation": [SQUARE]}]
    changes = {"train": TrainConfig(chip_size_px=32), **changes}
    manifest = write_snapshot(root / "snapshot", rows, [CLASSIFICATION, SEGMENTATION], **changes)
    return manifest, read_samples(root / "snapshot", manifest)["train"][0]


def whole(reader: ChipReader, sample: LabelledSample) -> Chip:
    return next(reader.windows(sample, 1000))


@pytest.mark.parametrize(("nodata", "ignored"), [("all", 0), ("any", 4)])
def test_pixels_that_lack_one_band_are_trained_on_unless_the_policy_says_any(
    tmp_path: Path, nodata: Nodata, ignored: int
) -> None:
    content = np.full((3, 48, 64), 90)
    content[0, 20:22, 51:53] = 0  # inside the square
    path = make_scene(tmp_path / "a.tif", dtype="uint8", content=content, nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = 0
    policy = BandPolicy(nodata=nodata, source_bands=3)
    manifest, sample = snapshot(tmp_path, path, band_policy=policy)

    chip = whole(ChipReader(manifest), sample)
    assert np.count_nonzero(chip.maps["segmentation"] == IGNORE) == ignored
    assert np.isnan(chip.image).any(axis=0).sum() == ignored


def test_read_samples_keeps_labels_and_takes_sizes_from_the_header(tmp_path: Path) -> None:
    _, sample = snapshot(tmp_path, make_scene(tmp_path / "a.tif", width=90, height=50))
    assert (sample.height, sample.width) == (50, 90)
    assert sample.targets == {"classification": [1], "segmentation": [SQUARE]}


@pytest.mark.parametrize(("unlabelled", "fill"), [("background", 0), ("ignore", 255)])
def test_codes_outside_of_polygons_follow_the_campaign(tmp_path: Path, unlabelled: str, fill: int) -> None:
    manifest, sample = snapshot(tmp_path, make_scene(tmp_path / "a.tif", width=90, height=50), unlabelled=unlabelled)
    codes = whole(ChipReader(manifest), sample).maps["segmentation"]
    assert (codes[20:40, 50:60] == 1).all()
    assert (codes == 1).sum() == 200
    assert (codes == fill).sum() == 90 * 50 - 200


def test_codes_are_ignored_where_the_image_is_invalid(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=90, height=50, nodata=0, nodata_as="value")
    manifest, sample = snapshot(tmp_path, path)
    chip = whole(ChipReader(manifest), sample)
    invalid = np.isnan(chip.image).any(axis=0)
    assert invalid[:25, :45].all()
    np.testing.assert_array_equal(chip.maps["segmentation"] == 255, invalid)


@settings(max_examples=examples(30), deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_crops_from_memory_and_from_disk_are_the_same(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("crop")
    manifest, sample = snapshot(root, make_scene(root / "a.tif", width=90, height=50), unlabelled="ignore")
    cached, uncached = (
        ChipReader(manifest, cache_bytes=size).crop(sample, np.random.default_rng(seed)) for size in (10**9, 0)
    )
    assert cached.image.shape == (3, 32, 32)
    np.testing.assert_array_equal(cached.image, uncached.image)
    np.testing.assert_array_equal(cached.maps["segmentation"], uncached.maps["segmentation"])


def test_crops_look_for_labelled_pixels_where_the_rest_is_ignored(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=400, height=64)
    manifest, sample = snapshot(tmp_path, path, unlabelled="ignore")
    reader, rng = ChipReader(manifest), np.random.default_rng(0)
    biased = [bool((reader.crop(sample, rng).maps["segmentation"] == 1).any()) for _ in range(100)]
    manifest, sample = snapshot(tmp_path, path, unlabelled="background")
    reader = ChipReader(manifest)
    plain = [bool((reader.crop(sample, rng).maps["segmentation"] == 1).any()) for _ in range(100)]
    assert sum(biased) > 2 * sum(plain)


@given(st.integers(1, 100), st.integers(1, 100), st.integers(8, 64))
def test_windows_cover_an_image_once(height: int, width: int, size: int) -> None:
    reader = WindowRecorder()
    sample = LabelledSample(sample_id=0, path=Path(), block="", targets={}, height=height, width=width)
    covered = np.zeros((height, width), int)
    list(reader.windows(sample, size))
    for column, row, columns, rows in reader.read:
        assert max(columns, rows) <= size
        covered[row : row + rows, column : column + columns] += 1
    assert (covered == 1).all()


class WindowRecorder(ChipReader):
    """Remembers the windows instead of reading them."""

    def __init__(self) -> None:
        self.read: list[tuple[int, int, int, int]] = []

    def _read(self, sample: LabelledSample, window: tuple[int, int, int, int]) -> Chip:
        self.read.append(window)
        return Chip(image=np.zeros((1, window[3], window[2]), np.float32), maps={})


def test_pad_batch_fills_with_invalid_pixels_and_ignored_codes() -> None:
    chips = [
        Chip(image=np.ones((2, 20, 33), np.float32), maps={"segmentation": np.ones((20, 33), np.uint8)}),
        Chip(image=np.ones((2, 40, 10), np.float32), maps={}),
    ]
    images, maps = pad_batch(chips, 32, ["segmentation"])
    codes = maps["segmentation"]
    assert images.shape == (2, 2, 64, 64)
    assert np.isfinite(images[0]).sum() == 2 * 20 * 33
    assert (codes[0, :20, :33] == 1).all()
    assert (codes[0, 20:] == 255).all()
    assert (codes[1] == 255).all()


TRIANGLE = (1, shapely.to_wkb(shapely.Polygon([(50.2, 20.1), (61.7, 24.4), (53.9, 41.3)])))


@settings(max_examples=examples(10), deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_maps_may_be_finer_than_the_image(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("fine")
    path = make_scene(root / "a.tif", width=90, height=50, nodata=0, nodata_as="value")
    rows = [{"path": path, "split": "train", "segmentation": [TRIANGLE]}]
    fine = {"train": TrainConfig(chip_size_px=32), "model": ModelConfig(output_scale=2)}
    manifest = write_snapshot(root / "snapshot", rows, [SEGMENTATION], **fine)
    sample = read_samples(root / "snapshot", manifest)["train"][0]
    full = whole(ChipReader(manifest), sample)
    codes = full.maps["segmentation"]
    assert codes.shape == (100, 180)
    invalid = np.isnan(full.image).any(axis=0).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(codes == IGNORE, invalid)
    for size in (10**9, 0):
        crop = ChipReader(manifest, cache_bytes=size).crop(sample, np.random.default_rng(seed))
        column, row = 2 * crop.column, 2 * crop.row
        np.testing.assert_array_equal(crop.maps["segmentation"], codes[row : row + 64, column : column + 64])
        images, maps = pad_batch([crop], 64, ["segmentation"])
        assert (images.shape, maps["segmentation"].shape) == ((1, 3, 64, 64), (1, 128, 128))


@given(
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 20)), min_size=3, max_size=3, unique=True),
    st.sampled_from([1, 2, 3]),
)
def test_area_of_a_polygon_is_that_of_its_codes(points: list[tuple[float, float]], scale: int) -> None:
    area = shapely.Polygon(points)
    if not area.is_valid or area.area < 1e-3:
        return
    codes = task_of(SEGMENTATION).paint([(1, area.wkb)], (0, 0, 30, 20), 0, scale)
    assert codes.shape == (20 * scale, 30 * scale)
    touched = area.length * scale * 2 + 8  # parts that its outline may run through
    assert abs(codes.sum() - area.area * scale**2) <= touched
