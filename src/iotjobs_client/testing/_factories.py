"""Makes executions, fleets and responses for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, TypedDict

from iotjobs_client._arguments import broken_rule, is_object, to_int, to_utc, wrong_argument
from iotjobs_client._statuses import to_status
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary

if TYPE_CHECKING:
    from typing_extensions import Unpack

_ARN = "arn:aws:iot:us-east-1:123456789012:thing/"
_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
_ROLLOUT_INTERVAL = timedelta(minutes=1) / 1000  # The default rollout rate is 1,000 a minute.
_WEIGHTS = {
    "QUEUED": 10,
    "IN_PROGRESS": 10,
    "SUCCEEDED": 60,
    "FAILED": 8,
    "TIMED_OUT": 4,
    "REJECTED": 3,
    "REMOVED": 2,
    "CANCELED": 3,
}
TERMINAL_WEIGHTS = {s: w for s, w in _WEIGHTS.items() if JobExecutionStatus(s).is_terminal}
"""The weights of the statuses in which an execution ends."""


class ExecutionFields(TypedDict, total=False):
    """The members of ``JobExecutionSummary`` that :func:`make_execution` takes as options."""

    thing_arn: str
    execution_number: int | None
    queued_at: datetime | None
    started_at: datetime | None
    last_updated_at: datetime | None
    retry_attempt: int | None
    job_id: str | None


def make_execution(
    thing_name: str = "thing-0", status: str = "SUCCEEDED", **fields: Unpack[ExecutionFields]
) -> JobExecutionSummary:
    """Return a plausible execution; the same arguments return an equal one.

    Args:
        thing_name: The name of the thing, from which its ARN is made up.
        status: The status. To catch typos, one that this library does not know must be a
            ``JobExecutionStatus``.
        **fields: Other members of ``JobExecutionSummary``. By default, the execution is the
            first one, not a retry, and was queued at midnight UTC on 2026-01-01. Unless QUEUED,
            it started a minute after ``queued_at``. Unless QUEUED or IN_PROGRESS, it was last
            updated another minute later.

    Returns:
        The execution.

    Raises:
        InvalidArgumentError: The status is not known, or a member has the wrong type.

    >>> make_execution("pump-7", "QUEUED").started_at is None
    True
    >>> make_execution("pump-7", "FAILED", retry_attempt=2).retry_attempt
    2
    """
    started = 0 if status == JobExecutionStatus.QUEUED else 1
    ended = 0 if status == JobExecutionStatus.IN_PROGRESS else started
    minute = timedelta(minutes=1)
    members: ExecutionFields = {
        "thing_arn": _ARN + thing_name,
        "execution_number": 1,
        "queued_at": _START,
        "retry_attempt": 0,
        **fields,
    }
    queued_at = to_utc(members["queued_at"]) or _START
    if "started_at" not in fields:
        members["started_at"] = queued_at + minute if started else None
    if "last_updated_at" not in fields:
        members["last_updated_at"] = queued_at + minute * (started + ended)
    return JobExecutionSummary(status=to_status(status), **members)


def make_fleet(
    size: int,
    *,
    seed: int = 0,
    statuses: Mapping[str, float] | Iterable[str] | None = None,
) -> list[JobExecutionSummary]:
    """Return a plausible rollout that is half done: one execution for each of ``size`` things.

    Args:
        size: The number of things, at least 0; they are named ``thing-0``, ``thing-1`` and so on.
        seed: The seed of the random choices; the same seed returns the same fleet.
        statuses: The statuses to choose from, as a mapping to their weights, or as an iterable
            if all weigh the same. ``None`` for all eight, most of them SUCCEEDED.

    Returns:
        The executions in the order in which they were queued, 1,000 a minute. Each was queued
        before it started, and started before it was last updated, with millisecond precision.

    Raises:
        InvalidArgumentError: ``size`` or ``statuses`` is wrong.

    >>> fleet = make_fleet(1000)
    >>> len(fleet), fleet == make_fleet(1000), len({execution.status for execution in fleet})
    (1000, True, 8)
    """
    size = to_int("size", size, 0)
    chosen = _WEIGHTS if statuses is None else statuses
    if isinstance(chosen, str):
        chosen = [chosen]
    if not isinstance(chosen, Iterable):
        raise wrong_argument("statuses", "one status or more, or None", chosen)
    weights: dict[str, float]
    weights = dict(chosen) if is_object(chosen) else dict.fromkeys(chosen, 1.0)
    for weight in weights.values():
        if not isinstance(weight, (int, float)) or not 0 <= weight < inf:
            raise wrong_argument("a weight in statuses", "a number of at least 0", weight)
    if not sum(weights.values()):
        rule = "be one status or more with a weight above 0, or None"
        raise broken_rule("statuses", rule)
    random = Random(seed)  # noqa: S311  (no secret depends on it)
    drawn = random.choices(list(weights), list(weights.values()), k=size)
    return [_make_fleet_member(random, number, status) for number, status in enumerate(drawn)]


def _make_fleet_member(random: Random, number: int, status: str) -> JobExecutionSummary:
    queued_at = _START + number * _ROLLOUT_INTERVAL
    waiting, running = (
        timedelta(milliseconds=round(random.expovariate(1 / seconds) * 1000))
        for seconds in (300, 120)
    )
    times: ExecutionFields = {"queued_at": queued_at, "last_updated_at": queued_at}
    if status != JobExecutionStatus.QUEUED:
        times["started_at"] = queued_at + waiting
        times["last_updated_at"] = queued_at + waiting + running
    return make_execution(f"thing-{number}", status, **times)


def make_response(
    executions: Iterable[JobExecutionSummary], next_token: str | None = None
) -> dict[str, Any]:
    """Return a page as boto3's ``list_job_executions_for_job`` does, for a mock or a ``Stubber``.

    Args:
        executions: The executions of the page.
        next_token: The token (``nextToken``) for the next page; ``None`` on the last page.

    Returns:
        The response, as a dictionary.

    >>> from unittest.mock import Mock
    >>> from iotjobs_client import IoTJobsClient
    >>> boto3_client = Mock()
    >>> boto3_client.list_job_executions_for_job.return_value = make_response([make_execution()])
    >>> [execution] = IoTJobsClient(boto3_client).list_job_executions_for_job("firmware-42")
    >>> execution.thing_name
    'thing-0'
    """
    response: dict[str, Any] = {"executionSummaries": [to_item(e) for e in executions]}
    return response if next_token is None else {**response, "nextToken": next_token}


def to_item(execution: JobExecutionSummary) -> dict[str, Any]:
    """Return the execution as boto3 does, without absent members."""
    summary = {
        "status": execution.status.value,
        "queuedAt": execution.queued_at,
        "startedAt": execution.started_at,
        "lastUpdatedAt": execution.last_updated_at,
        "executionNumber": execution.execution_number,
        "retryAttempt": execution.retry_attempt,
    }
    present = {name: value for name, value in summary.items() if value is not None}
    return {"thingArn": execution.thing_arn, "jobExecutionSummary": present}
