"""EOTDL's own client ingests a data set, stages it again, and the labels come back as they were."""

from pathlib import Path

from al_loop.campaigns.importing import plan_import
from tests.al_loop.campaigns.exporting.fixtures_eotdl import Eotdl
from tests.al_loop.campaigns.exporting.test_round_trip import comparable
from tests.al_loop.campaigns.exporting.test_to_stac import answers_of, data_set

INGEST = "from eotdl.datasets import ingest_dataset; ingest_dataset({!r})"
STAGE = "from eotdl.datasets import stage_dataset; stage_dataset({!r}, path={!r}, assets=True)"


def test_client_ingests_and_stages_a_data_set_without_loss(eotdl: Eotdl, tmp_path: Path) -> None:
    data_set(tmp_path / "in", tmp_path / "out", answers_of(tmp_path / "in"), "eotdl", copy=False)
    written = comparable(plan_import(tmp_path / "out", images=tmp_path / "in"))
    staging = STAGE.format("here", str(tmp_path / "staged"))
    eotdl.run(f"{INGEST.format(str(tmp_path / 'out'))}; {staging}")  # at once: it starts for seconds
    (entry,) = eotdl.api.entries.values()
    assert (entry["name"], entry["metadata"]["license"]) == ("here", "other")
    files = {name.split("/", 1)[1] for name in eotdl.api.files}
    assert files >= {"imagery/a.tif", "imagery/sub/b c.tif", "labels/segmentation/a.tif.geojson", "catalog.v1.parquet"}
    assert [body["version"] for _, body in eotdl.api.completed] == [1]
    plan = plan_import(tmp_path / "staged/here")
    assert (plan.kind, plan.problems) == ("eotdl", [])
    found = comparable(plan)
    assert {(str(path).removeprefix("imagery/"), task): answer for (path, task), answer in found.items()} == written
