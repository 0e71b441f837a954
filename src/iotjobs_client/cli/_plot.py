"""``iotjobs summary --plot``: a plot of a rollout; it needs the extra ``plot``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import click

from iotjobs_client import JobExecutionStatus
from iotjobs_client._text import to_printable
from iotjobs_client.cli._format import format_count
from iotjobs_client.cli._output import OutputFile
from iotjobs_client.rollout import RolloutSummary

_SUFFIXES = (".svg", ".png")
_GREY = "#666666"
_LONG_TITLE = 51
_LineStyle = tuple[str, Any]  # a colour and a matplotlib line style
_Line = tuple[str, list[int], _LineStyle]  # a name, the counts, and the style
# The Okabe-Ito palette suits colour-blind readers. Dashes distinguish the lines too.
_LINE_STYLES: dict[str, _LineStyle] = {
    JobExecutionStatus.SUCCEEDED: ("#009E73", "-"),
    JobExecutionStatus.FAILED: ("#D55E00", "-"),
    JobExecutionStatus.TIMED_OUT: ("#E69F00", (0, (6, 2))),
    JobExecutionStatus.REJECTED: ("#CC79A7", (0, (3, 1.5))),
    JobExecutionStatus.REMOVED: ("#56B4E9", (0, (6, 2, 1, 2))),
    JobExecutionStatus.CANCELED: ("#0072B2", (0, (1, 1))),
}


def prepare_plot(path: Path) -> Callable[[str, RolloutSummary], None]:
    """Check that a plot can be written, before the job is listed, which may take minutes.

    Returns:
        The function that draws a rollout to ``path``, with a title.

    Raises:
        click.UsageError: The file's name does not end in ``.svg`` or ``.png``.
        OSError: matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"--plot must end in {' or '.join(_SUFFIXES)}, not {str(path)!r}")
    if find_spec("matplotlib") is None:
        raise OSError("--plot needs matplotlib: install this package with its extra 'plot'")
    # A notebook sets a backend that only it has. No backend is needed here.
    os.environ.pop("MPLBACKEND", None)
    import_module("matplotlib.figure")
    OutputFile(path).stop()
    return partial(_draw, path)


def _draw(path: Path, title: str, summary: RolloutSummary) -> None:
    mpl: Any = import_module("matplotlib")  # Its types are incomplete.
    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # The plot must not depend on the user's matplotlibrc.
        # A dollar sign in the name of a file begins no formula.
        own = {"svg.hashsalt": "iotjobs-client", "font.size": 10, "text.parse_math": False}
        mpl.rcParams.update({**own, "timezone": "UTC"})  # rcdefaults() leaves the time zone.
        kind = path.suffix[1:].lower()
        metadata = {"Date": None} if kind == "svg" else None
        try:
            _figure(title, summary).savefig(image, format=kind, dpi=150, metadata=metadata)
        except (OverflowError, ValueError) as error:
            raise OSError(f"cannot draw {path}: {error}") from error
    output = OutputFile(path)
    try:
        output.write(image.getvalue())
        output.finish()
    finally:
        output.stop()


def _figure(title: str, summary: RolloutSummary) -> Any:
    """Draw the expected progress in the upper panel, and other outcomes below it.

    Few executions end in another status, so their lines need a scale of their own.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    curve = summary.curve
    ended: Mapping[JobExecutionStatus, int] = curve[-1].ended if curve else {}
    progress: list[_Line] = [
        ("queued", [point.queued for point in curve], (_GREY, (0, (1, 2)))),
        ("started", [point.started for point in curve], (_GREY, (0, (5, 2)))),
    ]
    problems: list[_Line] = []
    for status in sorted(ended, key=lambda status: -ended[status]):
        lines = progress if status == JobExecutionStatus.SUCCEEDED else problems
        counts = [point.ended[status] for point in curve]
        lines.append((status.value, counts, _LINE_STYLES[status]))
    panels = [("Queued, started and succeeded", progress)]
    if problems:
        panels.append(("Ended without success", problems))
    times = [point.at for point in curve]
    marker = "o" if len(times) == 1 else ""  # A line of one point is invisible.

    figure: Any = Figure(figsize=(10, 2 + 2.4 * len(panels)), layout="constrained")
    for axes, (panel, lines) in zip(
        figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0], panels, strict=True
    ):
        for name, counts, (colour, dash) in lines:
            style = {"color": colour, "linestyle": dash, "linewidth": 1.8, "marker": marker}
            label = f"{counts[-1] if counts else 0:,} {name}"
            axes.plot(times, counts, drawstyle="steps-post", label=label, **style)
        axes.set_title(f"{panel} (executions, cumulative)", loc="left", fontsize=10)
        axes.margins(x=0.01)
        axes.set_ylim(0, None if times else 1)
        axes.grid(axis="y", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, handlelength=3)
    top, bottom = figure.axes[0], figure.axes[-1]
    size = 12 if len(title) <= _LONG_TITLE else 8  # The longest job ID fits at 8 points.
    counts_by_outcome = (
        f"{format_count(summary.thing_count, 'thing')}: {summary.things_succeeded:,} succeeded, "
        f"{summary.things_failed:,} failed, {summary.things_withdrawn:,} withdrawn, "
        f"{summary.things_unfinished:,} unfinished"
    )
    heading = f"{to_printable(title)}\n{counts_by_outcome}"
    figure.suptitle(heading, x=0.01, ha="left", fontsize=size)
    bottom.set_xlabel("time (UTC)")
    if not times:
        bottom.set_xticks([])
        top.text(0.5, 0.5, "no times to draw", transform=top.transAxes, ha="center", color=_GREY)
        return figure
    if len(times) == 1:
        bottom.set_xlim(times[0] - timedelta(minutes=1), times[0] + timedelta(minutes=1))
    locator = AutoDateLocator(minticks=4)
    bottom.xaxis.set_major_locator(locator)
    bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return figure
