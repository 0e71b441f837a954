"""The commands and their options."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import click

from iotjobs_client import IoTJobsClient, JobExecutionStatus, JobExecutionSummary, __version__
from iotjobs_client.cli._format import format_count
from iotjobs_client.cli._input import read_rows
from iotjobs_client.cli._listing import (
    Listing,
    in_period,
    latest_batches,
    resume_hints,
    write_rows,
)
from iotjobs_client.cli._options import (
    client_options,
    complete_statuses,
    file_option,
    jobs_argument,
    rows_option,
    to_seconds,
    to_statuses,
    to_time,
)
from iotjobs_client.cli._output import JobsPosition, OutputFile, StandardOutput
from iotjobs_client.cli._retries import Retries
from iotjobs_client.cli._rows import FIELDS, FORMATS, RowFormatter
from iotjobs_client.cli._shell import to_command
from iotjobs_client.cli._target import is_stdout
from iotjobs_client.cli._terminal import (
    StatusLine,
    has_colours,
    print_line,
    report_errors,
)
from iotjobs_client.rollout import summarize

_EXIT_FAILED, _EXIT_UNSUCCESSFUL, _EXIT_TIMED_OUT = 1, 3, 4
_MAX_PAGE_SIZE = 250
_MIN_INTERVAL = 0.1
_MAX_THINGS = 10
_STDIO = Path("-")
_FORMATS_BY_SUFFIX = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", "": "ndjson"}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  iotjobs list firmware-42 --status failed,timed_out -o failed.csv
  iotjobs summary firmware-42
  iotjobs wait firmware-42 --timeout 1h && echo done

The documentation is in the folder docs of the source; start with docs/automation.md.
""",
)
@click.version_option(__version__, "-V", "--version", message="iotjobs %(version)s")
def iotjobs() -> None:
    """List, summarize and wait for the executions of AWS IoT jobs."""


