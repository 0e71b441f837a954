"""The models: the status of a job execution, a summary of one, and a page of summaries.

The names are those of the AWS IoT API reference (``JobExecutionSummaryForJob`` and
``JobExecutionSummary``) in snake case.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum

import attrs

from iotjobs_client._arguments import (
    check_job_id,
    check_thing_arn,
    to_optional_int,
    to_utc,
    wrong_argument,
)

__all__ = ["JobExecutionPage", "JobExecutionStatus", "JobExecutionSummary"]


class JobExecutionStatus(str, Enum):
    """The status of a job execution: one of the eight that the service documents, or a newer one.

    A member is a :class:`str`: it equals, hashes, sorts and prints as the service's value.
    A value that this library does not know is kept, not rejected: ``JobExecutionStatus("PAUSED")``
    is a status whose :attr:`is_known` is false. Iterating over the class yields the eight.
    Type checkers take a ``match`` over the eight for exhaustive. Keep a last ``case _`` for a
    status that this library does not know.

    >>> JobExecutionStatus.TIMED_OUT == "TIMED_OUT"
    True
    >>> f"{JobExecutionStatus.FAILED}, {JobExecutionStatus('PAUSED')}"
    'FAILED, PAUSED'
    """

    QUEUED = "QUEUED"
    """The thing has not asked for the job yet."""
    IN_PROGRESS = "IN_PROGRESS"
    """The thing is working on the job."""
    SUCCEEDED = "SUCCEEDED"
    """The thing reported success."""
    FAILED = "FAILED"
    """The thing reported failure."""
    TIMED_OUT = "TIMED_OUT"
    """The thing reported nothing before the job's timeout for a thing in progress ran out."""
    REJECTED = "REJECTED"
    """The thing refused the job."""
    REMOVED = "REMOVED"
    """The thing was deleted, or left the group that a continuous job is aimed at."""
    CANCELED = "CANCELED"
    """The job, or this execution of it, was canceled."""

    @classmethod
    def _missing_(cls, value: object) -> JobExecutionStatus:
        # Not stored, because values that the service sends must not make the process grow.
        if not isinstance(value, str) or not value:
            raise wrong_argument("status", "a string that is not empty", value)
        text = str.__str__(value)
        status = str.__new__(cls, text)
        status._name_ = status._value_ = text
        return status

    def __reduce_ex__(self, _protocol: object) -> tuple[Callable[[str], object], tuple[str]]:
        # The Enum of Python 3.11.2 looks a member up by its name, which an unknown status lacks.
        return type(self), (self.value,)

    def __str__(self) -> str:
        return self.value

    @property
    def is_known(self) -> bool:
        """True for the eight documented statuses."""
        return self.value in type(self).__members__

    @property
    def is_terminal(self) -> bool:
        """True if the execution is over; false for a status that this library does not know.

        If the job retries, a thing whose execution is FAILED or TIMED_OUT may still get another
        one, with a higher ``execution_number``.
        """
        return self.is_known and self not in (self.QUEUED, self.IN_PROGRESS)


def _to_optional_job_id(value: str | None) -> str | None:
    return None if value is None else check_job_id(value)


def _to_text(time: datetime | None) -> str | None:
    if time is None:
        return None
    text = time.isoformat(timespec="microseconds" if time.microsecond % 1000 else "milliseconds")
    return text.replace("+00:00", "Z")


@attrs.frozen
class JobExecutionSummary:
    """One execution of a job on one thing.

    Source: ``JobExecutionSummaryForJob`` and the ``JobExecutionSummary`` within it. The service
    guarantees none of their members. :attr:`thing_arn` and :attr:`status` are always present,
    because a response without them is rejected. Each of the others is ``None`` if the service
    left it out. Immutable, hashable and picklable.

    Attributes:
        thing_arn: The ARN of the thing (``thingArn``).
        status: The status of the execution (``status``). A :class:`str` is converted.
        execution_number: The number that distinguishes this execution from others of the job on
            this thing (``executionNumber``).
        queued_at: When it was queued (``queuedAt``); aware, in UTC. In this and the other times,
            a datetime of another zone is converted, and a naive one is taken as UTC.
        started_at: When the thing began (``startedAt``); absent while it is queued.
        last_updated_at: When it last changed (``lastUpdatedAt``).
        retry_attempt: How many retries preceded this execution (``retryAttempt``).
        job_id: The job (``jobId``), as the listing sets it; ``None`` if it is not known. It is not
            compared, because the service does not send it with an execution. So a set merges equal
            executions of two jobs.

    Raises:
        InvalidArgumentError: A member is not of its type.

    >>> summary = JobExecutionSummary(
    ...     thing_arn="arn:aws:iot:eu-west-1:123456789012:thing/pump-7", status="FAILED"
    ... )
    >>> summary.thing_name, summary.status.is_terminal
    ('pump-7', True)
    """

    thing_arn: str = attrs.field(converter=check_thing_arn)
    status: JobExecutionStatus = attrs.field(converter=JobExecutionStatus)
    execution_number: int | None = attrs.field(default=None, converter=to_optional_int)
    queued_at: datetime | None = attrs.field(default=None, converter=to_utc)
    started_at: datetime | None = attrs.field(default=None, converter=to_utc)
    last_updated_at: datetime | None = attrs.field(default=None, converter=to_utc)
    retry_attempt: int | None = attrs.field(default=None, converter=to_optional_int)
    job_id: str | None = attrs.field(default=None, eq=False, converter=_to_optional_job_id)

    @property
    def thing_name(self) -> str:
        """The name of the thing, which follows ``:thing/`` in its ARN."""
        return self.thing_arn.rpartition(":thing/")[2]

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the members and the name of the thing, as values of JSON.

        Returns:
            The row that ``iotjobs list`` writes: ``job_id``, ``thing_name`` and the other members.
            Times are ISO 8601 in UTC, such as ``"2026-01-01T00:00:00.060Z"``, with three digits
            of a second, or six if the service sent more.

        >>> import json
        >>> from iotjobs_client.testing import make_execution
        >>> json.dumps(make_execution("pump-7", "QUEUED").to_dict())
        '{"job_id": null, "thing_name": "pump-7", "thing_arn": "arn:...:thing/pump-7", ...}'
        """
        return {
            "job_id": self.job_id,
            "thing_name": self.thing_name,
            "thing_arn": self.thing_arn,
            "status": self.status.value,
            "execution_number": self.execution_number,
            "queued_at": _to_text(self.queued_at),
            "started_at": _to_text(self.started_at),
            "last_updated_at": _to_text(self.last_updated_at),
            "retry_attempt": self.retry_attempt,
        }


@attrs.frozen
class JobExecutionPage:
    """One page, as the service cut it (less what ``max_items`` or a resumption leaves out).

    Attributes:
        executions: The executions of the page, in the service's order; it may be empty although
            pages follow.
        next_token: The service's own token for the page after this one (``nextToken``), or
            ``None`` on the last page of a listing of one status.
        resume_token: Where the listing continues after this page, for
            :meth:`~iotjobs_client.IoTJobsClient.list_job_executions_for_job`; ``None`` when
            nothing follows.
        request_id: The service's id of the request, if it sent one.
    """

    executions: tuple[JobExecutionSummary, ...]
    next_token: str | None = attrs.field(default=None, repr=False)
    resume_token: str | None = attrs.field(default=None, repr=False)
    request_id: str | None = None
