"""Summaries of a rollout: the state of each thing, counts, durations, and progress over time.

The functions take any iterable of executions and read it once; they make no request.
:func:`latest_per_thing` keeps one execution of each thing in memory. :func:`summarize` keeps all
executions, because it must count an execution once that the listing contains in two states.

An execution is identified by its job, its thing and its ``execution_number``. A listing of several
statuses contains an execution twice if its status changed during the listing. It counts in the
state that was updated last. If these times are equal or missing, the state that comes last counts.
An execution without a number is identified by its ``queued_at``. Executions of a job on a thing
that have neither count as one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from heapq import nlargest
from typing import TypeVar

import attrs

from iotjobs_client._arguments import to_int
from iotjobs_client._statuses import LIFECYCLE
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary

_V = TypeVar("_V")
_LatestByJob = dict[tuple[str | None, str], JobExecutionSummary]

__all__ = ["CurvePoint", "Durations", "RolloutSummary", "latest_per_thing", "summarize"]

_FAILED = frozenset(
    {JobExecutionStatus.FAILED, JobExecutionStatus.TIMED_OUT, JobExecutionStatus.REJECTED}
)
_WITHDRAWN = frozenset({JobExecutionStatus.REMOVED, JobExecutionStatus.CANCELED})
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MAX_TIMESTAMP = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc).timestamp()
_CURVE_POINTS = 241  # More would not be visible in a plot.


@attrs.frozen
class Durations:
    """The distribution of a duration over the executions that have both of its times.

    Percentiles use the nearest-rank method: the shortest measured duration that at least this
    percentage of the durations do not exceed. So each percentile is the duration of an execution,
    not an interpolation. If the clocks of the service and a thing disagree, a duration may be
    negative; it then counts as zero.

    Attributes:
        count: The number of durations.
        median: The 50th percentile; ``None`` if ``count`` is 0.
        p90: The 90th percentile; ``None`` if ``count`` is 0.
        maximum: The longest duration; ``None`` if ``count`` is 0.
    """

    count: int
    median: timedelta | None
    p90: timedelta | None
    maximum: timedelta | None


@attrs.frozen
class CurvePoint:
    """The progress of a rollout at one moment.

    Attributes:
        at: The moment, in UTC.
        queued: The number of executions that were queued up to this moment.
        started: The number of executions that were started up to this moment.
        ended: The number of executions that ended up to this moment, by their last status.
    """

    at: datetime
    queued: int
    started: int
    ended: Mapping[JobExecutionStatus, int]


@attrs.frozen
class RolloutSummary:
    """The state of a rollout, as :func:`summarize` returns it.

    The last execution of a thing determines whether the thing counts as succeeded, failed,
    withdrawn or unfinished.

    Attributes:
        executions: The number of executions by status, in the order of an execution's life.
            Statuses that this library does not know come last; a status without executions is
            absent.
        things: The number of things by the status of their last execution, in the same order.
        waiting: The time from ``queued_at`` to ``started_at``.
        running: The time from ``started_at`` to ``last_updated_at``, of executions that ended.
        failed_last: The last executions of things that failed, the latest failure first.
        curve: The progress over time, at up to 241 evenly spaced moments from the first
            ``queued_at`` to the last update; empty if no execution has a ``queued_at``.
    """

    executions: Mapping[JobExecutionStatus, int]
    things: Mapping[JobExecutionStatus, int]
    waiting: Durations
    running: Durations
    failed_last: tuple[JobExecutionSummary, ...]
    curve: tuple[CurvePoint, ...] = attrs.field(repr=False)

    @property
    def execution_count(self) -> int:
        """The number of executions."""
        return sum(self.executions.values())

    @property
    def thing_count(self) -> int:
        """The number of things."""
        return sum(self.things.values())

    @property
    def things_succeeded(self) -> int:
        """The number of things whose last execution is SUCCEEDED."""
        return self.things.get(JobExecutionStatus.SUCCEEDED, 0)

    @property
    def things_failed(self) -> int:
        """The number of things whose last execution is FAILED, TIMED_OUT or REJECTED."""
        return sum(self.things.get(status, 0) for status in _FAILED)

    @property
    def things_withdrawn(self) -> int:
        """The number of things whose last execution was removed or canceled (REMOVED, CANCELED)."""
        return sum(self.things.get(status, 0) for status in _WITHDRAWN)

    @property
    def things_unfinished(self) -> int:
        """The number of things whose last execution is QUEUED, IN_PROGRESS or of unknown status."""
        return sum(count for status, count in self.things.items() if not status.is_terminal)


def latest_per_thing(
    executions: Iterable[JobExecutionSummary],
) -> dict[str, JobExecutionSummary]:
    """Return the last execution of each thing.

    If a job retries, a thing has several executions. The last one of a job has the highest
    ``execution_number``. If either of two executions has no number, the one with the later
    ``queued_at`` is the last; if either has no ``queued_at``, the one that comes later in
    ``executions`` is the last.

    If the executions are of several jobs, the last execution of each job is compared with those of
    the other jobs. The last one of all has the latest ``queued_at``, or ``started_at`` or
    ``last_updated_at`` if it has no earlier one of these times. One that has no time comes before
    all others. Of two with equal times, the last is that of the job that comes later in
    ``executions``.

    Args:
        executions: A listing, or any part of one.

    Returns:
        The executions by thing ARN, in the order in which the things first appear.

    >>> from iotjobs_client.testing import make_execution
    >>> failed = make_execution("pump-7", "FAILED", execution_number=1)
    >>> retried = make_execution("pump-7", "SUCCEEDED", execution_number=2)
    >>> [execution.status.value for execution in latest_per_thing([retried, failed]).values()]
    ['SUCCEEDED']
    """
    latest: _LatestByJob = {}
    for execution in executions:
        key = execution.job_id, execution.thing_arn
        last = latest.setdefault(key, execution)
        if _identity(last) == _identity(execution):
            latest[key] = _newer(last, execution)
        elif _is_later(execution, last):
            latest[key] = execution
    return _latest_of_all_jobs(latest)


def summarize(executions: Iterable[JobExecutionSummary], *, failures: int = 10) -> RolloutSummary:
    """Summarize a listing: counts, durations, failures and the rollout over time.

    Args:
        executions: A listing of a whole job, or of any part of it.
        failures: The maximum length of ``failed_last``, at least 0.

    Returns:
        The summary.

    Raises:
        InvalidArgumentError: ``failures`` is not an integer, is a ``bool``, or is negative.

    >>> from iotjobs_client.testing import make_fleet
    >>> summary = summarize(make_fleet(1000))
    >>> summary.things_succeeded, summary.things_failed, summary.things_unfinished
    (609, 143, 201)
    >>> summary.waiting.median
    datetime.timedelta(seconds=213, microseconds=795000)
    """
    failures = to_int("failures", failures, 0)
    latest, earlier = _split_latest(executions)
    earlier_counts: Counter[JobExecutionStatus] = Counter()
    latest_counts: Counter[JobExecutionStatus] = Counter()
    waiting, running, queued, started, updated = (array("d") for _ in range(5))
    ended: dict[JobExecutionStatus, array[float]] = {}
    for group, counts in ((latest, latest_counts), (earlier, earlier_counts)):
        for execution in group:
            status = execution.status
            counts[status] += 1
            queued_at, started_at, updated_at = map(
                _to_timestamp,
                (execution.queued_at, execution.started_at, execution.last_updated_at),
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
        executions=_by_lifecycle(latest_counts + earlier_counts),
        things=_by_lifecycle(latest_counts),
        waiting=_to_durations(waiting),
        running=_to_durations(running),
        failed_last=tuple(
            nlargest(
                failures,
                (execution for execution in latest if execution.status in _FAILED),
                key=lambda execution: execution.last_updated_at or _EARLIEST,
            )
        ),
        curve=tuple(_curve_points(queued, started, updated, _by_lifecycle(ended))),
    )


def _split_latest(
    executions: Iterable[JobExecutionSummary],
) -> tuple[Collection[JobExecutionSummary], Collection[JobExecutionSummary]]:
    """Return the last executions of the things, and all earlier ones."""
    states: dict[Hashable, JobExecutionSummary] = {}
    for execution in executions:
        key = execution.job_id, execution.thing_arn, _identity(execution)
        # The key moves to the end, because without times the execution that comes last counts.
        states[key] = _newer(states.pop(key, execution), execution)
    last = latest_per_thing(states.values())
    return last.values(), [e for e in states.values() if last[e.thing_arn] is not e]


def _newer(state: JobExecutionSummary, other: JobExecutionSummary) -> JobExecutionSummary:
    """Return the newer state of an execution; ``other`` if times are equal or one is missing."""
    updated_at, others = state.last_updated_at, other.last_updated_at
    return state if updated_at and others and updated_at > others else other


def _latest_of_all_jobs(latest: _LatestByJob) -> dict[str, JobExecutionSummary]:
    """Return the last execution of each thing by its ARN."""
    last: dict[str, JobExecutionSummary] = {}
    for execution in latest.values():
        arn = execution.thing_arn
        if _first_time(execution) >= _first_time(last.setdefault(arn, execution)):
            last[arn] = execution
    return last


def _first_time(execution: JobExecutionSummary) -> datetime:
    times = execution.queued_at, execution.started_at, execution.last_updated_at
    return next(filter(None, times), _EARLIEST)


def _identity(execution: JobExecutionSummary) -> Hashable:
    """Return the value that distinguishes ``execution`` from others of its job and thing."""
    number = execution.execution_number
    return execution.queued_at if number is None else number


def _is_later(execution: JobExecutionSummary, other: JobExecutionSummary) -> bool:
    if execution.execution_number is not None and other.execution_number is not None:
        return execution.execution_number > other.execution_number
    if execution.queued_at is not None and other.queued_at is not None:
        return execution.queued_at >= other.queued_at
    return True


def _by_lifecycle(by_status: Mapping[JobExecutionStatus, _V]) -> dict[JobExecutionStatus, _V]:
    unknown = len(LIFECYCLE)
    return dict(
        sorted(by_status.items(), key=lambda item: (LIFECYCLE.get(item[0], unknown), item[0]))
    )


def _to_timestamp(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _to_durations(seconds: Iterable[float]) -> Durations:
    ranked = sorted(seconds)
    median, p90, maximum = (
        timedelta(seconds=ranked[-(-len(ranked) * percent // 100) - 1]) if ranked else None
        for percent in (50, 90, 100)
    )
    return Durations(len(ranked), median, p90, maximum)


def _curve_points(
    queued: Iterable[float],
    started: Iterable[float],
    updated: Iterable[float],
    ended: Mapping[JobExecutionStatus, Iterable[float]],
) -> Iterator[CurvePoint]:
    queued_times, started_times = sorted(queued), sorted(started)
    ended_times = {status: sorted(times) for status, times in ended.items()}
    if not queued_times:
        return
    first, last = queued_times[0], max([queued_times[-1], *started_times[-1:], *updated])
    steps = _CURVE_POINTS - 1 if last > first else 0
    for step in range(steps + 1):
        # Rounding could place the last moment before the last update and miss its executions.
        now = last if step == steps else first + (last - first) * step / steps
        yield CurvePoint(
            # On Windows, datetime.fromtimestamp() knows only the years 1970 to 3000.
            _EPOCH + timedelta(seconds=min(now, _MAX_TIMESTAMP)),
            bisect_right(queued_times, now),
            bisect_right(started_times, now),
            {status: bisect_right(times, now) for status, times in ended_times.items()},
        )
