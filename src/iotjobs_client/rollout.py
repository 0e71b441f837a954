"""What operators ask of a listing: how a rollout stands, and how it came there.

Pure functions over any iterable of executions, in one pass; they make no request.
:func:`latest_per_thing` keeps one execution for each thing, :func:`summarize` all of them: an
execution that comes again in a later state must not count twice.

Executions are distinguished by their thing and their ``execution_number``. A listing of several
statuses may contain one twice if it moved meanwhile, the later state last; only that one counts.
One without a number is identified by its ``queued_at``; those of a thing that have neither count
as one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from heapq import nlargest
from typing import TypeVar

import attrs

from iotjobs_client.exceptions import wrong_argument
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary

_V = TypeVar("_V")

__all__ = ["CurvePoint", "Durations", "RolloutSummary", "latest_per_thing", "summarize"]

_FAILED = frozenset(
    {JobExecutionStatus.FAILED, JobExecutionStatus.TIMED_OUT, JobExecutionStatus.REJECTED}
)
_WITHDRAWN = frozenset({JobExecutionStatus.REMOVED, JobExecutionStatus.CANCELED})
_LIFECYCLE = {status: rank for rank, status in enumerate(JobExecutionStatus)}
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)
_LAST_SECOND = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc).timestamp()
_CURVE_POINTS = 241  # finer than a picture shows


@attrs.frozen
class Durations:
    """How long something took, over all executions of which it is known.

    Percentiles are by nearest rank: the smallest measured duration that at least that percentage
    of all do not exceed. So each is the duration of some execution, not an interpolation. A
    negative duration, from clocks that disagree, counts as zero.

    Attributes:
        count: The number of executions of which it is known.
        median: What half of them took at most; ``None`` if ``count`` is 0.
        p90: What 90% of them took at most.
        maximum: What the longest took.
    """

    count: int
    median: timedelta | None
    p90: timedelta | None
    maximum: timedelta | None


@attrs.frozen
class CurvePoint:
    """How far a rollout had come at one moment.

    Attributes:
        at: The moment, in UTC.
        queued: How many executions had been queued by then.
        started: How many had been started by then.
        ended: How many had ended by then, by the status that they ended with.
    """

    at: datetime
    queued: int
    started: int
    ended: Mapping[JobExecutionStatus, int]


@attrs.frozen
class RolloutSummary:
    """How a rollout stands, as :func:`summarize` found it.

    A thing stands where its last execution does, and is counted once as succeeded, failed,
    withdrawn or waiting.

    Attributes:
        executions: How many executions have each status; only statuses that there are, in the
            order of an execution's life, and those that this library does not know at the end.
        things: How many things have a last execution with each status.
        waiting: The time from ``queued_at`` to ``started_at``.
        running: The time from ``started_at`` to ``last_updated_at``, of executions that ended.
        failed_last: The last executions of things that failed, the latest failure first.
        curve: The rollout over time, at up to 241 evenly spaced moments from the first execution
            queued to the last update; empty if no execution has a ``queued_at``.
    """

    executions: Mapping[JobExecutionStatus, int]
    things: Mapping[JobExecutionStatus, int]
    waiting: Durations
    running: Durations
    failed_last: tuple[JobExecutionSummary, ...]
    curve: tuple[CurvePoint, ...] = attrs.field(repr=False)

    @property
    def execution_count(self) -> int:
        """How many executions there are."""
        return sum(self.executions.values())

    @property
    def thing_count(self) -> int:
        """How many things there are."""
        return sum(self.things.values())

    @property
    def things_succeeded(self) -> int:
        """Things that are done, SUCCEEDED."""
        return self.things.get(JobExecutionStatus.SUCCEEDED, 0)

    @property
    def things_failed(self) -> int:
        """Things that ended otherwise by themselves, FAILED, TIMED_OUT or REJECTED."""
        return sum(self.things.get(status, 0) for status in _FAILED)

    @property
    def things_withdrawn(self) -> int:
        """Things that the job was taken from, REMOVED or CANCELED."""
        return sum(self.things.get(status, 0) for status in _WITHDRAWN)

    @property
    def things_waiting(self) -> int:
        """Things that have not ended, being QUEUED, IN_PROGRESS or in an unknown status."""
        return sum(count for status, count in self.things.items() if not status.is_terminal)


def latest_per_thing(
    executions: Iterable[JobExecutionSummary],
) -> dict[str, JobExecutionSummary]:
    """The last execution of each thing, by its ARN, in the order in which things come first.

    A job that retries gives a thing several executions, of which the last has the highest
    ``execution_number``; where one of two has none, it is the one queued later, and failing that
    the one that comes later.

    Args:
        executions: A listing, or any part of one.

    Returns:
        The executions by thing ARN.

    >>> from iotjobs_client.testing import make_execution
    >>> failed = make_execution("pump-7", "FAILED", execution_number=1)
    >>> retried = make_execution("pump-7", "SUCCEEDED", execution_number=2)
    >>> [execution.status.value for execution in latest_per_thing([retried, failed]).values()]
    ['SUCCEEDED']
    """
    latest: dict[str, JobExecutionSummary] = {}
    for execution in executions:
        _take(execution, latest)
    return latest


def summarize(executions: Iterable[JobExecutionSummary], *, failures: int = 10) -> RolloutSummary:
    """Summarize a listing: counts, durations, failures and the rollout over time.

    Args:
        executions: A listing of a whole job, or of the part that you want to know about.
        failures: How many of the things that failed to name, at least 0.

    Returns:
        The summary.

    Raises:
        InvalidArgumentError: ``failures`` is wrong.

    >>> from iotjobs_client.testing import make_fleet
    >>> summary = summarize(make_fleet(1000))
    >>> summary.things_succeeded, summary.things_failed, summary.things_waiting
    (609, 143, 201)
    >>> summary.waiting.median
    datetime.timedelta(seconds=213, microseconds=795000)
    """
    if type(failures) is not int or failures < 0:
        raise wrong_argument("failures", "an int of at least 0", failures)
    latest, earlier = _sort_out(executions)
    counts: Counter[JobExecutionStatus] = Counter()
    things: Counter[JobExecutionStatus] = Counter()
    waiting, running, queued, started, updated = (array("d") for _ in range(5))
    ended: dict[JobExecutionStatus, array[float]] = {}
    for group, of_status in ((latest, things), (earlier, counts)):
        for execution in group.values():
            status = execution.status
            of_status[status] += 1
            queued_at, started_at, updated_at = map(
                _to_seconds, (execution.queued_at, execution.started_at, execution.last_updated_at)
            )
            if queued_at is not None:
                queued.append(queued_at)
            if updated_at is not None:
                updated.append(updated_at)
                if status.is_terminal:
                    ended.setdefault(status, array("d")).append(updated_at)
            if started_at is not None:
                started.append(started_at)
                if queued_at is not None:
                    waiting.append(max(0.0, started_at - queued_at))
                if updated_at is not None and status.is_terminal:
                    running.append(max(0.0, updated_at - started_at))
    return RolloutSummary(
        executions=_in_order(counts + things),
        things=_in_order(things),
        waiting=_durations(waiting),
        running=_durations(running),
        failed_last=tuple(
            nlargest(
                failures,
                (execution for execution in latest.values() if execution.status in _FAILED),
                key=lambda execution: execution.last_updated_at or _LONG_AGO,
            )
        ),
        curve=tuple(_curve(queued, started, updated, _in_order(ended))),
    )


def _sort_out(
    executions: Iterable[JobExecutionSummary],
) -> tuple[dict[str, JobExecutionSummary], dict[Hashable, JobExecutionSummary]]:
    """The last execution of each thing, and those that went before."""
    latest: dict[str, JobExecutionSummary] = {}
    earlier: dict[Hashable, JobExecutionSummary] = {}
    for execution in executions:
        other = _take(execution, latest)
        if other is not None:
            earlier.pop(_key(execution), None)  # what was here of it was an earlier state
            earlier[_key(other)] = other
    return latest, earlier


def _take(
    execution: JobExecutionSummary, latest: dict[str, JobExecutionSummary]
) -> JobExecutionSummary | None:
    """Put ``execution`` into ``latest`` if it is that. What it leaves behind: the other one."""
    arn = execution.thing_arn
    last = latest.setdefault(arn, execution)
    if last is execution or _identity(last) == _identity(execution):
        latest[arn] = execution
        return None
    if not _is_later(execution, last):
        return execution
    latest[arn] = execution
    return last


def _key(execution: JobExecutionSummary) -> Hashable:
    return execution.thing_arn, _identity(execution)


def _identity(execution: JobExecutionSummary) -> Hashable:
    """What tells it from the thing's others."""
    number = execution.execution_number
    return execution.queued_at if number is None else number


