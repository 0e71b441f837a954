"""``iotjobs summary``: counts and durations of a rollout, as a table or as JSON."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from enum import Enum

from iotjobs_client.cli._formats import COLOURS, escape_del, format_count, to_printable, to_record
from iotjobs_client.cli._terminal import has_colours
from iotjobs_client.rollout import Durations, RolloutSummary

_BAR_WIDTH = 30
_MIN_WIDTH, _MAX_WIDTH = 60, 10_000


class SummaryFormat(str, Enum):
    """The output formats of ``iotjobs summary``."""

    table = "table"
    json = "json"


def to_json(job_id: str, summary: RolloutSummary) -> str:
    """Return the summary as a JSON object, with durations in seconds."""
    content = {
        "job_id": job_id,
        "executions": {
            "total": summary.execution_count,
            "by_status": dict(summary.executions),
        },
        "things": {
            "total": summary.thing_count,
            "succeeded": summary.things_succeeded,
            "failed": summary.things_failed,
            "withdrawn": summary.things_withdrawn,
            "waiting": summary.things_waiting,
            "by_status": dict(summary.things),
        },
        "waiting_seconds": _to_seconds(summary.waiting),
        "running_seconds": _to_seconds(summary.running),
        "failed_last": [to_record(execution) for execution in summary.failed_last],
    }
    return escape_del(json.dumps(content, indent=2)) + "\n"


def _to_seconds(durations: Durations) -> dict[str, float | None]:
    return {
        "count": durations.count,
        **{
            name: None if duration is None else duration.total_seconds()
            for name, duration in _percentiles(durations).items()
        },
    }


def _percentiles(durations: Durations) -> dict[str, timedelta | None]:
    return {"median": durations.median, "p90": durations.p90, "max": durations.maximum}


def to_table(job_id: str, summary: RolloutSummary) -> str:
    """Return the summary as text: counts with bars, durations, and the things that failed last."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # rich exits by itself if the pipe is closed, so its output is captured and returned.
    is_tty = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        force_terminal=is_tty and has_colours(),  # Ignore FORCE_COLOR in a pipe.
        no_color=not has_colours(),
        # A pipe has no width, so no name is cut.
        width=None if is_tty else _MAX_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )
    # A narrower terminal wraps the lines, which is better than cutting the cells.
    console.width = max(console.width, _MIN_WIDTH)
    block = "#" if console.options.ascii_only else "█"
    console.begin_capture()
    console.print(
        f"{job_id}: {format_count(summary.execution_count, 'execution')} "
        f"on {format_count(summary.thing_count, 'thing')}: "
        f"{summary.things_succeeded:,} succeeded, {summary.things_failed:,} failed, "
        f"{summary.things_withdrawn:,} withdrawn, {summary.things_waiting:,} waiting\n",
        soft_wrap=True,
    )
    counts = Table("status", box=None, pad_edge=False)
    for heading in ("executions", "things"):
        counts.add_column(heading, justify="right")
    counts.add_column("of all things", no_wrap=True)
    for status, count in summary.executions.items():
        things = summary.things.get(status, 0)
        share = things / summary.thing_count
        bar = Text(block * round(_BAR_WIDTH * share), style=COLOURS.get(status, ""))
        counts.add_row(
            to_printable(status), f"{count:,}", f"{things:,}", bar.append(f" {share:.1%}", "none")
        )
    console.print(counts)
    times = Table("time", box=None, pad_edge=False)
    for heading in ("executions", *_percentiles(summary.waiting)):
        times.add_column(heading, justify="right")
    for name, durations in (("waiting", summary.waiting), ("running", summary.running)):
        shown = ("-" if d is None else _to_text(d) for d in _percentiles(durations).values())
        times.add_row(name, f"{durations.count:,}", *shown)
    console.print()
    console.print(times)
    if summary.failed_last:
        failures = Table(box=None, pad_edge=False)
        failures.add_column("failed last", overflow="fold")
        for heading in ("status", "at"):
            failures.add_column(heading, no_wrap=True)
        for execution in summary.failed_last:
            at = execution.last_updated_at
            failures.add_row(
                Text(to_printable(execution.thing_name)),
                execution.status.value,
                "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC",
            )
        console.print()
        console.print(failures)
    return console.end_capture()


def _to_text(duration: timedelta) -> str:
    """Return a duration to the second, such as ``0:03:34``."""
    return str(timedelta(seconds=round(duration.total_seconds())))
