"""Fails the build if a page would load anything from another host, so that the site can be read without a network."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*?\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|preconnect|icon))[^>]*?\bhref=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|url\(["']?(?:https?:)?//[^)"']+""",
    re.IGNORECASE,
)


def on_post_build(config: MkDocsConfig) -> None:
    """Look at every page and style sheet that was built.

    Raises:
        PluginError: Names the pages and what they would load.
    """
    site = Path(config.site_dir)
    found = {
        str(path.relative_to(site)): urls
        for path in sorted(site.rglob("*"))
        if path.suffix in (".html", ".css") and (urls := foreign_assets(path.read_text(encoding="utf-8")))
    }
    if found:
        raise PluginError(f"pages load assets from other hosts: {found}")


def foreign_assets(text: str) -> list[str]:
    """What a page or a style sheet loads from another host; links that a reader follows are not counted."""
    return LOADED.findall(text)
