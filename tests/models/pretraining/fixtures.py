"""A tiny encoder made from images without labels, for the whole test session."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from models.card import BandPolicy
from models.pretrain_config import PretrainConfig
from models.pretraining.spec import PretrainSpec, write_spec
from tests.data.made_once import made_once
from tests.data.make_scene import make_hostile, make_scene
from tests.models.training.fixtures import write_chips

TINY: dict[str, Any] = {
    "encoder": "test_resnet",
    "minutes": None,
    "epochs": 3,
    "batch_size": 16,
    "chip_px": 32,
    "projector_size": 16,
    "device": "cpu",
}
"""Settings for a pretraining of seconds."""


class PretrainedRun(NamedTuple):
    """Folders of one finished pretraining of 3 bands."""

    spec: Path
    out: Path
    images: Path


def spec_of(images: list[Path], **changes: Any) -> PretrainSpec:
    """A spec of 3 bands; `changes` replace settings of `TINY`, or fields of the spec where they are named so."""
    fields = {name: changes.pop(name) for name in ("source_bands", "bands", "version") if name in changes}
    given: dict[str, Any] = {"version": "ssl-1", "source_bands": 3, "bands": [1, 2, 3]} | fields
    given.setdefault("band_policy", BandPolicy(source_bands=given["source_bands"]))
    config = msgspec.convert(TINY | changes, PretrainConfig)
    return PretrainSpec(campaign="demo", config=config, paths=[str(path) for path in images], **given)


def run_pretraining(directory: Path, spec: PretrainSpec) -> int:
    """Write the spec, run it in this process, return the exit code."""
    from models.pretrain import main  # as in `trained_run`

    write_spec(directory / "spec", spec)
    return main([str(directory / "spec"), "--out", str(directory / "out")])


@pytest.fixture(scope="session")
def pretrained_run(tmp_path_factory: pytest.TempPathFactory) -> PretrainedRun:
    """An encoder from small chips, one larger scene and a file that is no raster."""
    root = made_once(tmp_path_factory, "pretrained", _pretrain)
    return PretrainedRun(root / "spec", root / "out", root)


def _pretrain(root: Path) -> None:
    images = write_chips(root, [index % 3 for index in range(24)])
    images.append(make_scene(root / "large.tif", width=100, height=70, bands=3))
    images.append(make_hostile("text", root / "broken.tif"))
    assert run_pretraining(root, spec_of(images)) == 0
