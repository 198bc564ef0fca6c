"""Uploads as clients send them: with and without file names, in chunks, raw; and what is no upload is a 4xx."""

from base64 import encodebytes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.settings import Settings
from tests.data.examples import examples
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, encoded, serve_tiny

CLASSES = ["class-1", "class-2"]
TASKS = ("classification", "segmentation", "sam")
BOUNDARY = b"7MA4YWxk"
NAMES = {
    "no filename": b'form-data; name="image"',
    "filename": b'form-data; name="image"; filename="a.tif"',
    "filename*": b"form-data; name=\"image\"; filename*=UTF-8''stra%C3%9Fe.tif",
    "both": b'form-data; name="image"; filename="x.tif"; filename*=UTF-8\'\'%e2%82%ac.tif',
    "bad filename*": b"form-data; name=\"image\"; filename*=KLINGON''%ff",
    "empty": b'form-data; name="image"; filename=""',
    "unquoted": b"form-data; name=image; filename=a.tif",
    "path": b'form-data; name="image"; filename="C:\\scenes\\a.tif"',
    "latin-1": b'form-data; name="image"; filename="Stra\xdfe.tif"',
    "shift-jis": b'form-data; name="image"; filename="\x93\xfa\x96{.tif"',
    "utf-8": 'form-data; name="image"; filename="Straße.tif"'.encode(),
}


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    return serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES)


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    return encoded(make_scene(tmp_path / "scene.tif", width=64, height=64))


def part(content: bytes, disposition: bytes = NAMES["filename"], *headers: bytes) -> bytes:
    lines = [b"Content-Disposition: " + disposition, *headers]
    return b"--" + BOUNDARY + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + content + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"
FORM = "multipart/form-data; boundary=" + BOUNDARY.decode()


def send(http: Http, body: Any, task: str = "classification", content_type: str = FORM) -> Any:
    headers = {"content-type": content_type}
    return http.post(f"/campaigns/demo/predictions/{task}", content=body, headers=headers)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_image_is_taken_under_whatever_name_it_comes(served: Http, image: bytes, task: str) -> None:
    for name, disposition in NAMES.items():
        answer = send(served, part(image, disposition) + END, task)
        assert answer.status_code == 200, (name, answer.text)


def test_forms_of_all_shapes_are_taken(served: Http, image: bytes) -> None:
    def in_pieces(body: bytes) -> Iterator[bytes]:
        return (body[start : start + 1000] for start in range(0, len(body), 1000))

    usual, other = part(image), part(b"\xff\xfe", b'form-data; name="note"')
    for name, body, content_type in (
        ("quoted boundary", usual + END, f'multipart/form-data; boundary="{BOUNDARY.decode()}"'),
        ("capital type", usual + END, f"Multipart/Form-Data; charset=utf-8; boundary={BOUNDARY.decode()}"),
        ("preamble and epilogue", b"This is MIME.\r\n" + usual + END + b"and that was it", FORM),
        ("no line end after the last boundary", usual + END[:-2], FORM),
        ("other fields", other + usual + other + END, FORM),
        ("a field of a name that is not UTF-8", part(b"1", b'form-data; name="gr\xf6\xdfe"') + usual + END, FORM),
        ("two files", part(b"no image") + usual + END, FORM),
        ("binary by name", part(image, NAMES["filename"], b"Content-Transfer-Encoding: binary") + END, FORM),
        ("base64", part(encodebytes(image), NAMES["filename"], b"Content-Transfer-Encoding: base64") + END, FORM),
        ("chunked", in_pieces(usual + END), FORM),
        ("raw", image, "image/tiff"),
        ("raw without a type", image, "application/octet-stream"),
    ):
        answer = send(served, body, content_type=content_type)
        assert answer.status_code == 200, (name, answer.text)


