"""What all reports have in common: one HTML document with its stylesheet, no script, no address of another file."""

from functools import cache
from html import escape
from importlib.resources import files


@cache
def style() -> str:
    """The stylesheet, which is all that the document's policy has to allow beside pictures in it."""
    return files("service.report").joinpath("report.css").read_text(encoding="utf-8")


def document(title: str, under_title: str, body: str) -> str:
    """The whole document.

    Args:
        title: Plain text, of the window and the heading.
        under_title: HTML below the heading.
        body: HTML of the sections.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · al-loop</title>
<style>{style()}</style>
</head>
<body>
<main>
<header>
<h1>{escape(title)}</h1>
{under_title}
</header>
{body}
</main>
</body>
</html>
"""
