"""``iotjobs wait``: poll a job until it is done, with as few requests as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionPage,
    JobExecutionStatus,
    JobExecutionSummary,
)
from iotjobs_client.cli._listing import Patience
from iotjobs_client.cli._terminal import StatusLine
from iotjobs_client.rollout import latest_per_thing

_QUEUED, _IN_PROGRESS = JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS
_SUCCEEDED = JobExecutionStatus.SUCCEEDED
_Status = JobExecutionStatus | list[JobExecutionStatus] | None
_UNSUCCESSFUL = [s for s in JobExecutionStatus if s.is_terminal and s is not _SUCCEEDED]


def wait_until_done(
    client: IoTJobsClient, job_id: str, patience: Patience, status_line: StatusLine
) -> Counter[str]:
    """Wait until no execution of the job is QUEUED or IN_PROGRESS.

    Args:
        client: The client that sends the requests.
        job_id: The job to wait for.
        patience: It repeats failed requests, and waits between two checks.
        status_line: The line that shows the reason to wait.

    Returns:
        The number of things that did not succeed, by status.

    Raises:
        IoTJobsError: A request failed with an error that is not retryable, or ten times.
        TimedOut: The timeout of ``patience`` has passed.
    """
    while isinstance(state := _check(client, job_id, patience), str):
        status_line.show(f"{job_id}: {state}")
        patience.pause()
    return state


def _check(client: IoTJobsClient, job_id: str, patience: Patience) -> str | Counter[str]:
    """Return the reason to wait, or the number of things that did not succeed, by status."""

    def pages(status: _Status, *, prefetch: bool = False) -> Iterator[JobExecutionPage]:
        return patience.pages(
            client.list_job_executions_for_job(job_id, status=status, prefetch=prefetch)
        )

    for status in (_QUEUED, _IN_PROGRESS):
        if number := _count(pages(status)):
            return f"{number} {status}"
    has_succeeded = _count(pages(_SUCCEEDED)) is not None
    if not has_succeeded and _count(pages(None)) is None:
        return "no executions yet"
    # An execution may have failed and been queued for a retry since the first request.
    if number := _count(pages(_QUEUED)):
        return f"{number} {_QUEUED}"
    unsuccessful = latest_per_thing(_executions(pages(_UNSUCCESSFUL)))
    if not has_succeeded and not unsuccessful:
        return "all are in a status that is not known"
    # A thing may have succeeded in a later execution, which is only in the listing of succeeded
    # executions. That listing may be long, so request it only if needed.
    succeeded = _executions(pages(_SUCCEEDED, prefetch=True)) if unsuccessful else ()
    for execution in succeeded:
        failed = unsuccessful.get(execution.thing_arn)
        if failed and execution in latest_per_thing([execution, failed]).values():
            del unsuccessful[execution.thing_arn]
    return Counter(str(execution.status) for execution in unsuccessful.values())


def _count(pages: Iterable[JobExecutionPage]) -> str | None:
    """Return the number of executions on the first page that has any; ``None`` if none has."""
    for page in pages:
        if page.executions:
            more = "" if page.next_token is None else " or more"
            return f"{len(page.executions)}{more}"
    return None


def _executions(pages: Iterable[JobExecutionPage]) -> Iterator[JobExecutionSummary]:
    for page in pages:
        yield from page.executions