def test_what_is_no_upload_is_refused_in_a_sentence(served: Http, image: bytes) -> None:
    usual = part(image)
    for name, body, content_type, status, words in (
        ("no final boundary", usual, FORM, 400, "cut off"),
        ("cut off", (usual + END)[:500], FORM, 400, "cut off"),
        ("another boundary", usual + END, "multipart/form-data; boundary=other", 400, "cut off"),
        ("no boundary", usual + END, "multipart/form-data", 400, "boundary"),
        (
            "nested",
            part(usual, NAMES["filename"], b"Content-Type: multipart/mixed; boundary=x") + END,
            FORM,
            400,
            "own",
        ),
        (
            "no base64",
            part(b"abcde", NAMES["filename"], b"Content-Transfer-Encoding: base64") + END,
            FORM,
            400,
            "base64",
        ),
        ("uuencode", part(image, NAMES["filename"], b"Content-Transfer-Encoding: x-uue") + END, FORM, 400, "x-uue"),
        ("many parts", part(b"x", b'form-data; name="x"') * 200 + usual + END, FORM, 400, "100 parts"),
        ("other field", part(image, b'form-data; name="picture"') + END, FORM, 400, "`image`"),
        ("no name", part(image, b"form-data") + END, FORM, 400, "`image`"),
        ("empty", b"", FORM, 400, "cut off"),
        ("JSON", b"{}", "application/json", 415, "multipart/form-data"),
        ("web form", b"image=x", "application/x-www-form-urlencoded", 415, "multipart/form-data"),
        ("no type", image, "", 415, "multipart/form-data"),
        ("raw text", b"hello", "image/tiff", 415, ""),
        ("raw nothing", b"", "image/tiff", 415, ""),
    ):
        answer = send(served, body, content_type=content_type)
        assert (answer.status_code, words in answer.text) == (status, True), (name, answer.text)
        assert answer.headers["content-type"].startswith("text/plain")


def test_text_field_that_is_no_text_is_named(served: Http, image: bytes) -> None:
    for name in ("points", "label", "crs", "transform", "sample_id"):
        answer = send(served, part(image) + part(b"\xff", b'form-data; name="%s"' % name.encode()) + END, "sam")
        assert (answer.status_code, name in answer.text) == (400, True), answer.text


HEADERS = st.sampled_from(
    [
        *(b"Content-Disposition: " + name for name in NAMES.values()),
        b"Content-Disposition: attachment", b"Content-Disposition: form-data; name=points", b"Content-Type: text/plain",
        b'Content-Disposition: form-data; name="sample_id"', b"Content-Type: multipart/mixed", b"Content-Length: 3",
        b"Content-Transfer-Encoding: base64", b"Content-Type: text/plain; charset=klingon", b"no header", b" folded",
        b"Content-Disposition: form-data; name=\xff", b"Content-Length: -1",
    ]
)  # fmt: skip
PIECES = st.one_of(
    st.builds(
        lambda headers, content: b"--" + BOUNDARY + b"\r\n" + b"\r\n".join(headers) + b"\r\n\r\n" + content + b"\r\n",
        st.lists(HEADERS, max_size=4),
        st.binary(max_size=40) | st.sampled_from([b"[[1,2]]", b"1e400", b"-1", b"9" * 5000, b"[" * 5000]),
    ),
    st.sampled_from([END, b"\r\n", b"--" + BOUNDARY, b"--" + BOUNDARY + b"\n"]),
    st.binary(max_size=20),
)
TYPES = st.sampled_from([FORM, FORM + "; boundary=x", "multipart/form-data; boundary=", "multipart/mixed", "image/png"])


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, max_size=6), content_type=TYPES, task=st.sampled_from([*TASKS, "detection"]))
@example(pieces=[part(b"9" * 5000, b'form-data; name="sample_id"'), END], content_type=FORM, task="sam")
def test_no_form_is_a_fault_of_the_service(served: Http, pieces: list[bytes], content_type: str, task: str) -> None:
    answer = send(served, b"".join(pieces), task, content_type)
    assert 400 <= answer.status_code < 500, answer.text
