"""The OpenAPI document describes everything in it, and its page works without a network and below a path."""

from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest
from litestar.testing import TestClient
from playwright.sync_api import Page, expect

from service.app import create_app
from service.openapi.document import described
from service.openapi.words import FIELDS, PARAMETERS, TAGS
from service.settings import Settings
from tests.e2e.campaigns import Http, running_server

Document = dict[str, Any]
METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> Document:
    made: Document = create_app(Settings()).openapi_schema.to_schema()
    return made


def operations(document: Document) -> list[tuple[str, Document]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_every_field_is_described(document: Document) -> None:
    """A string under the field says what it is; `service/openapi/words.py` has what means the same everywhere."""
    fields = [
        (f"{name}.{field}", entry)
        for name, schema in document["components"]["schemas"].items()
        for field, entry in schema.get("properties", {}).items()
    ]
    assert len(fields) > 500
    assert [name for name, entry in fields if len(entry.get("description", "")) < 3] == []


def test_every_schema_is_described(document: Document) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def test_every_parameter_is_described(document: Document) -> None:
    """`QueryParameter(description=...)` says what it is, or `service/openapi/words.py`."""
    missing = [
        (name, entry["name"])
        for name, operation in operations(document)
        for entry in operation.get("parameters", [])
        if not entry.get("description")
    ]
    assert missing == []


def test_parameters_are_never_null_and_refusals_are_problems(document: Document) -> None:
    for name, operation in operations(document):
        for entry in operation.get("parameters", []):
            assert "null" not in str(entry["schema"]), (name, entry["name"])
        if "400" in operation["responses"] and "/v2" not in name:
            assert "problem" in str(operation["responses"]["400"]) or "$ref" in operation["responses"]["400"], name


def test_body_that_may_be_missing_is_not_required(document: Document) -> None:
    bodies = {name: operation["requestBody"] for name, operation in operations(document) if "requestBody" in operation}
    assert not bodies["POST /webhooks/{webhook_id}/rotate"]["required"]
    assert not bodies["POST /campaigns/{campaign}/rounds"]["required"]
    assert bodies["POST /campaigns"]["required"]


def test_summary_of_every_route_is_a_phrase_of_its_own_and_no_name_of_a_function(document: Document) -> None:
    summaries = [operation["summary"] for _, operation in operations(document)]
    assert [text for text in summaries if len(text.split()) < 2 or len(text) > 160 or text.endswith(".")] == []
    assert len(set(summaries)) == len(summaries)


def test_every_tag_has_a_text_and_every_text_a_tag(document: Document) -> None:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert used == set(TAGS)
    assert {tag["name"]: tag["description"] for tag in document["tags"]} == TAGS


def test_words_that_no_field_or_parameter_needs_are_taken_out(document: Document) -> None:
    schemas = document["components"]["schemas"]
    fields = {field for schema in schemas.values() for field in schema.get("properties", {})}
    exact = {f"{name}.{field}" for name, schema in schemas.items() for field in schema.get("properties", {})}
    assert [name for name in FIELDS if name not in (exact if "." in name else fields)] == []
    parameters = {entry["name"] for _, operation in operations(document) for entry in operation.get("parameters", [])}
    assert set(PARAMETERS) - parameters == set()


def test_planted_gaps_are_found() -> None:
    made = described({
        "components": {"schemas": {"Nothing": {"properties": {"colour_of_nothing": {"type": "string"}}}}},
        "paths": {"/x": {"get": {"parameters": [{"name": "unheard_of"}], "responses": {}}}},
    })  # fmt: skip
    with pytest.raises(AssertionError):
        test_every_parameter_is_described(made)
    assert "description" not in made["components"]["schemas"]["Nothing"]["properties"]["colour_of_nothing"]


def test_docstring_of_a_field_says_it_more_exactly_than_the_common_word(document: Document) -> None:
    reason = document["components"]["schemas"]["SkipRequest"]["properties"]["reason"]
    assert reason["description"] == 'A comment for later readers, such as "under cloud".'
    inherited = document["components"]["schemas"]["RoundView"]["properties"]
    assert inherited["number"]["description"] == FIELDS["number"]
    assert inherited["progress"]["description"].startswith("Newest progress of a running round")


def test_document_says_which_routes_need_a_token_and_how_it_is_sent(document: Document, settings: Settings) -> None:
    assert {name: entry["type"] for name, entry in document["components"]["securitySchemes"].items()} == {
        "token": "http",
        "token_in_url": "apiKey",
    }
    app = create_app(msgspec.structs.replace(settings, tokens="ops=a-secret-of-ops"))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as http:
        for name, operation in operations(document):
            method, path = name.split()
            for part in ("{campaign}", "{version}", "{task}", "{name}"):
                path = path.replace(part, "x")
            path = (
                path.replace("{", "").replace("}", "")
                if "{" not in path
                else "/".join("1" if part.startswith("{") else part for part in path.split("/"))
            )
            secured = [scheme for entry in operation.get("security", []) for scheme in entry]
            assert (http.request(method, path).status_code == 401) is ("token" in secured), name
            in_url = http.request(method, path, params={"token": "a-secret-of-ops"}).status_code != 401
            assert in_url is ("token_in_url" in secured or not secured), name


def test_server_of_the_document_is_the_root_of_the_service_below_any_path(document: Document) -> None:
    (server,) = document["servers"]
    for root in ("http://h/", "https://maps.example.org/al-loop/"):
        assert urljoin(f"{root}schema/openapi.json", server["url"]) == root


OLD_ADDRESSES = ["/schema", "/schema/", "/docs", "/docs/"]


def test_old_address_leads_to_the_documentation(http: Http) -> None:
    for path in OLD_ADDRESSES:
        answer = http.get(path)
        assert (answer.status_code, answer.url.path.rstrip("/")) == (200, "/docs")
        assert "swagger-ui-bundle.js" in answer.text
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "http" not in policy


def test_document_is_served_as_json_and_yaml(http: Http, document: Document) -> None:
    answer = http.get("/schema/openapi.json").json()
    assert answer["paths"].keys() == document["paths"].keys()
    assert answer["components"]["schemas"]["Label"]["properties"]["annotator"]["description"] == FIELDS["annotator"]
    assert http.get("/schema/openapi.yaml").text.startswith("components:")


def test_route_is_tried_out_with_a_token_in_the_browser(settings: Settings, page: Page, pictures: Any) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    with running_server(create_app(msgspec.structs.replace(settings, tokens="ops=a-secret-of-ops"))) as url:
        page.goto(f"{url}/docs")
        expect(page.locator(".opblock-tag")).to_have_count(len(TAGS))
        page.locator(".btn.authorize").click()
        page.locator(".modal-ux input").first.fill("a-secret-of-ops")
        page.locator(".modal-ux .btn.authorize").first.click()
        page.locator(".modal-ux .close-modal").click()
        page.locator("#operations-tag-campaigns").click()
        page.locator("#operations-campaigns-listCampaigns .opblock-summary-control").click()
        page.locator("#operations-campaigns-listCampaigns .try-out__btn").click()
        page.locator("#operations-campaigns-listCampaigns .execute").click()
        answered = page.locator("#operations-campaigns-listCampaigns .live-responses-table .response-col_status").last
        expect(answered).to_contain_text("200")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=pictures / f"docs-{scheme}.png")
        assert {f"{url}/campaigns", f"{url}/schema/openapi.json"} <= {one.partition("?")[0] for one in asked}
        assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []
        assert said == []
