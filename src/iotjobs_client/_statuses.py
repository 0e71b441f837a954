"""The order of the statuses in an execution's life, and the check of the argument ``status``."""

from __future__ import annotations

from collections.abc import Iterable

from iotjobs_client._arguments import broken_rule, is_encodable, wrong_argument
from iotjobs_client.models import JobExecutionStatus

LIFECYCLE = {status: rank for rank, status in enumerate(JobExecutionStatus)}
# A status that we do not know may lead to a terminal one, so it is listed before those.
_UNKNOWN_RANK = LIFECYCLE[JobExecutionStatus.IN_PROGRESS] + 0.5


def to_statuses(value: str | Iterable[str] | None) -> tuple[JobExecutionStatus, ...]:
    """Return the statuses to list, in the order of the listing; none for all."""
    if value is None:
        return ()
    if not isinstance(value, Iterable):
        raise wrong_argument("status", "a status, several of them or None", value)
    statuses = set(map(to_status, [value] if isinstance(value, str) else value))
    if not statuses:
        raise broken_rule("status", "be one status or more, or None for all, not empty")
    if not all(map(is_encodable, statuses)):
        raise broken_rule("status", "be without lone surrogates")
    return tuple(sorted(statuses, key=lambda s: (LIFECYCLE.get(s, _UNKNOWN_RANK), s.value)))


def to_status(value: str) -> JobExecutionStatus:
    """Return the status; to catch typos, one that is not known must be a JobExecutionStatus."""
    is_known = isinstance(value, str) and value in LIFECYCLE
    if not is_known and not isinstance(value, JobExecutionStatus):
        raise wrong_argument("status", f"one of {', '.join(LIFECYCLE)}", value)
    return JobExecutionStatus(value)
