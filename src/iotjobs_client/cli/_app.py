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
from iotjobs_client.cli._formats import Format, to_formatter
from iotjobs_client.cli._listing import RowWriter, with_progress
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._plot import prepare_plot
from iotjobs_client.cli._summary import SummaryFormat, to_json, to_table
from iotjobs_client.cli._terminal import (
    StatusLine,
    has_colours,
    print_error,
    print_result,
    report_errors,
)
from iotjobs_client.cli._wait import Waiter
from iotjobs_client.rollout import summarize

_EXIT_UNSUCCESSFUL, _EXIT_TIMED_OUT = 3, 4
_PAGE_SIZE = 250

app = typer.Typer(
    help="List, summarize and wait for the executions of AWS IoT jobs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JobId = Annotated[str, typer.Argument(help="The ID of the job.", show_default=False)]
Region = Annotated[str | None, typer.Option(help="The AWS region.")]
Profile = Annotated[str | None, typer.Option(help="The profile in the AWS configuration.")]
EndpointUrl = Annotated[str | None, typer.Option(help="Send requests to this URL.")]
Rate = Annotated[float | None, typer.Option(help="Send at most this many requests per second.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print tracebacks.")]


def _print_version(is_requested: bool) -> None:  # noqa: FBT001  (typer defines the signature)
    if is_requested:
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
            help=f"One of {', '.join(JobExecutionStatus)}, in any case; may be repeated.",
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format", case_sensitive=False, help="Default: table on a terminal, else ndjson."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file atomically.")] = None,
    max_items: Annotated[int | None, typer.Option(help="Stop after this many executions.")] = None,
    page_size: Annotated[int, typer.Option(help="Executions per request.")] = _PAGE_SIZE,
    resume_token: Annotated[
        str | None, typer.Option(help="Resume an earlier run; with --output, append.")
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
        is_interactive = output is None and sys.stdout.isatty()
        output_format = Format.table if is_interactive else Format.ndjson
    writer: RowWriter | None = None

    def resume_command() -> str | None:
        if writer is None or (writer.is_complete and writer.resume_token is None):
            return None
        # If max_items were written, the next command lists as many again.
        left = None if max_items is None else max_items - writer.count or max_items
        options = [
            *(("status", each) for each in dict.fromkeys(status or ())),
            ("format", output_format),
            ("output", output and Path.cwd() / output),
            ("max-items", left),
            ("page-size", None if page_size == _PAGE_SIZE else page_size),
            ("resume-token", writer.resume_token),
            ("prefetch", prefetch),
            ("region", region),
            ("profile", profile),
            ("endpoint-url", endpoint_url),
            ("requests-per-second", requests_per_second),
            ("debug", debug),
        ]
        return _command(ctx.command_path, options, job_id)

    with (
        report_errors(debug=debug, resume_command=resume_command) as signals,
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
        destination = (
            StandardOutput(resume_token) if output is None else OutputFile(output, resume_token)
        )
        in_colour = output is None and has_colours()
        header, format_rows = to_formatter(
            output_format, in_colour=in_colour, with_headings=destination.is_empty
        )
        writer = RowWriter(listing, destination, header, format_rows, signals)
        writer.write()
        if writer.resume_token is not None:
            print_error(f"There may be more: {resume_command()}")


@app.command()
def summary(
    job_id: JobId,
    *,
    output_format: Annotated[
        SummaryFormat, typer.Option("--format", case_sensitive=False, help="The output format.")
    ] = SummaryFormat.table,
    plot: Annotated[
        Path | None, typer.Option(help="Also plot the rollout to this .svg or .png file.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    requests_per_second: Rate = None,
    debug: Debug = False,
) -> None:
    """Summarize a job: counts, durations, and the latest failures."""
    with (
        report_errors(debug=debug),
        _client(region, profile, endpoint_url, requests_per_second) as client,
    ):
        draw = None if plot is None else prepare_plot(plot)
        listing = client.list_job_executions_for_job(job_id, prefetch=True)
        result = summarize(with_progress(listing, StatusLine()))
        if draw is not None:
            draw(job_id, result)
        to_text = to_json if output_format is SummaryFormat.json else to_table
        StandardOutput(None).write(to_text(job_id, result))


@app.command()
def wait(
    job_id: JobId,
    *,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between checks.")] = 10.0,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Stop waiting after this many seconds.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    requests_per_second: Rate = None,
    debug: Debug = False,
) -> None:
    """Wait until no execution of a job is queued or in progress.

    Exits with 0 if all things succeeded, 3 if some did not, and 4 after a timeout.
    """
    with (
        report_errors(debug=debug),
        _client(region, profile, endpoint_url, requests_per_second) as client,
    ):
        outcome = Waiter(client, job_id, interval=interval, timeout=timeout).wait()
        if outcome is None:
            print_error(f"iotjobs: job {job_id!r} is not done after {timeout:g} s")
            raise typer.Exit(_EXIT_TIMED_OUT)
        if not outcome:
            print_result(f"{job_id} is done: all things succeeded")
            return
        counts = ", ".join(f"{count:,} {status}" for status, count in outcome.most_common())
        print_result(f"{job_id} is done: not all things succeeded ({counts})")
        raise typer.Exit(_EXIT_UNSUCCESSFUL)


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
    """Return the command for a shell.

    Options are written as ``--name=value``, and ``--`` precedes the job ID if needed, because a
    value may begin with a dash.
    """
    words = path.split()
    for name, value in options:
        if value is True:
            words.append(f"--{name}")
        elif value not in (None, False):
            words.append(f"--{name}={getattr(value, 'value', value)}")
    words += ["--", job_id] if job_id.startswith("-") else [job_id]
    return " ".join(map(_shell_quote, words))


def _shell_quote(word: str) -> str:
    encoding = sys.stderr.encoding or "utf-8"
    if word.isprintable() and word.encode(encoding, "replace").decode(encoding) == word:
        return shlex.quote(word)
    # bash, zsh, ksh and, since 2024, POSIX support $'...' with one escape for each byte.
    return "$'" + "".join(f"\\x{byte:02x}" for byte in os.fsencode(word)) + "'"
