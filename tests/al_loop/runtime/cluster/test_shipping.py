"""Files of a program go to a place between machines, and lie at the same paths afterwards."""

import json
from pathlib import Path

from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.runtime.cluster.shipping import fetch_inputs, fetch_results, send_results, ship_inputs


def test_what_a_program_reads_is_laid_at_its_paths_and_images_stay(tmp_path: Path):
    data, store = tmp_path / "data", Artefacts(str(tmp_path / "store"))
    snapshot, model, image = data / "snapshot", data / "models" / "v1" / "model.onnx", tmp_path / "imagery" / "a.tif"
    for path in (snapshot / "samples.parquet", model, image):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    manifest = {"incumbent_onnx": str(model), "statistics_paths": [str(image)], "task": "/", "round": 3}
    (snapshot / "manifest.json").write_text(json.dumps(manifest))
    ship_inputs(store, "jobs/1", [str(snapshot), "--again"], data)
    before = {path: path.read_bytes() for path in (snapshot / "samples.parquet", snapshot / "manifest.json", model)}
    for path in (*before, image):
        path.unlink()
    fetch_inputs(store, "jobs/1")
    assert {path: path.read_bytes() for path in before} == before
    assert not image.exists()


def test_results_come_back_and_nothing_stays_between(tmp_path: Path):
    store = Artefacts(str(tmp_path / "store"))
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    (there / "model.onnx").write_bytes(b"model")
    (there / "log.txt").write_text("trained")
    here.mkdir()
    (here / "log.txt").write_text("tra")
    send_results(store, "jobs/1", there)
    fetch_results(store, "jobs/1", here)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {"model.onnx": b"model", "log.txt": b"trained"}
    assert not store.has("jobs/1/out")
