"""``iotjobs wait``: check jobs until they are done, with as few requests as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf

import attrs

from iotjobs_client import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.cli._retries import Retries, TimedOut
from iotjobs_client.cli._terminal import StatusLine, print_line
from iotjobs_client.rollout import latest_per_thing

_QUEUED, _IN_PROGRESS = JobExecutionStatus.QUEUED, JobExecutionStatus.IN_PROGRESS
_SUCCEEDED = JobExecutionStatus.SUCCEEDED
_FAILED = (JobExecutionStatus.FAILED, JobExecutionStatus.TIMED_OUT, JobExecutionStatus.REJECTED)
_UNSUCCESSFUL = [s for s in JobExecutionStatus if s.is_terminal and s is not _SUCCEEDED]
_MAX_SILENCE = 300.0  # seconds


@attrs.frozen
class Check:
    """The result of a check.

    Attributes:
        reasons: Why to wait, such as ``"12 QUEUED"``, by job; empty at the end.
        outcome: What the jobs are at the end, such as ``"done: all things succeeded"``.
        executions: Some executions that are unfinished or, at the end, unsuccessful.
        is_timed_out: Whether the timeout has passed.
    """

    reasons: Mapping[str, str] = attrs.field(factory=dict[str, str])
    outcome: str = ""
    executions: Sequence[JobExecutionSummary] = ()
    is_timed_out: bool = False

    @property
    def text(self) -> str:
        """The reasons to wait, on one line."""
        reasons = (f"{job_id}: {reason}" for job_id, reason in self.reasons.items())
        return "; ".join(reasons) or "no response"


def wait_until_done(
    retries: Retries, job_ids: Sequence[str], status_line: StatusLine, *, fail_fast: bool
) -> Check:
    """Wait until no execution of the jobs is QUEUED or IN_PROGRESS.

    Without a terminal, a line is printed when the phase changes, and at least every five minutes.

    Args:
        retries: It sends the requests, and waits between two checks.
        job_ids: The jobs to wait for.
        status_line: The line that shows the reason to wait.
        fail_fast: Whether to stop at the first execution that is FAILED, TIMED_OUT or REJECTED,
            even if a retry or another job follows.

    Returns:
        The last check. It begins at the timeout at the latest, and no request follows it.

    Raises:
        IoTJobsError: A request failed with an error that is not retryable, or ten times.
    """
    for job_id in job_ids:
        retries.start_token(job_id)  # This checks the job IDs before the first request.
    checker = _Checker(retries, job_ids)
    check = Check()
    phase, printed_at = "", -inf
    try:
        while True:
            failed = checker.find_failed() if fail_fast else None
            check = failed or checker.find_unfinished() or checker.find_unsuccessful()
            if not check.reasons:
                return check
            status_line.show(check.text)
            reasons = " ".join(check.reasons.values())
            phases = (status for status in (_QUEUED, _IN_PROGRESS) if status in reasons)
            new_phase = next(phases, reasons)
            is_due = new_phase != phase or retries.now() >= printed_at + _MAX_SILENCE
            if is_due and not status_line.is_shown:
                print_line(check.text)
                phase, printed_at = new_phase, retries.now()
            retries.pause()
    except TimedOut:
        return attrs.evolve(check, is_timed_out=True)


@attrs.frozen
class _Checker:
    """Makes the requests of one check."""

    retries: Retries
    job_ids: Sequence[str]

    def _first(self, job_id: str, *statuses: JobExecutionStatus) -> Check | None:
        """Return a check that waits for the first of the statuses that has executions, if any."""
        for status in statuses:
            for page in self.retries.pages(job_id, status=status):
                if page.executions:
                    more = "" if page.next_token is None else " or more"
                    reason = f"{len(page.executions)}{more} {status}"
                    return Check({job_id: reason}, executions=page.executions)
        return None

    def _executions(
        self, job_id: str, status: Sequence[JobExecutionStatus]
    ) -> Iterator[JobExecutionSummary]:
        for page in self.retries.pages(job_id, status=status, prefetch=True):
            yield from page.executions

    def find_failed(self) -> Check | None:
        """Return a check that ends the wait if an execution failed."""
        for job_id in self.job_ids:
            if check := self._first(job_id, *_FAILED):
                outcome = f"failing ({check.reasons[job_id]})"
                return Check(outcome=outcome, executions=check.executions)
        return None

    def find_unfinished(self) -> Check | None:
        """Return a check that waits if an execution is queued or in progress."""
        checks = [self._first(job_id, _QUEUED, _IN_PROGRESS) for job_id in self.job_ids]
        found = [check for check in checks if check is not None]
        if not found:
            return None
        reasons = {job_id: reason for check in found for job_id, reason in check.reasons.items()}
        return Check(reasons, executions=[e for check in found for e in check.executions])

    def find_unsuccessful(self) -> Check:
        """Return the things that did not succeed, or a reason to wait after all."""
        unsuccessful: list[JobExecutionSummary] = []
        for job_id in self.job_ids:
            has_succeeded = self._first(job_id, _SUCCEEDED) is not None
            pages = self.retries.pages(job_id)
            if not has_succeeded and not any(page.executions for page in pages):
                return Check({job_id: "no executions yet"})
            # An execution may have failed and been queued for a retry since the first request.
            if check := self._first(job_id, _QUEUED):
                return check
            found = list(self._executions(job_id, _UNSUCCESSFUL))
            if not has_succeeded and not found:
                return Check({job_id: "all are in a status that is not known"})
            unsuccessful += found
        last = latest_per_thing(unsuccessful)
        # A thing may have succeeded in a later execution, which is only in the listing of
        # succeeded executions. That listing may be long, so request it only if needed.
        for job_id in self.job_ids if last else ():
            for execution in self._executions(job_id, [_SUCCEEDED]):
                failed = last.get(execution.thing_arn)
                if failed is None:
                    continue
                in_order = sorted((failed, execution), key=lambda e: self.job_ids.index(e.job_id))
                if execution in latest_per_thing(in_order).values():
                    del last[execution.thing_arn]
        statuses = Counter(execution.status for execution in last.values())
        counts = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
        result = f"not all things succeeded ({counts})" if last else "all things succeeded"
        return Check(outcome=f"done: {result}", executions=[*last.values()])
