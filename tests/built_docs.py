"""The documentation as it was built: no link leads nowhere, and headings are in order.

``nox -s docs`` runs it on what it built.
"""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parent.parent / "docs" / "_build" / "html"


class Page(HTMLParser):
    """What a page links to, what it can be linked to at, and its headings."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.headings: list[int] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.add(given.get("id") or "")
        self.links += [given[name] or "" for name in ("href", "src") if name in given]
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))


SOURCES = {path.stem for path in SITE.parent.parent.glob("*.md")}
PAGES = {path: Page(path) for path in SITE.rglob("*.html")}


def test_there_is_a_site() -> None:
    """With a page for each source of the documentation."""
    assert {SITE / f"{name}.html" for name in SOURCES} <= PAGES.keys()
    assert len(SOURCES) > 8


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(SITE).as_posix())
def test_every_link_within_the_site_leads_somewhere(path: Path) -> None:
    """To a file that is there, and to an anchor on it."""
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
    """One of the first level, and no level is passed over on the way down."""
    headings = PAGES[SITE / f"{name}.html"].headings
    assert headings.count(1) == 1
    for level, following in pairwise(headings):
        assert following <= level + 1
