"""Formats the benchmark's figures as the tables and the chart of docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from contenders import OURS, Measured
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2980B9", "#D55E00", "#777777"  # legible on white and on black


def spread(values: Sequence[float], digits: int = 2, unit: str = "") -> str:
    """Format values such as ``5.2 (4.9 to 5.8)``, or as one number if they are equal."""
    three = (statistics.median(values), min(values), max(values))
    median, least, most = (f"{value:,.{digits}f}" for value in three)
    # A narrow table may break before the range, not within it.
    return f"{median}{unit}" if least == most else f"{median}{unit} ({least}&nbsp;to&nbsp;{most})"


def figures(
    runs: Sequence[Measured], what: str, unit: str, *, scale: float = 1.0, digits: int = 0
) -> str:
    """Format one of the figures of each run, divided by ``scale``."""
    return spread([run[what] / scale for run in runs], digits, f" {unit}")


def compared(runs: Sequence[Measured], base: Sequence[Measured], what: str = "cpu") -> str:
    """Format the ratio of a figure to that of ``base`` in the same round."""
    return spread([run[what] / other[what] for run, other in zip(runs, base, strict=True)])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write_page(page: Path, parts: Mapping[str, str], folder: Path) -> None:
    """Write ``page`` to ``folder`` with new text between its comments ``<!-- NAME -->``."""
    text = page.read_text()
    for name, part in parts.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("\n<!-- end -->")
        if not end:
            raise SystemExit(f"{page} has no place for {name}")
        text = f"{before}{start}\n{part}\n{end}{after}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / page.name).write_text(text)


def draw_cpu(found: Mapping[str, Sequence[float]], file: Path) -> None:
    """Draw a bar for each contender, with its name and median above it."""
    # The chart must be legible at 390 px, on light and dark pages.
    grey = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color")
    mpl.rcParams.update(dict.fromkeys(grey, GREY))
    mpl.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "iotjobs-client", "font.size": 11})
    figure = Figure(figsize=(4.2, 0.9 + 0.62 * len(found)), layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(found.items()):
        median = statistics.median(values)
        colour, weight = (BLUE, "bold") if name == OURS else ("#AAAAAA", "normal")
        error = [[median - min(values)], [max(values) - median]]
        axes.barh(place, median, 0.4, color=colour, xerr=error, ecolor=ORANGE, capsize=4)
        axes.text(0, place - 0.28, f"{name}: {median:.1f} µs", va="bottom", weight=weight)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_facecolor("none")
    axes.set_ylim(len(found) - 0.7, -0.7)
    axes.set_yticks([])
    axes.set_xlabel("µs of CPU per execution (lower is better)")
    figure.savefig(file, metadata={"Date": None}, transparent=True)
