"""What was taken back does not come again under another name."""

from pathlib import Path

import msgspec

from al_loop.domain.rounds import WithdrawnVersion
from al_loop.training.gate.artefacts import withdrawn_artefact
from models.registry import ModelRegistry
from tests.al_loop.store.fixtures import NOW
from tests.data.tiny_model import make_tiny_onnx


def test_same_graph_under_another_name_is_recognised(tmp_path: Path) -> None:
    first, again, other = (
        ModelRegistry(tmp_path).card(make_tiny_onnx(tmp_path, version=version, bias=bias).name)
        for version, bias in (("v1", 0.0), ("v2", 0.0), ("v3", 1.0))
    )
    digest = first.digests["model.onnx"]
    back = WithdrawnVersion(version="v1", kind="rolled back", reason="misses clouds", digest=digest, withdrawn_at=NOW)
    assert withdrawn_artefact([back], again) == (
        "the same model as v1, which was rolled back (misses clouds); only a person may promote it"
    )
    assert withdrawn_artefact([back], other) is None
    assert withdrawn_artefact([msgspec.structs.replace(back, digest=None)], again) is None
    assert withdrawn_artefact([], again) is None
