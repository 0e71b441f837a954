"""The commands and their options."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from iotjobs_client import IoTJobsClient, JobExecutionStatus, ResourceNotFoundError, __version__
from iotjobs_client.cli._listing import (
    JobNotFound,
    Retries,
    TimedOut,
    all_executions,
    latest_batch,
    page_batches,
    resume_hints,
    write_rows,
)
from iotjobs_client.cli._options import (
    client_options,
    complete_statuses,
    file_option,
    job_id_argument,
    rows_option,
    to_seconds,
    to_statuses,
    to_time,
)
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._rows import FIELDS, FORMATS, RowFormatter, read_rows
from iotjobs_client.cli._shell import to_command
from iotjobs_client.cli._target import is_stdout
from iotjobs_client.cli._terminal import (
    StatusLine,
    has_colours,
    print_error,
    print_result,
    report_errors,
)
from iotjobs_client.rollout import summarize

_EXIT_UNSUCCESSFUL, _EXIT_TIMED_OUT = 3, 4
_MAX_PAGE_SIZE = 250
_MIN_INTERVAL = 0.1
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
@job_id_argument
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
    job_id: str,
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
    """List the executions of a job, one row each.

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
        return to_command(
            ctx,
            output_format=output_format,
            output=file,
            max_items=remaining,
            resume_token=destination and destination.resume_token,
        )

    def hints(error: BaseException) -> Iterable[str]:
        if destination is None or latest:
            return ()
        return resume_hints(error, destination, resume_command())

    with (
        report_errors(debug=debug, hints=hints) as signals,
        _client(options) as client,
        StatusLine(job_id) as status_line,
    ):
        listing = client.list_job_executions_for_job(
            job_id,
            status=None if latest else status or None,
            page_size=page_size,
            max_items=max_items,
            resume_token=resume_token and resume_token.partition(".")[0],
            prefetch=prefetch or latest,
        )
        if file is None:
            destination = StandardOutput(resume_token)
        else:
            shape = f"{output_format} {FIELDS} {since} {until}"
            destination = OutputFile(file, shape, resume_token)
        to_rows = RowFormatter(
            output_format,
            with_headings=destination.is_empty,
            in_colour=destination.is_terminal and has_colours(),
            width=shutil.get_terminal_size().columns if destination.is_terminal else None,
        )
        if latest:
            batches = latest_batch(listing, status_line, status, since, until)
        else:
            batches = page_batches(listing, status_line, since, until)
        row_count = write_rows(batches, destination, to_rows, signals, status_line)
    if destination.resume_token is not None:
        print_error(f"There may be more: {resume_command()}")
    elif row_count == 0 and destination.is_empty:
        such = "such " if status or since or until else ""
        print_error(f"iotjobs: job {job_id!r} has no {such}executions")


@iotjobs.command()
@click.argument("job_id", metavar="[JOB_ID]", required=False)
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
@file_option("--plot", text="Also plot the rollout to FILE, which ends in .svg or .png.")
@client_options
def summary(
    *,
    job_id: str | None,
    output_format: str,
    failures: int,
    rows: TextIO | None,
    plot: Path | None,
    debug: bool,
    **options: Any,
) -> None:
    """Summarize a job, or rows from a file: counts, durations, and the latest failures.

    Example: iotjobs list firmware-42 -o rows.ndjson && iotjobs summary --input rows.ndjson
    """
    from iotjobs_client.cli._plot import prepare_plot
    from iotjobs_client.cli._summary import to_json, to_table

    if job_id is None and rows is None:
        raise click.UsageError("Missing argument 'JOB_ID', or the option '--input'.")
    title = job_id or (rows.name if rows else "")
    with report_errors(debug=debug):
        draw = None if plot is None else prepare_plot(plot)
        if rows is not None:
            result = summarize(read_rows(rows), failures=failures)
        else:
            with _client(options) as client, StatusLine(title) as status_line:
                listing = client.list_job_executions_for_job(title, prefetch=True)
                result = summarize(all_executions(listing, status_line), failures=failures)
        is_json = output_format == "json"
        text = to_json(job_id, result) if is_json else to_table(title, result)
        try:
            if draw is not None:
                draw(title, result)
                print_error(f"wrote {plot}")
        finally:  # A plot that fails must not cost the summary.
            StandardOutput().write(text)
        if not result.execution_count:
            print_error(f"iotjobs: {title!r} has no executions")


@iotjobs.command()
@job_id_argument
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
@client_options
@click.pass_context
def wait(
    ctx: click.Context,
    /,
    *,
    job_id: str,
    interval: float,
    timeout: float | None,
    debug: bool,
    **options: Any,
) -> None:
    """Wait until no execution of a job is queued or in progress.

    Exits with 0 if all things succeeded, 3 if some did not, and 4 after the timeout.

    Example: iotjobs wait firmware-42 --timeout 1h
    """
    from iotjobs_client.cli._wait import wait_until_done

    if interval < _MIN_INTERVAL:
        raise click.UsageError(f"--interval must be at least {_MIN_INTERVAL} s, not {interval} s")
    with report_errors(debug=debug), _client(options) as client, StatusLine(job_id) as status_line:
        retries = Retries(status_line, interval=interval, timeout=timeout)
        try:
            outcome = wait_until_done(client, job_id, retries, status_line)
        except TimedOut:
            status_line.print_error(f"iotjobs: job {job_id!r} is not done after {timeout:g} s")
            ctx.exit(_EXIT_TIMED_OUT)
    if not outcome:
        print_result(f"{job_id} is done: all things succeeded")
        return
    counts = ", ".join(f"{count:,} {status}" for status, count in outcome.most_common())
    print_result(f"{job_id} is done: not all things succeeded ({counts})")
    ctx.exit(_EXIT_UNSUCCESSFUL)


@contextmanager
def _client(options: Mapping[str, Any]) -> Generator[IoTJobsClient]:
    with IoTJobsClient(**options) as client:
        try:
            yield client
        except ResourceNotFoundError as error:
            region = client.boto3_client.meta.region_name
            text = f"no job {error.job_id!r} in {region}; is it in another region?"
            raise JobNotFound(text) from error


def _default_format(file: Path | None) -> str:
    if file is None:
        return "table" if sys.stdout.isatty() else "ndjson"
    output_format = _FORMATS_BY_SUFFIX.get(file.suffix.lower())
    if output_format is None:
        rule = "must end in .csv, .ndjson or .jsonl, or be used with --format"
        raise click.UsageError(f"--output {rule}, not {str(file)!r}")
    return output_format
