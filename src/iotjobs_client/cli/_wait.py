"""``iotjobs wait``: poll a job until it is done, with as few requests as possible."""

from __future__ import annotations

from collections import Counter
from time import monotonic, sleep

from iotjobs_client import IoTJobsClient, IoTJobsError, JobExecutionStatus
from iotjobs_client.cli._terminal import StatusLine, print_error
from iotjobs_client.rollout import latest_per_thing

_QUEUED, _IN_PROGRESS = JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS
_SUCCEEDED = JobExecutionStatus.SUCCEEDED
_UNSUCCESSFUL = [s for s in JobExecutionStatus if s.is_terminal and s is not _SUCCEEDED]
_MAX_CONSECUTIVE_ERRORS = 10


class Waiter:
    """Polls a job until none of its executions is QUEUED or IN_PROGRESS.

    Args:
        client: The client that sends the requests.
        job_id: The job to wait for.
        interval: The seconds between two polls.
        timeout: The seconds after which to stop waiting; ``None`` for no limit.
    """

    def __init__(
        self, client: IoTJobsClient, job_id: str, *, interval: float, timeout: float | None
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._interval = interval
        self._deadline = None if timeout is None else monotonic() + timeout
        self._line = StatusLine()
        self._consecutive_errors = 0

    def wait(self) -> Counter[str] | None:
        """Wait until the job is done.

        Returns:
            The number of things that did not succeed, by status; ``None`` after a timeout.

        Raises:
            IoTJobsError: A request failed with an error that is not retryable, or too many
                requests failed in a row.
        """
        try:
            while isinstance(state := self._poll(), str):
                pause = self._interval
                if self._deadline is not None:
                    pause = min(pause, self._deadline - monotonic())
                if pause <= 0:
                    return None
                self._sleep(pause, state)
        finally:
            self._line.clear()
        return state

    def _sleep(self, seconds: float, state: str) -> None:
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self._line.draw(
                f"{self._job_id}: {state}; {self._line.seconds:,.0f} s so far", now=True
            )
            sleep(min(left, 1))

    def _poll(self) -> str | Counter[str]:
        """Check the job once, and report a retryable error instead of raising it.

        Returns:
            The reason to wait, as a text, or the outcome that ``wait`` returns.
        """
        try:
            state = self._check_executions()
        except IoTJobsError as error:
            self._consecutive_errors += 1
            if not error.is_retryable or self._consecutive_errors == _MAX_CONSECUTIVE_ERRORS:
                raise
            self._line.clear()
            print_error(f"iotjobs: {error}; will retry")
            return "no response"
        self._consecutive_errors = 0
        return state

    def _check_executions(self) -> str | Counter[str]:
        for status in (_QUEUED, _IN_PROGRESS):
            if self._has_executions(status):
                return f"some are {status}"
        has_succeeded = self._has_executions(_SUCCEEDED)
        if not has_succeeded and not self._has_executions(None):
            return "there are no executions yet"
        # An execution may have failed and been queued for a retry since the first request.
        if self._has_executions(_QUEUED):
            return f"some are {_QUEUED}"
        listing = self._client.list_job_executions_for_job
        unsuccessful = latest_per_thing(listing(self._job_id, status=_UNSUCCESSFUL))
        if not has_succeeded and not unsuccessful:
            return "all are in a status that is not known"
        # A thing may have succeeded in a later execution, which is only in the listing of
        # succeeded executions. That listing may be long, so request it only if needed.
        if unsuccessful:
            for execution in listing(self._job_id, status=_SUCCEEDED, prefetch=True):
                failed = unsuccessful.get(execution.thing_arn)
                if failed and execution in latest_per_thing([execution, failed]).values():
                    del unsuccessful[execution.thing_arn]
        return Counter(str(execution.status) for execution in unsuccessful.values())

    def _has_executions(self, status: JobExecutionStatus | None) -> bool:
        """Return whether the job has an execution with ``status``, by requesting one item."""
        one = self._client.list_job_executions_for_job(
            self._job_id, status=status, page_size=1, max_items=1
        )
        return next(iter(one), None) is not None
