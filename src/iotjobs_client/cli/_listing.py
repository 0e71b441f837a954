"""The pages of a listing: requested with retries, and written as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from time import monotonic, sleep

from iotjobs_client import (
    ConfigurationError,
    InvalidRequestError,
    IoTJobsError,
    JobExecutionPage,
    JobExecutionPaginator,
    JobExecutionStatus,
    JobExecutionSummary,
)
from iotjobs_client.cli._format import format_count
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._rows import RowFormatter
from iotjobs_client.cli._signals import Signals
from iotjobs_client.cli._terminal import StatusLine
from iotjobs_client.rollout import latest_per_thing

_MAX_CONSECUTIVE_ERRORS = 10
_RETRY_SECONDS = 5.0


Batch = tuple[Sequence[JobExecutionSummary], int, str | None]
"""Executions to write, the number of executions listed, and the token that resumes after them."""


class JobNotFound(IoTJobsError):  # noqa: N818  (the name of the condition)
    """There is no such job in the region."""


class TimedOut(Exception):  # noqa: N818  (it is an outcome, not a fault)
    """The time for the command is over."""


class Retries:
    """Repeats requests that failed with a retryable error; ten such errors in a row are raised.

    Args:
        status_line: The line that is hidden while an error is reported.
        interval: The seconds between an error and the next request.
        timeout: The seconds after which :meth:`pause` raises; ``None`` for no limit.
    """

    def __init__(
        self,
        status_line: StatusLine,
        *,
        interval: float = _RETRY_SECONDS,
        timeout: float | None = None,
    ) -> None:
        self._status_line = status_line
        self._interval = interval
        self._deadline = None if timeout is None else monotonic() + timeout

    def pages(self, listing: JobExecutionPaginator) -> Iterator[JobExecutionPage]:
        """Yield the pages of ``listing``.

        Raises:
            IoTJobsError: A request failed with an error that is not retryable, or ten times.
            TimedOut: The timeout passed before a request was repeated.
        """
        pages = listing.pages()
        errors = 0
        while True:
            try:
                page = next(pages, None)
            except IoTJobsError as error:
                errors += 1
                if not error.is_retryable or errors == _MAX_CONSECUTIVE_ERRORS:
                    raise
                self._status_line.print_error(f"iotjobs: {error}; will retry")
                self.pause()
                continue
            if page is None:
                return
            errors = 0
            yield page

    def pause(self) -> None:
        """Wait for the interval, at most until the timeout.

        Raises:
            TimedOut: The timeout has passed already.
        """
        seconds = self._interval
        if self._deadline is not None:
            seconds = min(seconds, self._deadline - monotonic())
        if seconds <= 0:
            raise TimedOut
        sleep(seconds)


def with_progress(
    pages: Iterable[JobExecutionPage], status_line: StatusLine
) -> Iterator[JobExecutionPage]:
    """Yield the pages, and show the number of executions and their rate on ``status_line``."""
    started = monotonic()
    count = 0
    for page in pages:
        yield page
        count += len(page.executions)
        seconds = monotonic() - started
        rate = f", {count / seconds:,.0f} a second" if seconds > 0 else ""
        status_line.show(f"{format_count(count, 'execution')}{rate}")


def all_executions(
    listing: JobExecutionPaginator, status_line: StatusLine
) -> Iterator[JobExecutionSummary]:
    """Yield the executions of ``listing``, with retries and progress."""
    for page in with_progress(Retries(status_line).pages(listing), status_line):
        yield from page.executions


def page_batches(
    listing: JobExecutionPaginator,
    status_line: StatusLine,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Batch]:
    """Yield a batch for each page, with the executions updated in the period, and an empty one."""
    pages = listing.pages()
    for page in with_progress(pages, status_line):
        yield _select(page.executions, since, until), len(page.executions), page.resume_token
    # A resumed listing has no page if the executions after its token do not exist any more.
    yield (), 0, pages.resume_token


def latest_batch(
    listing: JobExecutionPaginator,
    status_line: StatusLine,
    statuses: Collection[JobExecutionStatus],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Batch]:
    """Yield one batch: the last executions of things, if they have the status and the period.

    An execution is the last one of its thing among those of all statuses, so ``listing`` must
    have all of them.
    """
    last = latest_per_thing(all_executions(listing, status_line)).values()
    selected = [e for e in last if not statuses or e.status in statuses]
    yield _select(selected, since, until), len(last), None


def _select(
    executions: Sequence[JobExecutionSummary], since: datetime | None, until: datetime | None
) -> Sequence[JobExecutionSummary]:
    """Return the executions whose last update is not before ``since``, and before ``until``."""
    if since is None and until is None:
        return executions
    return [
        execution
        for execution in executions
        if (at := execution.last_updated_at) is not None
        and (since is None or at >= since)
        and (until is None or at < until)
    ]


def write_rows(
    batches: Iterable[Batch],
    output: StandardOutput | OutputFile,
    to_rows: RowFormatter,
    signals: Signals,
    status_line: StatusLine,
) -> int:
    """Write rows, and complete the output; after an error, keep what a later run can append to.

    Args:
        batches: The executions to write, for each page.
        output: The destination of the rows.
        to_rows: The function that formats the rows.
        signals: The signals to defer while a page is written.
        status_line: The line that is hidden while rows are written to the same terminal.

    Returns:
        The number of rows written.

    Raises:
        IoTJobsError: A request failed.
        OSError: A write failed.
    """
    rows = 0
    try:
        for executions, count, resume_token in batches:
            hidden = status_line.hidden() if output.is_terminal else nullcontext()
            with signals.deferred(may_block=output.may_block), hidden:
                output.write(to_rows(executions), count, resume_token)
            rows += len(executions)
        with signals.deferred():
            output.finish()
    except BaseException:
        with signals.deferred():
            output.stop()
        raise
    return rows


def resume_hints(
    error: BaseException, output: StandardOutput | OutputFile, command: str
) -> Iterator[str]:
    """Yield what to print after ``error``: where the rows are, and how to resume.

    Args:
        error: The error that ended the listing.
        output: The destination of the rows.
        command: The command that resumes.
    """
    has_progress = output.resume_token is not None
    if output.is_finished or (output.count and not has_progress):
        return  # All rows were written.
    if isinstance(error, (JobNotFound, InvalidRequestError)):
        if has_progress:
            yield "The listing must start over: the service does not accept its position any more."
        if output.kept is not None:
            yield f"The rows so far are in {output.kept}, which can be deleted."
    elif has_progress or not isinstance(error, ConfigurationError):
        if output.kept is not None:
            yield f"The rows so far are in {output.kept}"
        yield f"To resume: {command}"
