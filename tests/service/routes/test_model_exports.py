"""Model versions as other programs take them, over HTTP."""

import io
import zipfile
from pathlib import Path

import onnxruntime
import pytest

from al_loop.loop import Loop
from tests.data.stac_validation import validate_folder
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http, create, register, write_pool

EXPORT = "/campaigns/demo/models/{}/export"


@pytest.fixture(scope="module")
def http(still_http: Http, still_imagery: Path) -> Http:
    """`demo` with v1, and v2, which serves; nothing here changes them."""
    http = still_http
    write_pool(still_imagery, 2, size=32)
    create(http, still_imagery)
    register(http)
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    for turn in (1, 2):
        make_tiny_onnx(loop.layout.models("demo"), version=f"v{turn}", campaign="demo", bias=float(turn))
        loop.store.versions.add(campaign.campaign_id, f"v{turn}", turn, loop.clock())
        loop.server.promote(campaign, f"v{turn}", "better", loop.clock, person=False)
    return http


def test_version_is_exported_in_every_format(http: Http, tmp_path: Path) -> None:
    every = http.get(EXPORT.format("champion"), params={"format": "eotdl", "versions": "all", "author": ["Ann", "Bob"]})
    assert (every.status_code, every.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(every.content)) as archive:
        archive.extractall(tmp_path)
    assert validate_folder(tmp_path) == 2 + 2
    assert '- "Bob"' in (tmp_path / "README.md").read_text()
    assert (tmp_path / "models/v2/sample_output.npz").exists()
    one = http.get(EXPORT.format("v1"), params={"format": "stac"})
    names = zipfile.ZipFile(io.BytesIO(one.content)).namelist()
    assert "models/v1/model.onnx" in names
    assert not any("v2" in name for name in names)
    graph = http.get(EXPORT.format("champion"), params={"format": "deepness", "task": "segmentation"})
    assert 'filename="demo-v2-deepness.onnx"' in graph.headers["content-disposition"]
    session = onnxruntime.InferenceSession(graph.content, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["model_type"] == '"Segmentor"'


@pytest.mark.parametrize(
    ("version", "params", "status", "words"),
    [
        ("v7", {"format": "stac"}, 404, "v7"),
        ("v1", {"format": "pickle"}, 400, "format"),
        ("v1", {"format": "deepness", "task": "classification"}, 400, "does not do classification"),
        ("v1", {"format": "eotdl", "source": "my disk"}, 400, "no address"),
        ("..%2Fv1", {"format": "stac"}, 404, ""),
    ],
)
def test_what_cannot_be_exported_is_told(
    http: Http, version: str, params: dict[str, str], status: int, words: str
) -> None:
    answer = http.get(EXPORT.format(version), params=params)
    assert answer.status_code == status
    assert words in answer.text
