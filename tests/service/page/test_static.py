"""Files of the pages: links of documents, and what is kept from one address to another."""

from urllib.parse import urljoin

import pytest

from service.page.static import read_files, takes_gzip
from tests.e2e.campaigns import Http


def first_script(http: Http, path: str) -> str:
    """Path of the page's script, as a browser would work it out."""
    return urljoin(path, http.get(path).text.partition('src="')[2].partition('"')[0])


SCRIPTS = [
    ("/", "/page/start/start.js"),
    ("/annotate/demo", "/page/main.js"),
    ("/annotate/demo/", "/page/main.js"),
    ("/annotate/a%20b", "/page/main.js"),
]


def test_links_of_a_document_lead_to_the_root_from_every_depth(http: Http) -> None:
    for path, wanted in SCRIPTS:
        assert first_script(http, path) == wanted


def test_document_is_another_one_at_another_depth(http: Http) -> None:
    etags = [http.get(path).headers["etag"] for path in ("/", "/annotate/demo", "/annotate/other")]
    assert etags[0] != etags[1] == etags[2]
    assert http.get("/annotate/demo", headers={"if-none-match": etags[0]}).status_code == 200
    assert http.get("/annotate/demo", headers={"if-none-match": etags[1]}).status_code == 304


def test_campaigns_are_chosen_on_the_start_page(http: Http) -> None:
    for path, wanted in (("/annotate", "/"), ("/annotate/", "/"), ("/annotate?annotator=anna", "/?annotator=anna")):
        answer = http.get(path, follow_redirects=False)
        assert (answer.status_code, urljoin(path, answer.headers["location"])) == (302, wanted)


def test_page_weighs_at_most_700_kb_as_it_is_sent(http: Http) -> None:
    names = [name for name in read_files("service.page") if not name.startswith(("vendor/swagger", "docs/", "start/"))]
    answers = [http.get(f"/page/{name}") for name in names if not name.endswith((".html", ".txt"))]
    answers.append(http.get("/annotate/demo"))
    assert {answer.headers["content-encoding"] for answer in answers} == {"gzip"}
    weights = [int(answer.headers["content-length"]) for answer in answers]
    assert len(weights) > 20
    assert 100_000 < sum(weights) <= 700_000


def test_file_is_sent_as_it_is_to_whom_cannot_unpack_it(http: Http) -> None:
    plain = http.get("/page/main.js", headers={"accept-encoding": "identity"})
    small = http.get("/page/main.js", headers={"accept-encoding": "br, gzip"})
    assert (plain.headers.get("content-encoding"), plain.headers["vary"]) == (None, "Accept-Encoding")
    assert plain.content == small.content, "the client has unpacked it"
    assert plain.headers["etag"] != small.headers["etag"]
    again = {"accept-encoding": "gzip", "if-none-match": small.headers["etag"]}
    assert http.get("/page/main.js", headers=again).status_code == 304


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip, deflate, br", True),
        ("gzip;q=0.5", True),
        ("br", False),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
    ],
)
def test_refused_gzip_is_not_sent(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) == takes


def test_files_of_folders_are_read_and_code_is_not() -> None:
    names = set(read_files("service.page"))
    assert {"page.html", "root.js"} <= names
    assert not any(name.endswith((".py", ".pyc")) for name in names)
