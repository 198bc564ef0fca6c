"""The frame of all reports."""

from service.report.document import document, style


def test_document_is_one_file_with_its_title_escaped_and_nothing_to_fetch() -> None:
    text = document("a <b> & c", "<p>under</p>", '<section id="x"></section>')
    assert text.startswith("<!doctype html>")
    assert "<title>a &lt;b&gt; &amp; c · al-loop</title>" in text
    assert "<h1>a &lt;b&gt; &amp; c</h1>\n<p>under</p>" in text
    assert style() in text
    assert not [mark for mark in ("<script", "<link", "http://", "https://", "src=") if mark in text]
