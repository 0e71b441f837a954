"""``iotjobs summary``: counts and durations of a rollout, as a table or as JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from datetime import timedelta

from iotjobs_client._text import to_printable
from iotjobs_client.cli._format import COLOURS, format_count, format_time
from iotjobs_client.cli._terminal import has_colours
from iotjobs_client.rollout import Durations, RolloutSummary

_BAR_WIDTH = 30
_WIDTH_BESIDE_BARS = 41
_WIDTH_WITH_NOTES = 60
_MAX_WIDTH = 10_000
# The statuses of the last execution of a thing, by its outcome.
_STATUSES = {
    "succeeded": "SUCCEEDED",
    "failed": "FAILED, TIMED_OUT or REJECTED",
    "withdrawn": "REMOVED or CANCELED",
    "unfinished": "QUEUED, IN_PROGRESS or unknown",
}


Jobs = Mapping[str | None, RolloutSummary]


def to_json(jobs: Jobs, summary: RolloutSummary) -> str:
    """Return the summary and the counts of each job as a JSON object; durations are in seconds."""
    content = {
        "jobs": [{"job_id": job_id, "things": _to_counts(job)} for job_id, job in jobs.items()],
        "executions": {"total": summary.execution_count, "by_status": dict(summary.executions)},
        "things": {**_to_counts(summary), "by_status": dict(summary.things)},
        "waiting_seconds": _to_seconds(summary.waiting),
        "running_seconds": _to_seconds(summary.running),
        "failed_last": [execution.to_dict() for execution in summary.failed_last],
    }
    return json.dumps(content, indent=2) + "\n"


def _to_counts(summary: RolloutSummary) -> dict[str, int]:
    return {
        "total": summary.thing_count,
        "succeeded": summary.things_succeeded,
        "failed": summary.things_failed,
        "withdrawn": summary.things_withdrawn,
        "unfinished": summary.things_unfinished,
    }


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


def to_table(title: str, jobs: Jobs, summary: RolloutSummary) -> str:
    """Return the summary as text: counts with bars, durations, and the things that failed last.

    A line for each job comes first if there are several. A job's counts are of its own executions.
    """
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
        width=shutil.get_terminal_size().columns if is_tty else _MAX_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )

    def add_table(*headings: str, header: bool = True) -> Table:
        """Return a table whose first column is text, and whose others are numbers."""
        table = Table(box=None, pad_edge=False, show_header=header)
        for heading in headings:
            table.add_column(heading, justify="right" if table.columns else "left", no_wrap=True)
        return table

    is_wide = console.width >= _WIDTH_WITH_NOTES
    headings = ["things", *_STATUSES]
    columns = headings if is_wide else ["succeeded", "failed", "unfinished"]
    counts_of_jobs = add_table("job", *columns)
    counts_of_jobs.columns[0].no_wrap, counts_of_jobs.columns[0].overflow = False, "fold"
    for job_id, job in jobs.items():
        cells = dict(zip(headings, _to_counts(job).values(), strict=True))
        counts_of_jobs.add_row(
            to_printable(job_id or "-"), *(f"{cells[name]:,}" for name in columns)
        )

    outcomes = add_table("outcome", "things", "share", header=False)
    if is_wide:
        outcomes.add_column("statuses")
    outcome_counts = _to_counts(summary)
    for name, statuses in _STATUSES.items():
        count = outcome_counts[name]
        percentage = _to_percentage(count, summary.thing_count)
        outcomes.add_row(*[name, f"{count:,}", percentage, statuses][: len(outcomes.columns)])

    counts = add_table("status", "executions", "things")
    counts.add_column("of all things", no_wrap=True)
    bar_width = max(0, min(_BAR_WIDTH, console.width - _WIDTH_BESIDE_BARS))
    block = "#" if console.options.ascii_only else "█"
    for status, count in summary.executions.items():
        things = summary.things.get(status, 0)
        bar_length = round(bar_width * things / summary.thing_count)
        bar = Text(block * bar_length, style=COLOURS.get(status, ""))
        bar.append(f" {_to_percentage(things, summary.thing_count)}", "none")
        counts.add_row(to_printable(status), f"{count:,}", f"{things:,}", bar)

    times = add_table("time", "executions", *_percentiles(summary.waiting))
    for name, durations in (("waiting", summary.waiting), ("running", summary.running)):
        shown = ("-" if d is None else _to_text(d) for d in _percentiles(durations).values())
        times.add_row(name, f"{durations.count:,}", *shown)

    failures = Table(box=None, pad_edge=False)
    failures.add_column("failed last", overflow="fold")
    failures.add_column("status", no_wrap=True)
    failures.add_column("at", no_wrap=True)
    for execution in summary.failed_last:
        at = execution.last_updated_at
        failures.add_row(
            Text(to_printable(execution.thing_name)),
            execution.status.value,
            "-" if at is None else format_time(at),
        )

    executions = format_count(summary.execution_count, "execution")
    console.begin_capture()
    console.print(
        f"{to_printable(title)}: {executions} on {format_count(summary.thing_count, 'thing')}"
    )
    first = [counts_of_jobs] if len(jobs) > 1 else []
    last = [failures] if summary.failed_last else []
    for table in (*first, outcomes, counts, times, *last):
        console.print()
        console.print(table)
    lines = console.end_capture().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _to_percentage(count: int, total: int) -> str:
    """Return a percentage; it is 0.0% for none only, and 100.0% for all only."""
    if not total:
        return "-"
    share = count / total
    return f"{share if share in (0, 1) else min(max(share, 0.001), 0.999):.1%}"


def _to_text(duration: timedelta) -> str:
    """Return a duration to the second, such as ``0:03:34``."""
    return str(timedelta(seconds=round(duration.total_seconds())))