@iotjobs.command("list")
@jobs_argument()
@click.option(
    "-s",
    "--status",
    multiple=True,
    callback=to_statuses,
    shell_complete=complete_statuses,
    metavar="STATUS",
    help=f"One or more of {', '.join(JobExecutionStatus)}, in any case, separated by commas; may "
    "be repeated.",
)
@click.option(
    "--latest", is_flag=True, help="Only the last execution of each thing; --status selects these."
)
@click.option(
    "--since",
    callback=to_time,
    metavar="TIME",
    help="Only executions updated at this time or later: ISO 8601, or 2h or 1d ago.",
)
@click.option("--until", callback=to_time, metavar="TIME", help="Only executions updated before.")
@click.option(
    "-f",
    "--format",
    "output_format",
    type=click.Choice(FORMATS, case_sensitive=False),
    help="Default: csv for a FILE that ends in .csv, table on a terminal, else ndjson.",
)
@click.option(
    "-q",
    "--names",
    "output_format",
    flag_value="names",
    type=click.Choice(FORMATS, case_sensitive=False),  # It converts the value of --format too.
    help="Only the names of the things, one a line; short for --format names.",
)
@file_option("-o", "--output", text="Write to FILE atomically; - is standard output.")
@click.option(
    "--max-items",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after N executions, counted before --since and --until.",
)
@click.option(
    "--page-size",
    type=click.IntRange(1, _MAX_PAGE_SIZE),
    default=_MAX_PAGE_SIZE,
    show_default=True,
    metavar="N",
    help="Executions per request.",
)
@click.option("--resume-token", metavar="TOKEN", help="Resume a run that printed this token.")
@click.option("--prefetch", is_flag=True, help="Request the next page in the background.")
@client_options
@click.pass_context
def list_executions(
    ctx: click.Context,
    /,
    *,
    job_ids: tuple[str, ...],
    status: tuple[JobExecutionStatus, ...],
    latest: bool,
    since: datetime | None,
    until: datetime | None,
    output_format: str | None,
    output: Path | None,
    max_items: int | None,
    page_size: int,
    resume_token: str | None,
    prefetch: bool,
    debug: bool,
    **options: Any,
) -> None:
    """List the executions of one or several jobs, one row each.

    Example: iotjobs list firmware-42 --status failed --names | xargs -n 1 echo
    """
    if latest and (resume_token is not None or max_items is not None):
        raise click.UsageError("--latest cannot be used with --resume-token or --max-items")
    file = None if output in (None, _STDIO) or is_stdout(output) else Path.cwd() / output
    output_format = output_format or _default_format(file)
    destination: StandardOutput | OutputFile | None = None

    def resume_command() -> str:
        remaining = max_items
        if max_items is not None and destination is not None:
            # If max_items were written, the next command lists as many again.
            remaining = max_items - destination.count or max_items
        position = destination and destination.position
        return to_command(
            ctx,
            output_format=output_format,
            output=file,
            max_items=remaining,
            resume_token=position and position.resume_token,
            job_ids=position.job_ids if position else job_ids,
        )

    def hints(error: BaseException) -> Iterable[str]:
        if destination is None or latest:
            return ()
        return resume_hints(error, destination, resume_command())

    with (
        report_errors(debug=debug, hints=hints) as signals,
        IoTJobsClient(**options) as client,
        StatusLine() as status_line,
    ):
        listing = Listing(
            Retries(client, status_line),
            JobsPosition(job_ids, resume_token and resume_token.partition(".")[0]),
            status_line,
            status=None if latest else status or None,
            page_size=page_size,
            max_items=max_items,
            prefetch=prefetch or latest,
        )
        start = JobsPosition(job_ids, resume_token)
        shape = f"{output_format} {FIELDS} {since} {until}"
        destination = StandardOutput(start) if file is None else OutputFile(file, shape, start)
        to_rows = RowFormatter(
            output_format,
            with_headings=destination.is_empty,
            job_ids=job_ids,
            in_colour=destination.is_terminal and has_colours(),
            width=shutil.get_terminal_size().columns if destination.is_terminal else None,
        )
        batches = listing.batches(skip_unknown=True)
        if latest:
            batches = latest_batches(batches, status)
        batches = in_period(batches, since, until)
        row_count = write_rows(batches, destination, to_rows, signals, status_line)
    if destination.position is not None:
        print_line(f"There may be more: {resume_command()}")
    elif row_count == 0 and destination.is_empty:
        such = "such " if status or since or until else ""
        print_line(f"iotjobs: {_to_subject(job_ids, 'has', 'have')} no {such}executions")
    if listing.has_unknown_job:
        ctx.exit(_EXIT_FAILED)


@iotjobs.command()
@jobs_argument(is_required=False)
@click.option(
    "-f",
    "--format",
    "output_format",
    type=click.Choice(["table", "json"], case_sensitive=False),
    default="table",
    show_default=True,
)
@click.option(
    "--failures",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Show the N things that failed last.",
)
@rows_option
@click.option("--title", metavar="TEXT", help="The title of the summary and of the plot.")
@file_option("--plot", text="Also plot the rollout to FILE, which ends in .svg or .png.")
@client_options
def summary(
    *,
    job_ids: tuple[str, ...],
    output_format: str,
    failures: int,
    rows: Sequence[TextIO],
    title: str | None,
    plot: Path | None,
    debug: bool,
    **options: Any,
) -> None:
    """Summarize jobs, or rows from files: counts, durations, and the latest failures.

    Example: iotjobs list firmware-42 -o rows.ndjson && iotjobs summary --input rows.ndjson
    """
    from iotjobs_client.cli._plot import prepare_plot
    from iotjobs_client.cli._summary import to_json, to_table

    if not job_ids and not rows:
        raise click.UsageError("Missing argument 'JOB...', or the option '--input'.")
    if job_ids and rows:
        raise click.UsageError("JOB cannot be used with --input")
    with report_errors(debug=debug):
        draw = None if plot is None else prepare_plot(plot)
        by_job: dict[str | None, list[JobExecutionSummary]] = {job_id: [] for job_id in job_ids}
        if rows:
            for execution in read_rows(rows):
                by_job.setdefault(execution.job_id, []).append(execution)
        else:
            with IoTJobsClient(**options) as client, StatusLine() as status_line:
                retries = Retries(client, status_line)
                listing = Listing(retries, JobsPosition(job_ids), status_line, prefetch=True)
                for execution in listing.executions():
                    by_job[execution.job_id].append(execution)
        jobs = {job_id: summarize(found, failures=failures) for job_id, found in by_job.items()}
        result = next(iter(jobs.values()), None)
        if result is None or len(jobs) > 1:
            result = summarize(chain(*by_job.values()), failures=failures)
        names = [job_id for job_id in by_job if job_id] or [_to_name(stream) for stream in rows]
        name = names[0] if len(names) == 1 else format_count(len(names), "job")
        is_json = output_format == "json"
        text = to_json(jobs, result) if is_json else to_table(title or name, jobs, result)
        try:
            if draw is not None:
                draw(title or f"Rollout of {name}", result)
                print_line(f"wrote {plot}")
        finally:  # Print the summary even if the plot fails.
            StandardOutput().write(text)
        if not result.execution_count:
            print_line(f"iotjobs: no executions in {name}")


