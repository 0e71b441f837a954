"""Plays a rollout: its executions pass through their states within some seconds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary


class Play:
    """A clock that passes through the times of some executions within some seconds.

    Args:
        executions: The executions, as they are at the end.
        seconds: The time from the first of their times to the last one, on this clock.
    """

    def __init__(self, executions: Iterable[JobExecutionSummary], seconds: float) -> None:
        times = [
            time
            for execution in executions
            for time in (execution.queued_at, execution.started_at, execution.last_updated_at)
            if time is not None
        ]
        self._range = (min(times), max(times)) if times else None
        self._seconds = seconds
        self._started: float | None = None

    def moment(self, now: float) -> datetime | None:
        """Return the time of the rollout; ``None`` at its end. The first call starts the clock.

        Args:
            now: The seconds of a monotonic clock.
        """
        if self._started is None:
            self._started = now
        share = (now - self._started) / self._seconds
        if self._range is None or share >= 1:
            return None
        first, last = self._range
        return first + (last - first) * share


def changes_at(execution: JobExecutionSummary, moment: datetime) -> dict[str, Any] | None:
    """Return the members that were different at ``moment``; ``None`` if it was not queued yet.

    An execution ends at its last time. One without times has ended.
    """
    queued_at, started_at = execution.queued_at, execution.started_at
    ended_at = execution.last_updated_at or started_at or queued_at
    if ended_at is None or ended_at <= moment:
        return {}
    if started_at is not None and started_at <= moment:
        return {"status": JobExecutionStatus.IN_PROGRESS, "last_updated_at": started_at}
    if queued_at is not None and queued_at <= moment:
        status = JobExecutionStatus.QUEUED
        return {"status": status, "started_at": None, "last_updated_at": queued_at}
    return None
