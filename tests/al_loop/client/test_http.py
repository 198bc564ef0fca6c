"""The client against the real service, and what importing it loads."""

import subprocess
import sys
from pathlib import Path

import pytest

import al_loop.client as package
from al_loop.client import Client, InvalidRequestError, NothingThereError

ROOT = Path(__file__).parent.parent.parent.parent
FOREIGN = """
import sys
sys.path[:0] = [{foreign!r}, {root!r}]
import models, service
assert models.OF == service.OF == "somebody else"
from al_loop.client import AsyncOperatorClient, Client, ServiceUnreachableError
client = Client("http://127.0.0.1:9")
try:
    client.campaigns()
except ServiceUnreachableError:
    print(models.OF, *sorted({{"numpy", "torch", "duckdb", "onnxruntime", "pyarrow", "rasterio"}} & sys.modules.keys()))
"""


def test_client_works_beside_packages_of_others_named_models_and_service(tmp_path: Path) -> None:
    for name in ("models", "service"):
        (tmp_path / f"{name}.py").write_text('OF = "somebody else"\n')
    code = FOREIGN.format(foreign=str(tmp_path), root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "somebody else\n", done.stderr


def test_pages_are_fetched_as_they_are_needed(land_url: str) -> None:
    with Client(land_url) as client:
        assert [sample.sample_id for sample in client.every_sample("land")] == [1, 2, 3, 4, 5, 6]
        assert [label.sample_id for label in client.every_label("land", annotator="ann")] == [1]
        assert client.labels("land", limit=1).next_cursor is not None
        assert list(client.every_comment("land", flagged=True)) == []


def test_errors_name_campaign_and_field(land_url: str) -> None:
    with Client(land_url) as client:
        with pytest.raises(NothingThereError, match="no campaign 'sea'") as caught:
            next(client.every_sample("sea"))
        assert caught.value.method == "GET"
        assert caught.value.request_id
        with pytest.raises(InvalidRequestError) as refused:
            client.query("land", "ann", query_size=-1)
        assert list(refused.value.fields) == ["$.query_size"]


def test_package_names_all_that_it_offers() -> None:
    assert all(getattr(package, name).__name__ == name for name in package.__all__)
    with pytest.raises(AttributeError, match="Sync"):
        _ = package.SyncClient  # type: ignore[attr-defined]