def _is_later(execution: JobExecutionSummary, than: JobExecutionSummary) -> bool:
    if execution.execution_number is not None and than.execution_number is not None:
        return execution.execution_number > than.execution_number
    if execution.queued_at is not None and than.queued_at is not None:
        return execution.queued_at >= than.queued_at
    return True


def _in_order(by_status: Mapping[JobExecutionStatus, _V]) -> dict[JobExecutionStatus, _V]:
    unknown = len(_LIFECYCLE)
    return dict(
        sorted(by_status.items(), key=lambda item: (_LIFECYCLE.get(item[0], unknown), item[0]))
    )


def _to_seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _durations(measured: Iterable[float]) -> Durations:
    ranked = sorted(measured)
    median, p90, maximum = (
        timedelta(seconds=ranked[-(-len(ranked) * percent // 100) - 1]) if ranked else None
        for percent in (50, 90, 100)
    )
    return Durations(len(ranked), median, p90, maximum)


def _curve(
    queued: Iterable[float],
    started: Iterable[float],
    updated: Iterable[float],
    ended: Mapping[JobExecutionStatus, Iterable[float]],
) -> Iterator[CurvePoint]:
    in_queue, in_work = sorted(queued), sorted(started)
    in_the_end = {status: sorted(times) for status, times in ended.items()}
    if not in_queue:
        return
    first, last = in_queue[0], max([in_queue[-1], *in_work[-1:], *updated])
    steps = _CURVE_POINTS - 1 if last > first else 0
    for step in range(steps + 1):
        # The last one as it is, so that no rounding leaves out the executions of that moment.
        now = last if step == steps else first + (last - first) * step / steps
        yield CurvePoint(
            datetime.fromtimestamp(min(now, _LAST_SECOND), timezone.utc),
            bisect_right(in_queue, now),
            bisect_right(in_work, now),
            {status: bisect_right(times, now) for status, times in in_the_end.items()},
        )
