"""Draw the pictures of the README and the index: a rollout, and its summary in a terminal.

Both are what ``iotjobs summary`` makes of the made-up job, for light and dark pages.
``nox -s pictures`` runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from iotjobs_client.testing import LocalEndpoint, make_fleet

STATIC = Path(__file__).parent / "_static"
COMMAND = ("iotjobs", "summary", "firmware-42", "--failures", "3")
COLUMNS = 72
# The colours of a light plot, and those that replace them in a dark one.
DARK_COLOURS = {
    "#000000": "#cfd0d0",
    "#ffffff": "#131416",
    "#dddddd": "#36383d",
    "#666666": "#9a9b9d",
    "#0072b2": "#3ba3e0",
}
# The summary is in red, green and yellow.
_GREY = (128, 128, 128)
_ON_LIGHT = [_GREY, (205, 49, 49), (13, 125, 80), (140, 100, 0), *[_GREY] * 4]
_ON_DARK = [_GREY, (255, 123, 114), (63, 185, 80), (210, 153, 34), *[_GREY] * 4]
THEMES = {
    "light": TerminalTheme((255, 255, 255), (36, 41, 47), _ON_LIGHT),
    "dark": TerminalTheme((19, 20, 22), (207, 208, 208), _ON_DARK),
}
FRAME, VISIBLE_FRAME = "rgba(255,255,255,0.35)", "rgba(128,128,128,0.5)"


def read_terminal(environment: dict[str, str]) -> str:
    """Return what the command prints on a terminal, with its colours."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        COMMAND, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        os.close(theirs)
        printed = b""
        try:
            while chunk := os.read(ours, 65_536):
                printed += chunk
        except OSError:
            pass  # Linux reports the end of a terminal as an error.
        finally:
            os.close(ours)
    if process.returncode:
        raise SystemExit(f"{' '.join(COMMAND)} ended with {process.returncode}")
    return printed.decode().replace("\r\n", "\n")


def draw_terminal(printed: str, theme: TerminalTheme) -> str:
    """Return a picture of a terminal with this text."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {' '.join(COMMAND)}\n{printed}"))
    svg = console.export_svg(title="", theme=theme, unique_id="summary")
    svg = svg.replace(FRAME, VISIBLE_FRAME)
    # A page must not request a font from another host.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Write the pictures to ``docs/_static``."""
    with LocalEndpoint({"firmware-42": make_fleet(1000)}) as endpoint:
        environment = {**os.environ, **endpoint.environment, "COLUMNS": str(COLUMNS)}
        environment.pop("NO_COLOR", None)
        environment["TERM"] = "xterm-256color"
        printed = read_terminal(environment)
        for name, theme in THEMES.items():
            (STATIC / f"summary-{name}.svg").write_text(draw_terminal(printed, theme))
        light = STATIC / "rollout-light.svg"
        subprocess.run([*COMMAND, "--plot", light], check=True, env=environment, stdout=sys.stderr)
    plot = light.read_text()
    for before, after in DARK_COLOURS.items():
        plot = plot.replace(before, after)
    # Text has no colour of its own.
    plot = plot.replace("<svg ", f'<svg fill="{DARK_COLOURS["#000000"]}" ', 1)
    (STATIC / "rollout-dark.svg").write_text(plot)


if __name__ == "__main__":
    main()
