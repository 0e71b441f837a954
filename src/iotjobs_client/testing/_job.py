"""A job of a ``LocalEndpoint``: its executions in listing order, whose statuses can change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock

import attrs

from iotjobs_client._arguments import wrong_argument
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing._factories import to_item

# The statuses that can follow each status; QUEUED after a failure is a retry.
_NEXT_STATUSES: dict[str, frozenset[str]] = {
    "QUEUED": frozenset(JobExecutionStatus) - {"QUEUED", "TIMED_OUT"},
    "IN_PROGRESS": frozenset(JobExecutionStatus) - {"QUEUED", "IN_PROGRESS"},
    "FAILED": frozenset({"QUEUED"}),
    "TIMED_OUT": frozenset({"QUEUED"}),
}


class Job:
    """The executions of one job. Several threads may list and move them at once."""

    def __init__(self, job_id: str, executions: Iterable[JobExecutionSummary]) -> None:
        self._job_id = job_id
        if isinstance(executions, str) or not isinstance(executions, Iterable):
            rule = "a list of JobExecutionSummary objects"
            raise wrong_argument(f"job {job_id!r}", rule, executions)
        self._executions = list(executions)
        for execution in self._executions:
            if not isinstance(execution, JobExecutionSummary):
                rule = "JobExecutionSummary objects, such as from make_execution"
                raise wrong_argument(f"the executions of job {job_id!r}", rule, execution)
        # The JSON of each execution, encoded when it is first listed. To encode a large job takes
        # a while, and would delay the start of the endpoint.
        self._encoded: list[bytes | None] = [None] * len(self._executions)
        # The position of each thing's latest execution, computed at the first move.
        self._latest: dict[str, int] | None = None
        self._lock = Lock()

    def page(self, status: str | None, start: int, size: int) -> tuple[list[bytes], int | None]:
        """Return the encoded executions of a page, and the position at which the next page starts.

        Args:
            status: The status to filter by; ``None`` for all executions.
            start: The position at which the page starts.
            size: The page size.
        """
        with self._lock:
            executions = self._executions
            positions = iter(range(start, len(executions)))
            if status is not None:
                positions = (at for at in positions if executions[at].status == status)
            page = [self._encode(position) for position in islice(positions, size)]
            return page, next(positions, None)

    def _encode(self, position: int) -> bytes:
        encoded = self._encoded[position]
        if encoded is None:
            # The service sends times as seconds since the epoch.
            text = json.dumps(to_item(self._executions[position]), default=datetime.timestamp)
            encoded = self._encoded[position] = text.encode()
        return encoded

    def move(self, thing_name: str, status: str) -> JobExecutionSummary:
        """Change the status of a thing's latest execution; see :meth:`LocalEndpoint.move`."""
        with self._lock:
            if self._latest is None:
                self._latest = {e.thing_name: at for at, e in enumerate(self._executions)}
            position = self._latest.get(thing_name) if isinstance(thing_name, str) else None
            if position is None:
                rule = f"a thing with an execution of job {self._job_id!r}"
                raise wrong_argument("thing_name", rule, thing_name)
            last = self._executions[position]
            allowed = _NEXT_STATUSES.get(last.status, frozenset())
            if not isinstance(status, str) or status not in allowed:
                choices = ", ".join(sorted(allowed)) or "none"
                rule = f"one of the statuses that can follow {last.status} ({choices})"
                raise wrong_argument("status", rule, status)
            moved = _moved(last, JobExecutionStatus(status))
            if moved.status == "QUEUED":
                self._latest[thing_name] = len(self._executions)
                self._executions.append(moved)
                self._encoded.append(None)
            else:
                self._executions[position] = moved
                self._encoded[position] = None
            return moved


def _moved(last: JobExecutionSummary, status: JobExecutionStatus) -> JobExecutionSummary:
    now = last.last_updated_at or last.queued_at
    if now is not None:
        now += timedelta(seconds=1)
    if status == "QUEUED":
        return attrs.evolve(
            last,
            status=status,
            execution_number=(last.execution_number or 0) + 1,
            retry_attempt=(last.retry_attempt or 0) + 1,
            queued_at=now,
            started_at=None,
            last_updated_at=now,
        )
    started_at = now if status == "IN_PROGRESS" else last.started_at
    return attrs.evolve(last, status=status, started_at=started_at, last_updated_at=now)
