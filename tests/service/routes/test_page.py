"""The files of the annotator page as a browser gets them."""

import re
from pathlib import Path

import pytest
from litestar.testing import TestClient

import service.page
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http

FOLDER = Path(service.page.__file__).parent
FILES = sorted(str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*") if file.suffix in (".css", ".js", ".svg"))
OWN = [name for name in FILES if "vendor" not in name]


@pytest.mark.parametrize("path", ["/annotate", "/annotate/demo", "/annotate/static"])
def test_document_needs_no_token_and_allows_no_foreign_or_inline_code(tmp_path: Path, imagery: Path, path: str) -> None:
    settings = Settings(data=tmp_path / "data", imagery=str(imagery), tokens="ops=a-secret-of-ops")
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        answer = http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in answer.text
    assert not re.search(r"\son\w+=|<script(?![^>]*\ssrc=)|\sstyle=", answer.text)


@pytest.mark.parametrize("name", FILES)
def test_file_has_its_type_and_is_not_sent_twice(still_http: Http, name: str) -> None:
    answer = still_http.get(f"/page/{name}")
    kind = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[name.rpartition(".")[2]]
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == (FOLDER / name).read_bytes()
    again = still_http.get(f"/page/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "__init__.py", "..%2Fapp.py", "page.css/more"])
def test_other_files_are_not_served(still_http: Http, name: str) -> None:
    assert still_http.get(f"/page/{name}").status_code == 404


def test_every_file_that_is_asked_for_exists() -> None:
    named = set()
    for document in FOLDER.rglob("*.html"):
        named |= set(re.findall(r'"{{root}}page/([^"]+)"', document.read_text()))
    for script in OWN:
        for target in re.findall(r'from "(\.[^"]+)"', (FOLDER / script).read_text()):
            named.add(str((FOLDER / script).parent.joinpath(target).resolve().relative_to(FOLDER)))
    assert named == set(FILES)


def test_no_page_links_from_the_root_of_its_host() -> None:
    for name in [*OWN, *(str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*.html"))]:
        text = (FOLDER / name).read_text()
        assert not re.findall(r"""(?:href|src|action)="/|["`]/[a-z]|url\(/""", text), name


def test_modules_stay_small() -> None:
    assert {name: lines for name in OWN if (lines := len((FOLDER / name).read_text().splitlines())) > 250} == {}
