"""The commands and their options."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from iotjobs_client import IoTJobsClient, JobExecutionStatus, __version__
from iotjobs_client.cli._formats import Format, rows_as
from iotjobs_client.cli._listing import RowsOut, watched
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._plot import to_drawing
from iotjobs_client.cli._summary import SummaryFormat, to_json, to_table
from iotjobs_client.cli._terminal import StatusLine, faults_told, say, say_result
from iotjobs_client.cli._terminal import in_colour as has_colours
from iotjobs_client.cli._wait import Waiter
from iotjobs_client.rollout import summarize

UNSUCCESSFUL, TIMED_OUT = 3, 4
_PAGE_SIZE = 250

app = typer.Typer(
    help="List, summarize and wait for the executions of AWS IoT jobs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JobId = Annotated[str, typer.Argument(help="The job.", show_default=False)]
Region = Annotated[str | None, typer.Option(help="The AWS region.")]
Profile = Annotated[str | None, typer.Option(help="The profile in the AWS configuration.")]
EndpointUrl = Annotated[str | None, typer.Option(help="Send requests to this URL.")]
Rate = Annotated[float | None, typer.Option(help="Send at most this many requests per second.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print tracebacks.")]


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer gives it so)
    if wanted:
        typer.echo(f"iotjobs {__version__}")
        raise typer.Exit


@app.callback()
def iotjobs(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """List, summarize and wait for the executions of AWS IoT jobs."""


@app.command("list")
def list_executions(
    ctx: typer.Context,
    job_id: JobId,
    *,
    status: Annotated[
        list[JobExecutionStatus] | None,
        typer.Option(
            case_sensitive=False,
            metavar="STATUS",
            help=f"Only these: {', '.join(JobExecutionStatus)}, in any case; may be repeated.",
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", case_sensitive=False, help="A table on a terminal, else ndjson."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file, whole or not at all.")
    ] = None,
    max_items: Annotated[int | None, typer.Option(help="Stop after this many executions.")] = None,
    page_size: Annotated[int, typer.Option(help="How many to request at a time.")] = _PAGE_SIZE,
    resume_token: Annotated[
        str | None, typer.Option(help="Resume another run; with --output, append.")
    ] = None,
    prefetch: Annotated[
        bool, typer.Option("--prefetch", help="Request the next page in the background.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    requests_per_second: Rate = None,
    debug: Debug = False,
) -> None:
    """List the executions of a job, one row each."""
    if output_format is None:
        is_for_people = output is None and sys.stdout.isatty()
        output_format = Format.table if is_for_people else Format.ndjson
    rows: RowsOut | None = None

    def resume_command() -> str | None:
        if rows is None or (rows.is_complete and rows.resume_token is None):
            return None
        left = None if max_items is None else max_items - rows.count or max_items
        options = [
            *(("status", each) for each in dict.fromkeys(status or ())),
            ("format", output_format),
            ("output", output and Path.cwd() / output),
            ("max-items", left),
            ("page-size", None if page_size == _PAGE_SIZE else page_size),
            ("resume-token", rows.resume_token),
            ("prefetch", prefetch),
            ("region", region),
            ("profile", profile),
            ("endpoint-url", endpoint_url),
            ("requests-per-second", requests_per_second),
            ("debug", debug),
        ]
        return _command(ctx.command_path, options, job_id)

    with (
        faults_told(debug=debug, resume_command=resume_command) as signals,
        _client(region, profile, endpoint_url, requests_per_second) as client,
    ):
        listing = client.list_job_executions_for_job(
            job_id,
            status=status or None,
            page_size=page_size,
            max_items=max_items,
            resume_token=resume_token,
            prefetch=prefetch,
        )
        to = StandardOutput(resume_token) if output is None else OutputFile(output, resume_token)
        in_colour = output is None and has_colours()
        to_rows = rows_as(output_format, in_colour=in_colour, with_headings=to.is_empty)
        rows = RowsOut(listing, to, *to_rows, signals)
        rows.write()
        if rows.resume_token is not None:
            say(f"There may be more: {resume_command()}")


@app.command()
def summary(
    job_id: JobId,
    *,
    output_format: Annotated[
        SummaryFormat, typer.Option("--format", case_sensitive=False, help="How to write it.")
    ] = SummaryFormat.table,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the rollout as well, as .svg or .png.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    requests_per_second: Rate = None,
    debug: Debug = False,
) -> None:
    """Summarize a job: counts, durations, what failed last."""
    with (
        faults_told(debug=debug),
        _client(region, profile, endpoint_url, requests_per_second) as client,
    ):
        draw = None if plot is None else to_drawing(plot)
        listing = client.list_job_executions_for_job(job_id, prefetch=True)
        found = summarize(watched(listing, StatusLine()))
        if draw is not None:
            draw(job_id, found)
        to_text = to_json if output_format is SummaryFormat.json else to_table
        StandardOutput(None).write(to_text(job_id, found))


@app.command()
def wait(
    job_id: JobId,
    *,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between checks.")] = 10.0,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Give up after this many seconds.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    requests_per_second: Rate = None,
    debug: Debug = False,
) -> None:
    """Wait until no execution of a job is queued or in progress.

    Exits with 0 if all things succeeded, 3 if some did not, and 4 when the time is up.
    """
    with (
        faults_told(debug=debug),
        _client(region, profile, endpoint_url, requests_per_second) as client,
    ):
        outcome = Waiter(client, job_id, interval=interval, timeout=timeout).wait()
        if outcome is None:
            say(f"iotjobs: job {job_id!r} is not done after {timeout:g} s")
            raise typer.Exit(TIMED_OUT)
        if not outcome:
            say_result(f"{job_id} is done: all things succeeded")
            return
        counts = ", ".join(f"{count:,} {status}" for status, count in outcome.most_common())
        say_result(f"{job_id} is done: not all things succeeded ({counts})")
        raise typer.Exit(UNSUCCESSFUL)


def _client(
    region: str | None, profile: str | None, endpoint_url: str | None, rate: float | None
) -> IoTJobsClient:
    return IoTJobsClient(
        region_name=region,
        profile_name=profile,
        endpoint_url=endpoint_url,
        requests_per_second=rate,
    )


def _command(path: str, options: Iterable[tuple[str, object]], job_id: str) -> str:
    """The command as a shell takes it, whatever the values begin with."""
    words = path.split()
    for name, value in options:
        if value is True:
            words.append(f"--{name}")
        elif value not in (None, False):
            words.append(f"--{name}={getattr(value, 'value', value)}")
    words += ["--", job_id] if job_id.startswith("-") else [job_id]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    encoding = sys.stderr.encoding or "utf-8"
    if word.isprintable() and word.encode(encoding, "replace").decode(encoding) == word:
        return shlex.quote(word)
    # Byte by byte, as bash, zsh, ksh and, since 2024, POSIX have it.
    return "$'" + "".join(f"\\x{byte:02x}" for byte in os.fsencode(word)) + "'"
