"""A job of a ``LocalEndpoint``: its executions in listing order, whose statuses can change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Any

import attrs

from iotjobs_client._arguments import wrong_argument
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing._factories import to_item
from iotjobs_client.testing._play import changes_at

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
        self.executions = list(executions)
        for execution in self.executions:
            if not isinstance(execution, JobExecutionSummary):
                rule = "JobExecutionSummary objects, such as from make_execution"
                raise wrong_argument(f"the executions of job {job_id!r}", rule, execution)
        # The JSON of each execution, encoded when it is first listed. To encode a large job takes
        # a while, and would delay the start of the endpoint.
        self._encoded: list[bytes | None] = [None] * len(self.executions)
        # The position of each thing's latest execution, computed at the first move.
        self._latest: dict[str, int] | None = None
        self._lock = Lock()

    def page(
        self, status: str | None, start: int, size: int, moment: datetime | None = None
    ) -> tuple[list[bytes], int | None]:
        """Return the encoded executions of a page, and the position at which the next page starts.

        Args:
            status: The status to filter by; ``None`` for all executions.
            start: The position at which the page starts.
            size: The page size.
            moment: The time at which the executions are listed; ``None`` for the end.
        """
        with self._lock:
            listed = self._list(status, start, moment)
            page = [self._encode(position, changes) for position, changes in islice(listed, size)]
            return page, next((position for position, _ in listed), None)

    def _list(
        self, status: str | None, start: int, moment: datetime | None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the positions of the executions, and their members that differ at ``moment``."""
        for position in range(start, len(self.executions)):
            execution = self.executions[position]
            changes = {} if moment is None else changes_at(execution, moment)
            if changes is None:
                continue
            if status is None or status == changes.get("status", execution.status):
                yield position, changes

    def _encode(self, position: int, changes: dict[str, Any]) -> bytes:
        execution = self.executions[position]
        if changes:
            return _to_json(attrs.evolve(execution, **changes))
        encoded = self._encoded[position]
        if encoded is None:
            encoded = self._encoded[position] = _to_json(execution)
        return encoded

    def move(self, thing_name: str, status: str) -> JobExecutionSummary:
        """Change the status of a thing's latest execution; see :meth:`LocalEndpoint.move`."""
        with self._lock:
            if self._latest is None:
                self._latest = {e.thing_name: at for at, e in enumerate(self.executions)}
            position = self._latest.get(thing_name) if isinstance(thing_name, str) else None
            if position is None:
                rule = f"a thing with an execution of job {self._job_id!r}"
                raise wrong_argument("thing_name", rule, thing_name)
            last = self.executions[position]
            allowed = _NEXT_STATUSES.get(last.status, frozenset())
            if not isinstance(status, str) or status not in allowed:
                choices = ", ".join(sorted(allowed)) or "none"
                rule = f"one of the statuses that can follow {last.status} ({choices})"
                raise wrong_argument("status", rule, status)
            moved = _moved(last, JobExecutionStatus(status))
            if moved.status == "QUEUED":
                self._latest[thing_name] = len(self.executions)
                self.executions.append(moved)
                self._encoded.append(None)
            else:
                self.executions[position] = moved
                self._encoded[position] = None
            return moved


def _to_json(execution: JobExecutionSummary) -> bytes:
    # The service sends times as seconds since the epoch.
    return json.dumps(to_item(execution), default=datetime.timestamp).encode()


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
