"""``iotjobs wait``: poll a job until it is done, with as few requests as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionPage,
    JobExecutionStatus,
    JobExecutionSummary,
)
from iotjobs_client.cli._listing import Retries
from iotjobs_client.cli._terminal import StatusLine
from iotjobs_client.rollout import latest_per_thing

_QUEUED, _IN_PROGRESS = JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS
_SUCCEEDED = JobExecutionStatus.SUCCEEDED
_Status = JobExecutionStatus | list[JobExecutionStatus] | None
_UNSUCCESSFUL = [s for s in JobExecutionStatus if s.is_terminal and s is not _SUCCEEDED]


@attrs.frozen
class _State:
    """The state of a job at a check.

    Attributes:
        reason_to_wait: Why the job is not done; ``None`` if it is.
        unsuccessful: The number of things that did not succeed, by status, if the job is done.
    """

    reason_to_wait: str | None = None
    unsuccessful: Counter[str] = attrs.field(factory=Counter[str])


def wait_until_done(
    client: IoTJobsClient, job_id: str, retries: Retries, status_line: StatusLine
) -> Counter[str]:
    """Wait until no execution of the job is QUEUED or IN_PROGRESS.

    Args:
        client: The client that sends the requests.
        job_id: The job to wait for.
        retries: It repeats failed requests, and waits between two checks.
        status_line: The line that shows the reason to wait.

    Returns:
        The number of things that did not succeed, by status.

    Raises:
        IoTJobsError: A request failed with an error that is not retryable, or ten times.
        TimedOut: The timeout of ``retries`` has passed.
    """
    while (state := _check(client, job_id, retries)).reason_to_wait is not None:
        status_line.show(f"{job_id}: {state.reason_to_wait}")
        retries.pause()
    return state.unsuccessful


def _check(client: IoTJobsClient, job_id: str, retries: Retries) -> _State:
    """Return whether to wait, or how many things did not succeed."""

    def pages(status: _Status, *, prefetch: bool = False) -> Iterator[JobExecutionPage]:
        return retries.pages(
            client.list_job_executions_for_job(job_id, status=status, prefetch=prefetch)
        )

    for status in (_QUEUED, _IN_PROGRESS):
        if number := _count(pages(status)):
            return _State(f"{number} {status}")
    has_succeeded = _count(pages(_SUCCEEDED)) is not None
    if not has_succeeded and _count(pages(None)) is None:
        return _State("no executions yet")
    # An execution may have failed and been queued for a retry since the first request.
    if number := _count(pages(_QUEUED)):
        return _State(f"{number} {_QUEUED}")
    unsuccessful = latest_per_thing(_executions(pages(_UNSUCCESSFUL)))
    if not has_succeeded and not unsuccessful:
        return _State("all are in a status that is not known")
    # A thing may have succeeded in a later execution, which is only in the listing of succeeded
    # executions. That listing may be long, so request it only if needed.
    succeeded = _executions(pages(_SUCCEEDED, prefetch=True)) if unsuccessful else ()
    for execution in succeeded:
        failed = unsuccessful.get(execution.thing_arn)
        if failed and execution in latest_per_thing([execution, failed]).values():
            del unsuccessful[execution.thing_arn]
    counts = Counter(str(execution.status) for execution in unsuccessful.values())
    return _State(unsuccessful=counts)


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
