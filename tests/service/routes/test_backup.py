"""Backups over HTTP: for operators only, as a tar stream."""

from pathlib import Path

import msgspec

from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import Http, create, running_server


def test_only_operators_may_take_a_backup(settings: Settings, imagery: Path) -> None:
    tokens = msgspec.structs.replace(settings, tokens="ops=operator,annotate=annotator")
    with running_server(create_app(tokens)) as url:
        for token, code in (("annotator", 2), ("operator", 0)):
            out = settings.data.with_name(f"{token}.tar")
            assert main(["backup", str(out), "--service", url, "--token", token]) == code


def test_unknown_compression_is_a_client_mistake(http: Http, imagery: Path) -> None:
    create(http, imagery)
    assert http.post("/backup", params={"compression": "rar"}).status_code == 400
    answer = http.post("/backup")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-tar"
