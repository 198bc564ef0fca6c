"""The oracle answers as the labels of the folder do."""

from pathlib import Path

from al_loop.campaigns.importing import plan_import
from al_loop.simulation.oracle import Oracle
from tests.al_loop.campaigns.importing.fixtures import write_raster


def test_oracle_knows_readable_images_and_their_answers(tmp_path: Path) -> None:
    for name in ("forest/a.tif", "water/b.tif", "water/broken.tif"):
        write_raster(tmp_path / name)
    (tmp_path / "water/broken.tif").write_bytes(b"II*\x00")

    oracle = Oracle.read(plan_import(tmp_path))
    assert [header.path for header in oracle.headers] == ["forest/a.tif", "water/b.tif"]
    assert [label.classes for label in oracle.answer("water/b.tif")] == [["water"]]
