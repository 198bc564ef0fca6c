"""Which routes the audit trail covers: all that change something for operators, without their doing anything."""

from typing import Any

from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings

TOKEN = {"authorization": "Bearer a-secret-of-annotators"}


def test_every_route_that_annotators_may_not_use_and_that_changes_something_leaves_its_needed_role(
    settings: Settings,
) -> None:
    """The guard says which role it needs, and the trail goes by that: a route cannot forget to be recorded."""
    document: dict[str, Any] = create_app(settings).openapi_schema.to_schema()
    changing = {
        operation["operationId"]: (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method not in ("get", "head") and "401" in operation["responses"]
    }
    tokens = Settings(data=settings.data, imagery=settings.imagery, tokens="annotate=a-secret-of-annotators")
    with TestClient(create_app(tokens), base_url="http://127.0.0.1", raise_server_exceptions=False) as http:
        refused = {
            name
            for name, (method, path) in changing.items()
            if "'ops' is needed" in http.request(method, _filled(path), headers=TOKEN).text
        }
    assert {
        "createCampaign", "registerSamples", "setPolicy", "setSettings", "startRound", "cancelRound", "promoteModel",
        "connectScaneo", "disconnectScaneo", "startPretraining", "cancelPretraining",
    } <= refused  # fmt: skip


def _filled(path: str) -> str:
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))
