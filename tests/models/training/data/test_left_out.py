"""Files that break before, during and after a training run: it goes on without them and names them."""

import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from models.card import BandStatistics, TrainConfig
from models.errors import TrainingDataError
from models.manifest import Manifest
from models.training.data.batches import TrainingBatches
from models.training.data.dataset import ChipReader, LabelledSample, read_samples
from models.training.data.label_counts import count_labels
from models.training.data.left_out import LeftOut, read_left_out
from models.training.evaluate import Contender, evaluate
from tests.data.make_scene import make_scene
from tests.models.training.fixtures import CLASSIFICATION, write_snapshot

STATISTICS = BandStatistics(low=[0.0] * 3, high=[1.0] * 3, mean=[0.5] * 3, std=[1.0] * 3, samples=1)


def scenes(root: Path, count: int, **changes: object) -> tuple[Manifest, list[Path]]:
    """A snapshot of scenes whose classes take turns."""
    paths = [make_scene(root / f"{index}.tif", width=32, height=32, **changes) for index in range(count)]
    rows = [{"path": path, "split": "train", "classification": [index % 2]} for index, path in enumerate(paths)]
    return write_snapshot(root / "snapshot", rows, [CLASSIFICATION], train=TrainConfig(chip_size_px=32)), paths


def read(root: Path, manifest: Manifest) -> tuple[list[LabelledSample], ChipReader]:
    left_out = LeftOut()
    samples = read_samples(root / "snapshot", manifest, left_out)["train"]
    return samples, ChipReader(manifest, cache_bytes=0, left_out=left_out)


def test_files_that_cannot_be_used_are_left_out_and_named(tmp_path: Path) -> None:
    manifest, paths = scenes(tmp_path, 4)
    paths[0].unlink()
    paths[1].write_bytes(b"no raster")
    make_scene(paths[2], bands=2)
    samples, reader = read(tmp_path, manifest)
    assert [sample.path for sample in samples] == [paths[3]]
    reader.left_out.write(tmp_path)
    found = {Path(entry.path).name: (entry.reason, entry.unreadable) for entry in read_left_out(tmp_path)}
    assert found == {
        "0.tif": ("there is no such file", False),
        "1.tif": ("not a TIFF, JPEG or PNG image", True),
        "2.tif": ("2 bands, the campaign trains on bands [1, 2, 3]", False),
    }


def test_file_that_changed_after_the_snapshot_is_left_out(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif")
    status = path.stat()
    then = {"file_bytes": status.st_size, "modified_ns": status.st_mtime_ns}
    row = {"path": path, "split": "train", "classification": [1], **then}
    manifest = write_snapshot(tmp_path / "snapshot", [row], [CLASSIFICATION])
    assert len(read(tmp_path, manifest)[0]) == 1
    os.utime(path, ns=(0, status.st_mtime_ns + 10**9))
    samples, reader = read(tmp_path, manifest)
    assert (samples, len(reader.left_out)) == ([], 1)


def test_training_goes_on_when_files_break_in_the_middle_of_it(tmp_path: Path) -> None:
    manifest, paths = scenes(tmp_path, 6)
    samples, reader = read(tmp_path, manifest)
    rng = np.random.default_rng(0)
    batches = TrainingBatches(samples, reader, [CLASSIFICATION], STATISTICS, 4, rng)
    assert all(len(batch.images) == 4 for batch in islice(batches, 3))
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:200])
    assert all(len(batch.images) == 4 for batch in islice(batches, 6))
    assert {samples[0].sample_id, samples[1].sample_id} == {
        sample.sample_id for sample in samples if sample.sample_id in reader.left_out
    }
    for path in paths[2:]:
        path.unlink()
    with pytest.raises(TrainingDataError, match="no training image can be read any more"):
        list(islice(batches, 6))


def test_both_models_are_measured_on_the_samples_that_both_could_read(tmp_path: Path) -> None:
    manifest, paths = scenes(tmp_path, 6)
    samples, reader = read(tmp_path, manifest)

    def candidate(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"classification": np.tile(np.float32([0.4, 0.3, 0.3]), (len(images), 1))}

    def incumbent(images: np.ndarray) -> dict[str, np.ndarray]:
        for path in paths[3:5]:
            path.unlink(missing_ok=True)  # while it is measured
        return candidate(images)

    contenders = [
        Contender(version=name, tasks=[CLASSIFICATION], infer=infer)
        for name, infer in (("v2", candidate), ("v1", incumbent))
    ]
    counts = count_labels(samples, [CLASSIFICATION], reader)
    result = evaluate(samples, ChipReader(manifest, cache_bytes=0, left_out=reader.left_out), counts, *contenders, 16)
    assert len(reader.left_out) == 2
    assert result.candidate[0].samples == result.incumbent[0].samples == result.paired[0].samples == 4
