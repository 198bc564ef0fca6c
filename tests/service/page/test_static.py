"""Files of the pages: links of documents, and what is kept from one address to another."""

from urllib.parse import urljoin

from service.page.static import read_files
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


def test_files_of_folders_are_read_and_code_is_not() -> None:
    names = set(read_files("service.page"))
    assert {"page.html", "root.js"} <= names
    assert not any(name.endswith((".py", ".pyc")) for name in names)
