"""Checks of the built documentation: links, headings and descriptions.

``nox -s docs`` runs it after the build.
"""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"


class Page(HTMLParser):
    """The links, anchors, headings and description of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.headings: list[int] = []
        self.description = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.add(given.get("id") or "")
        self.links += [given[name] or "" for name in ("href", "src") if name in given]
        if tag == "meta" and given.get("name") == "description":
            self.description = given.get("content") or ""
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))


SOURCES = {path.stem for path in SITE.parent.parent.glob("*.md")}
PAGES = {path: Page(path) for path in SITE.rglob("*.html")}


def test_every_source_has_a_page() -> None:
    """No source of the documentation is left out of the site."""
    assert {SITE / f"{name}.html" for name in SOURCES} <= PAGES.keys()
    assert len(SOURCES) > 8


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(SITE).as_posix())
def test_every_link_within_the_site_works(path: Path) -> None:
    """Its file exists, and has its anchor."""
    for link in PAGES[path].links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        assert target.is_file(), link
        if target in PAGES:
            assert unquote(parts.fragment) in PAGES[target].anchors, link


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_headings_are_in_order(name: str) -> None:
    """A page has one heading of the first level, and skips no level on the way down."""
    headings = PAGES[SITE / f"{name}.html"].headings
    assert headings.count(1) == 1
    for level, following in pairwise(headings):
        assert following <= level + 1


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_page_has_a_description(name: str) -> None:
    """Search engines show it below the title, and cut it after about 160 characters."""
    description = PAGES[SITE / f"{name}.html"].description
    assert 40 < len(description) < 165, description
    assert description.endswith(".")