@iotjobs.command()
@jobs_argument()
@click.option(
    "--interval",
    callback=to_seconds,
    default="10",
    show_default=True,
    metavar="SECONDS",
    help="Seconds between checks, or a duration such as 30s or 5m.",
)
@click.option(
    "--timeout",
    callback=to_seconds,
    metavar="SECONDS",
    help="Stop waiting after this many seconds, or a duration such as 90s, 30m, 2h or 1d.",
)
@click.option(
    "--fail-fast",
    is_flag=True,
    help="Stop at the first execution that is FAILED, TIMED_OUT or REJECTED, even if a retry "
    "follows.",
)
@client_options
@click.pass_context
def wait(
    ctx: click.Context,
    /,
    *,
    job_ids: tuple[str, ...],
    interval: float,
    timeout: float | None,
    fail_fast: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Wait until no execution of the jobs is queued or in progress.

    Exits with 0 if all things succeeded, 3 if some did not, and 4 after the timeout.

    Example: iotjobs wait firmware-42 --timeout 1h
    """
    from iotjobs_client.cli._wait import wait_until_done

    if interval < _MIN_INTERVAL:
        raise click.UsageError(f"--interval must be at least {_MIN_INTERVAL} s, not {interval} s")
    with (
        report_errors(debug=debug),
        IoTJobsClient(**options) as client,
        StatusLine() as status_line,
    ):
        retries = Retries(client, status_line, interval=interval, timeout=timeout)
        check = wait_until_done(retries, job_ids, status_line, fail_fast=fail_fast)
    if check.is_timed_out:
        text, stream = f"iotjobs: not done after {timeout:.10g} s: {check.text}", sys.stderr
    else:
        text, stream = f"{_to_subject(job_ids, 'is', 'are')} {check.outcome}", sys.stdout
    print_line(text, stream)
    for execution in check.executions[:_MAX_THINGS]:
        job = f"  {execution.job_id}" if len(job_ids) > 1 else ""
        print_line(f"  {execution.thing_name}  {execution.status}{job}", stream)
    if check.is_timed_out:
        ctx.exit(_EXIT_TIMED_OUT)
    if check.executions:
        ctx.exit(_EXIT_UNSUCCESSFUL)


def _to_subject(job_ids: Sequence[str], singular: str, plural: str) -> str:
    if len(job_ids) == 1:
        return f"job {job_ids[0]!r} {singular}"
    return f"{format_count(len(job_ids), 'job')} {plural}"


def _to_name(stream: TextIO) -> str:
    return "standard input" if stream.name == "<stdin>" else stream.name


def _default_format(file: Path | None) -> str:
    if file is None:
        return "table" if sys.stdout.isatty() else "ndjson"
    output_format = _FORMATS_BY_SUFFIX.get(file.suffix.lower())
    if output_format is None:
        rule = "must end in .csv, .ndjson or .jsonl, or be used with --format"
        raise click.UsageError(f"--output {rule}, not {str(file)!r}")
    return output_format
