"""``iotjobs summary --plot``: the picture of a rollout; it needs the extra ``plot``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from iotjobs_client import InvalidArgumentError, JobExecutionStatus
from iotjobs_client.cli._formats import counted
from iotjobs_client.cli._output import OutputFile
from iotjobs_client.rollout import RolloutSummary

_KINDS = (".svg", ".png")
_GREY = "#666666"
_LONG_NAME = 40
_Look = tuple[str, Any]  # a colour, and matplotlib's dash
_Line = tuple[str, list[int], _Look]
# The palette of Okabe and Ito, whose colours all people tell apart, and a dash for each.
_LOOKS: dict[str, _Look] = {
    JobExecutionStatus.SUCCEEDED: ("#009E73", "-"),
    JobExecutionStatus.FAILED: ("#D55E00", "-"),
    JobExecutionStatus.TIMED_OUT: ("#E69F00", (0, (6, 2))),
    JobExecutionStatus.REJECTED: ("#CC79A7", (0, (3, 1.5))),
    JobExecutionStatus.REMOVED: ("#56B4E9", (0, (6, 2, 1, 2))),
    JobExecutionStatus.CANCELED: ("#0072B2", (0, (1, 1))),
}


def to_drawing(path: Path) -> Callable[[str, RolloutSummary], None]:
    """What draws a rollout to ``path``; now, before the job is listed, is when that can fail.

    Raises:
        InvalidArgumentError: The name of the file ends otherwise than in ``.svg`` or ``.png``.
        OSError: matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() not in _KINDS:
        raise InvalidArgumentError(f"plot must end in {' or '.join(_KINDS)}, not {str(path)!r}")
    if find_spec("matplotlib") is None:
        raise OSError("--plot needs the extra 'plot': python -m pip install 'iotjobs-client[plot]'")
    OutputFile(path, None).stop(None)
    return partial(_draw, path)


def _draw(path: Path, job_id: str, summary: RolloutSummary) -> None:
    mpl: Any = import_module("matplotlib")  # whose types are not whole
    picture = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # the picture is the same whatever stands in a matplotlibrc
        mpl.rcParams.update({"svg.hashsalt": "iotjobs-client", "font.size": 10})
        kind = path.suffix[1:].lower()
        metadata = {"Date": None} if kind == "svg" else None
        try:
            _figure(job_id, summary).savefig(picture, format=kind, dpi=150, metadata=metadata)
        except (OverflowError, ValueError) as error:
            raise OSError(f"cannot draw times at the end of all years: {error}") from error
    output = OutputFile(path, None)
    try:
        output.write_bytes(picture.getvalue())
    except BaseException:
        output.stop(None)
        raise
    output.finish(None)


def _figure(job_id: str, summary: RolloutSummary) -> Any:
    """Above what goes as it should, below the rest, which would be too small to see beside it."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    curve = summary.curve
    ended: Mapping[JobExecutionStatus, int] = curve[-1].ended if curve else {}
    on_course: list[_Line] = [
        ("queued", [point.queued for point in curve], (_GREY, (0, (1, 2)))),
        ("started", [point.started for point in curve], (_GREY, (0, (5, 2)))),
    ]
    others: list[_Line] = []
    for status in sorted(ended, key=lambda status: -ended[status]):
        lines = on_course if status == JobExecutionStatus.SUCCEEDED else others
        counts = [point.ended[status] for point in curve]
        lines.append((status.value, counts, _LOOKS[status]))
    panels = [on_course, others] if others else [on_course]
    times = [point.at for point in curve]
    marker = "o" if len(times) == 1 else ""  # a line of one point cannot be seen

    figure: Any = Figure(figsize=(10, 2 + 2.4 * len(panels)), layout="constrained")
    for axes, lines in zip(
        figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0], panels, strict=True
    ):
        for name, counts, (colour, dash) in lines:
            label = f"{name}  {counts[-1] if counts else 0:,}"
            look = {"color": colour, "linestyle": dash, "linewidth": 1.8, "marker": marker}
            axes.plot(times, counts, drawstyle="steps-post", label=label, **look)
        axes.set_ylabel("executions, cumulative")
        axes.margins(x=0.01)
        axes.set_ylim(0, None if times else 1)
        axes.grid(axis="y", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, handlelength=3.5)
    figure.align_ylabels()
    top, bottom = figure.axes[0], figure.axes[-1]
    size = 13 if len(job_id) <= _LONG_NAME else 8  # of which the longest still fits
    top.set_title(f"Rollout of {job_id}", loc="left", fontweight="bold", fontsize=size, pad=22)
    subtitle = (
        f"{counted(summary.thing_count, 'thing')}: {summary.things_succeeded:,} succeeded, "
        f"{summary.things_failed:,} failed, {summary.things_withdrawn:,} withdrawn, "
        f"{summary.things_waiting:,} waiting"
    )
    top.text(0, 1.03, subtitle, transform=top.transAxes, va="bottom", color="#444444")
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
