"""``iotjobs wait``: ask now and then, with as few requests as can tell."""

from __future__ import annotations

from collections import Counter
from time import monotonic, sleep

from iotjobs_client import IoTJobsClient, IoTJobsError, JobExecutionStatus
from iotjobs_client.cli._terminal import StatusLine, say
from iotjobs_client.rollout import latest_per_thing

_QUEUED, _IN_PROGRESS = JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS
_SUCCEEDED = JobExecutionStatus.SUCCEEDED
_UNSUCCESSFUL = [s for s in JobExecutionStatus if s.is_terminal and s is not _SUCCEEDED]
_FAULTS_IN_A_ROW = 10


class Waiter:
    """Looks at a job until nothing of it is QUEUED or IN_PROGRESS.

    Args:
        client: The client to ask with.
        job_id: The job.
        interval: Seconds from one look to the next.
        timeout: Seconds after which to give up; ``None`` for never.
    """

    def __init__(
        self, client: IoTJobsClient, job_id: str, *, interval: float, timeout: float | None
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._interval = interval
        self._deadline = None if timeout is None else monotonic() + timeout
        self._line = StatusLine()
        self._faults = 0

    def wait(self) -> Counter[str] | None:
        """How many things did not succeed in the end, by status; ``None`` when the time is up.

        Raises:
            IoTJobsError: A request failed that need not be sent again, or too many in a row.
        """
        try:
            while isinstance(state := self._look(), str):
                left = self._interval
                if self._deadline is not None:
                    left = min(left, self._deadline - monotonic())
                if left <= 0:
                    return None
                self._sleep(left, state)
        finally:
            self._line.clear()
        return state

    def _sleep(self, seconds: float, state: str) -> None:
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._line.draw(
                f"{self._job_id}: {state}; {self._line.seconds:,.0f} s so far", now=True
            )
            sleep(min(left, 1))

    def _look(self) -> str | Counter[str]:
        """What there is to wait for, or what came of it; faults that may pass are waited out."""
        try:
            found = self._find()
        except IoTJobsError as error:
            self._faults += 1
            if not error.is_retryable or self._faults == _FAULTS_IN_A_ROW:
                raise
            self._line.clear()
            say(f"iotjobs: {error}; will retry")
            return "no answer"
        self._faults = 0
        return found

    def _find(self) -> str | Counter[str]:
        for status in (_QUEUED, _IN_PROGRESS):
            if self._has(status):
                return f"some are {status}"
        has_succeeded = self._has(_SUCCEEDED)
        if not has_succeeded and not self._has(None):
            return "there are no executions yet"
        if self._has(_QUEUED):  # one that failed since the first look may be retried by now
            return f"some are {_QUEUED}"
        listing = self._client.list_job_executions_for_job
        unsuccessful = latest_per_thing(listing(self._job_id, status=_UNSUCCESSFUL))
        if not has_succeeded and not unsuccessful:
            return "all are in a status that is not known"
        # A later execution may have succeeded, which only a list of those that succeeded tells.
        if unsuccessful:
            for execution in listing(self._job_id, status=_SUCCEEDED, prefetch=True):
                failed = unsuccessful.get(execution.thing_arn)
                if failed and execution in latest_per_thing([execution, failed]).values():
                    del unsuccessful[execution.thing_arn]
        return Counter(str(execution.status) for execution in unsuccessful.values())

    def _has(self, status: JobExecutionStatus | None) -> bool:
        """Whether there is one, by a page of one."""
        one = self._client.list_job_executions_for_job(
            self._job_id, status=status, page_size=1, max_items=1
        )
        return next(iter(one), None) is not None
