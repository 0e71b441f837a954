"""The executions of one or several jobs, and how ``iotjobs list`` writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs

from iotjobs_client import (
    ConfigurationError,
    InvalidRequestError,
    JobExecutionStatus,
    JobExecutionSummary,
)
from iotjobs_client.cli._format import format_count
from iotjobs_client.cli._output import JobsPosition, OutputFile, StandardOutput
from iotjobs_client.cli._retries import JobNotFound, Retries
from iotjobs_client.cli._rows import RowFormatter
from iotjobs_client.cli._signals import Signals
from iotjobs_client.cli._terminal import StatusLine
from iotjobs_client.rollout import latest_per_thing


@attrs.frozen
class Batch:
    """Executions to write.

    Attributes:
        executions: The executions.
        count: The number of executions listed, which may be more.
        position: Where the listing continues after them; ``None`` at its end.
    """

    executions: Sequence[JobExecutionSummary]
    count: int
    position: JobsPosition | None


class Listing:
    """The executions of several jobs, one job after another.

    Args:
        retries: It requests the pages.
        position: Where to start.
        status_line: The line that shows the progress.
        max_items: The maximum number of executions over all jobs; ``None`` for all.
        **options: The other options of ``list_job_executions_for_job``.
    """

    def __init__(
        self,
        retries: Retries,
        position: JobsPosition,
        status_line: StatusLine,
        *,
        max_items: int | None = None,
        **options: Any,
    ) -> None:
        # This checks the job IDs before the first request.
        self._starts = {each: retries.start_token(each, **options) for each in position.job_ids}
        self._retries = retries
        self._position = position
        self._status_line = status_line
        self._left = max_items
        self._options = options
        self._count = 0
        self._start_time = retries.now()
        self._unknown: tuple[str, ...] = ()

    @property
    def has_unknown_job(self) -> bool:
        """True if :meth:`batches` skipped a job that does not exist."""
        return bool(self._unknown)

    def batches(self, *, skip_unknown: bool = False) -> Iterator[Batch]:
        """Yield a batch for each page, and an empty one for a job without pages.

        Args:
            skip_unknown: Whether to report a job that does not exist and list the next one.

        Raises:
            JobNotFound: There is no such job, or none of those that were skipped.
            IoTJobsError: A request failed with an error that is not retryable, or ten times.
        """
        job_ids, token = self._position
        is_any_known = token is not None  # A resumed run follows the rows of a job.
        for number in range(len(job_ids)):
            is_last = number + 1 == len(job_ids)
            try:
                yield from self._job_batches(job_ids[number:], token)
                is_any_known = True
            except JobNotFound as error:
                if not skip_unknown or error.was_listed or (is_last and not is_any_known):
                    raise
                self._status_line.print_error(f"iotjobs: {error}")
                self._unknown += (job_ids[number],)
                if is_last:
                    yield Batch((), 0, None)
            if self._left == 0:
                return
            token = None

    def _job_batches(self, job_ids: tuple[str, ...], token: str | None) -> Iterator[Batch]:
        """Yield the batches of the first job, whose end is the start of the next one."""
        others = job_ids[1:]
        # A later run reports unknown jobs again, because its exit code is the one that counts.
        unknown = self._unknown
        following = JobsPosition(others + unknown, self._starts[others[0]]) if others else None
        batch = None
        for page in self._retries.pages(
            job_ids[0], max_items=self._left, resume_token=token, **self._options
        ):
            here = JobsPosition(job_ids + unknown, page.resume_token)
            count = len(page.executions)
            batch = Batch(page.executions, count, here if page.resume_token else following)
            yield batch
            if self._left is not None:
                self._left -= count
            self._show(count)
        if batch is None:
            # A resumed job has no page if the executions after its token do not exist any more.
            yield Batch((), 0, following)

    def _show(self, count: int) -> None:
        self._count += count
        seconds = self._retries.now() - self._start_time
        rate = f", {self._count / seconds:,.0f} a second" if seconds > 0 else ""
        self._status_line.show(f"{format_count(self._count, 'execution')}{rate}")

    def executions(self) -> Iterator[JobExecutionSummary]:
        """Yield the executions; all jobs must exist."""
        for batch in self.batches():
            yield from batch.executions


def in_period(
    batches: Iterable[Batch], since: datetime | None, until: datetime | None
) -> Iterator[Batch]:
    """Keep only the executions that were updated in the period; without a period, keep all."""
    if since is None and until is None:
        yield from batches
        return
    for batch in batches:
        executions = [
            execution
            for execution in batch.executions
            if (at := execution.last_updated_at) is not None
            and (since is None or at >= since)
            and (until is None or at < until)
        ]
        yield attrs.evolve(batch, executions=executions)


def latest_batches(
    batches: Iterable[Batch], statuses: Collection[JobExecutionStatus]
) -> Iterator[Batch]:
    """Yield one batch of the last executions of the things, if they have one of the statuses.

    An execution is the last one of its thing among those of all statuses, so ``batches`` must have
    all of them.
    """
    last = latest_per_thing(e for batch in batches for e in batch.executions).values()
    yield Batch([e for e in last if not statuses or e.status in statuses], len(last), None)


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
        for batch in batches:
            if output.is_terminal:
                status_line.hide()
            with signals.deferred(may_block=output.may_block):
                output.write(to_rows(batch.executions), batch.count, batch.position)
            rows += len(batch.executions)
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
    if output.is_finished or output.position is None:
        return  # All rows were written.
    has_progress = output.position.resume_token is not None
    if isinstance(error, (JobNotFound, InvalidRequestError)):
        if has_progress:
            yield "The listing must start over: the service does not accept its position any more."
        if output.kept is not None:
            yield f"The rows so far are in {output.kept}, which can be deleted."
    elif has_progress or not isinstance(error, ConfigurationError):
        if output.kept is not None:
            yield f"The rows so far are in {output.kept}"
        yield f"To resume: {command}"
