"""A job as the service keeps it: its executions in the order of listing, as they move."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from json import dumps
from threading import Lock

import attrs

from iotjobs_client.exceptions import wrong_argument
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary

# Where an execution can go from where it stands: along its life, and from a failure to a retry.
_NEXT: dict[str, frozenset[str]] = {
    "QUEUED": frozenset(JobExecutionStatus) - {"QUEUED", "TIMED_OUT"},
    "IN_PROGRESS": frozenset(JobExecutionStatus) - {"QUEUED", "IN_PROGRESS"},
    "FAILED": frozenset({"QUEUED"}),
    "TIMED_OUT": frozenset({"QUEUED"}),
}


class Job:
    """The executions of one job. Safe to list and to move from several threads."""

    def __init__(self, job_id: str, executions: Iterable[JobExecutionSummary]) -> None:
        self._job_id = job_id
        if isinstance(executions, str) or not isinstance(executions, Iterable):
            rule = "a list of JobExecutionSummary objects"
            raise wrong_argument(f"job {job_id!r}", rule, executions)
        self._executions = list(executions)
        for execution in self._executions:
            if not isinstance(execution, JobExecutionSummary):
                rule = "JobExecutionSummary objects, as make_execution gives"
                raise wrong_argument(f"the executions of job {job_id!r}", rule, execution)
        # As JSON where they were listed: a large job takes a while to encode, and starts at once.
        self._wire: list[bytes | None] = [None] * len(self._executions)
        self._latest: dict[str, int] | None = None  # by thing, of a job that moves
        self._lock = Lock()

    def page(self, status: str | None, start: int, size: int) -> tuple[list[bytes], int | None]:
        """What a page holds that starts at the position ``start``, and where the next one does."""
        with self._lock:
            executions = self._executions
            wanted = iter(range(start, len(executions)))
            if status is not None:
                wanted = (at for at in wanted if executions[at].status == status)
            page = [self._to_wire(position) for position in islice(wanted, size)]
            return page, next(wanted, None)

    def _to_wire(self, position: int) -> bytes:
        wire = self._wire[position]
        if wire is None:
            wire = self._wire[position] = _to_json(self._executions[position]).encode()
        return wire

    def move(self, thing_name: str, status: str) -> JobExecutionSummary:
        """Move the last execution of a thing, as :meth:`LocalEndpoint.move` says."""
        with self._lock:
            if self._latest is None:
                self._latest = {e.thing_name: at for at, e in enumerate(self._executions)}
            position = self._latest.get(thing_name) if isinstance(thing_name, str) else None
            if position is None:
                rule = f"a thing with job {self._job_id!r}"
                raise wrong_argument("thing_name", rule, thing_name)
            last = self._executions[position]
            following = _NEXT.get(last.status, frozenset())
            if not isinstance(status, str) or status not in following:
                choice = f"one of {', '.join(sorted(following))}" if following else "left alone"
                rule = f"{choice}, where an execution can go from {last.status}"
                raise wrong_argument("status", rule, status)
            moved = _moved(last, JobExecutionStatus(status))
            if moved.status == "QUEUED":
                self._latest[thing_name] = len(self._executions)
                self._executions.append(moved)
                self._wire.append(None)
            else:
                self._executions[position] = moved
                self._wire[position] = None
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


def _to_json(execution: JobExecutionSummary) -> str:
    """What the service sends, with seconds since the epoch, and without what is absent."""
    # By hand, member by member, which takes two thirds of the time that json takes for it.
    queued, started = execution.queued_at, execution.started_at
    updated = execution.last_updated_at
    number, attempt = execution.execution_number, execution.retry_attempt
    text = f'{{"thingArn":{dumps(execution.thing_arn)},"jobExecutionSummary":{{'
    text += f'"status":{dumps(execution.status.value)}'
    if queued is not None:
        text += f',"queuedAt":{queued.timestamp()}'
    if started is not None:
        text += f',"startedAt":{started.timestamp()}'
    if updated is not None:
        text += f',"lastUpdatedAt":{updated.timestamp()}'
    if number is not None:
        text += f',"executionNumber":{number}'
    if attempt is not None:
        text += f',"retryAttempt":{attempt}'
    return text + "}}"
