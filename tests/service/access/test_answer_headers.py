"""Every answer tells browsers not to guess what it is, and HTML comes with a policy."""

import msgspec
from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http

PATHS = (
    "/", "/docs", "/annotate", "/annotate/demo", "/page/page.css", "/page/nothing", "/favicon.ico", "/nothing",
    "/metrics", "/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/campaigns", "/campaigns/nope",
    "/health/live",     "/audit?limit=x",
)  # fmt: skip


def test_no_answer_may_be_sniffed_and_html_has_a_policy(http: Http) -> None:
    answers = [http.get(path, follow_redirects=False) for path in PATHS]
    answers += [http.post("/campaigns", content=b"x"), http.patch("/campaigns"), http.options("/campaigns")]
    answers.append(http.get("/campaigns", headers={"host": "evil.example"}))
    assert {answer.status_code for answer in answers} >= {200, 204, 308, 400, 403, 404, 405, 415}
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert "default-src 'none'" in answer.headers["content-security-policy"], answer.url


def test_options_name_every_method_of_a_path(http: Http) -> None:
    document = http.get("/schema/openapi.json").json()
    for path in ("/campaigns", "/campaigns/{campaign}/settings", "/campaigns/{campaign}/labels", "/health/live"):
        allowed = http.options(path.format(campaign="demo")).headers["allow"].split(", ")
        assert {*allowed} >= {"OPTIONS", *(method.upper() for method in document["paths"][path])}


def test_campaigns_are_named_without_a_token_only_where_none_is_set(http: Http, settings: Settings) -> None:
    made = {"name": "secret-site", "root": ".", "tasks": [{"task": "segmentation", "classes": ["a"]}]}
    assert http.post("/campaigns", json=made).status_code == 201
    assert "secret-site" in http.get("/metrics").text
    assert http.get("/metrics").headers["content-type"].count("charset") == 1
    http.__exit__(None, None, None)
    guarded = msgspec.structs.replace(settings, tokens="annotate=annotate-token,predict=predict-token")
    with TestClient(create_app(guarded), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        for token, told in (("", False), ("wrong-token", False), ("predict-token", False), ("annotate-token", True)):
            headers = {"authorization": f"Bearer {token}"}
            metrics, ready = (client.get(path, headers=headers) for path in ("/metrics", "/health/ready"))
            assert (metrics.status_code, "secret-site" in metrics.text) == (200, told)
            assert ready.status_code == 200
            assert "http_requests_total" in metrics.text
