"""Checks of the built documentation in Chromium: everything fits, from a phone to a desktop.

``nox -s browser`` runs it after the build.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
NAMES = sorted(path.name for path in SITE.glob("*.html"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE = 390
WIDTHS = (PHONE, 768, 1024, 1280, 1366, 1920)
SCROLLING_COLUMNS = 4  # A table with this many columns, or of an API, may scroll on a phone.

# The page loads each page of the site in a frame, measures it, and writes the result as JSON.
MEASURE = """<!doctype html><body><script>
const [names, widths] = %s, results = [];
const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
async function measure(name, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width: ${width}px; height: 900px; border: 0`;
  frame.src = name;
  document.body.append(frame);
  await new Promise(done => frame.onload = done);
  await frame.contentDocument.fonts.ready;
  await wait(50);
  const page = frame.contentDocument;
  for (const table of page.querySelectorAll("article table")) {
    const column = table.closest(".table-wrapper") || table.parentElement;
    results.push({
      name, width, title: table.innerText.slice(0, 60), columns: table.rows[0].cells.length,
      isOfApi: table.querySelector("td:first-child code.xref") !== null,
      excess: table.scrollWidth - column.clientWidth,
    });
  }
  results.push({name, width, title: "page", excess: page.documentElement.scrollWidth - width});
  frame.remove();
}
(async () => {
  for (const name of names) for (const width of widths) await measure(name, width);
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(results);
})();
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves the site, and the page that measures it."""

    def do_GET(self) -> None:
        if self.path != "/measure":
            super().do_GET()
            return
        body = (MEASURE % json.dumps([NAMES, WIDTHS])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The tables and pages as the browser lays them out."""
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    options = (
        *("--headless", "--no-sandbox", "--hide-scrollbars", "--dump-dom"),
        "--window-size=1400,1000",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
        "--virtual-time-budget=600000",
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=SITE)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/measure"
        dumped = subprocess.run(
            [browser, *options, url], capture_output=True, text=True, check=True, timeout=300
        ).stdout
        server.shutdown()
    (result,) = re.findall(r"<pre>(.*?)</pre>", dumped, re.DOTALL)
    measured: list[dict[str, Any]] = json.loads(unescape(result))
    return measured


@pytest.mark.timeout(300)
def test_each_page_was_measured(measured: list[dict[str, Any]]) -> None:
    """The tests below have something to check."""
    assert {each["name"] for each in measured} == set(NAMES)
    assert len([each for each in measured if each["title"] != "page"]) > 50


def test_no_page_scrolls_sideways(measured: list[dict[str, Any]]) -> None:
    """At no usual width of a window."""
    pages = [each for each in measured if each["title"] == "page"]
    assert [each for each in pages if each["excess"] > 0] == []


def test_no_table_is_wider_than_its_column(measured: list[dict[str, Any]]) -> None:
    """On a phone, only tables that need room for many columns or long names scroll."""
    tables = [each for each in measured if each["title"] != "page" and each["excess"] > 1]
    too_wide = [
        each
        for each in tables
        if each["width"] > PHONE or not (each["isOfApi"] or each["columns"] >= SCROLLING_COLUMNS)
    ]
    assert too_wide == []
