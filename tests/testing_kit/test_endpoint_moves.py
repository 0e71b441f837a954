"""``LocalEndpoint.move`` changes executions as the service allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support import JOB_ID, served

from iotjobs_client import InvalidArgumentError, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet


class TestMove:
    def test_a_listed_execution_is_listed_in_its_new_state(self) -> None:
        """A move after a listing is visible in the next listing, so no old page is reused."""
        with (
            LocalEndpoint({JOB_ID: make_fleet(2, statuses="QUEUED")}) as endpoint,
            endpoint.client() as client,
        ):
            listing = client.list_job_executions_for_job(JOB_ID)
            assert [e.status for e in listing] == ["QUEUED", "QUEUED"]
            moved = endpoint.move(JOB_ID, "thing-1", "FAILED")
            assert list(listing)[1] == moved

    END_STATUSES = ("SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED")
    VALID_MOVES = (
        {("QUEUED", end) for end in ("IN_PROGRESS", *END_STATUSES) if end != "TIMED_OUT"}
        | {("IN_PROGRESS", end) for end in END_STATUSES}
        | {("FAILED", "QUEUED"), ("TIMED_OUT", "QUEUED")}
    )

    @pytest.mark.parametrize("before", JobExecutionStatus)
    @pytest.mark.parametrize("after", JobExecutionStatus)
    def test_only_valid_moves_are_made(self, before: str, after: str) -> None:
        """A move that the service does not allow is an error and changes nothing."""
        execution = make_execution("pump-7", before)
        with served([execution]) as (endpoint, client):
            listing = client.list_job_executions_for_job(JOB_ID)
            if (before, after) not in self.VALID_MOVES:
                with pytest.raises(InvalidArgumentError, match=f"can follow {before} .*, not"):
                    endpoint.move(JOB_ID, "pump-7", after)
                assert list(listing) == [execution]
                return
            moved = endpoint.move(JOB_ID, "pump-7", after)
            assert (moved.thing_name, moved.status) == ("pump-7", after)
            assert list(listing) == ([execution, moved] if after == "QUEUED" else [moved])

    def test_each_move_is_later_and_a_retry_is_a_new_execution(self) -> None:
        """A retry has the next execution number, and the failed execution stays in the job."""
        first = make_execution("pump-7", "QUEUED", execution_number=4)
        with LocalEndpoint({JOB_ID: [first, make_execution("pump-8")]}) as endpoint:
            history = [first]
            for status in ("IN_PROGRESS", "FAILED", "QUEUED", "IN_PROGRESS", "SUCCEEDED"):
                history.append(endpoint.move(JOB_ID, "pump-7", status))
            with endpoint.client() as client:
                listed = list(client.list_job_executions_for_job(JOB_ID))
        assert [(e.execution_number, e.retry_attempt) for e in history] == [
            (4, first.retry_attempt)
        ] * 3 + [(5, (first.retry_attempt or 0) + 1)] * 3
        updates = [e.last_updated_at for e in history if e.last_updated_at is not None]
        assert updates == sorted(set(updates))
        assert [e.started_at is None for e in history] == [True, False, False, True, False, False]
        assert listed == [history[2], make_execution("pump-8"), history[5]]

    def test_absent_times_stay_absent(self) -> None:
        """A move does not invent times that the execution did not have."""
        bare = JobExecutionSummary("arn:aws:iot:eu-west-1:123456789012:thing/pump-7", "FAILED")
        with LocalEndpoint({JOB_ID: [bare]}) as endpoint, endpoint.client() as client:
            assert list(client.list_job_executions_for_job(JOB_ID)) == [bare]
            retry = endpoint.move(JOB_ID, "pump-7", "QUEUED")
        assert (retry.execution_number, retry.queued_at, retry.last_updated_at) == (1, None, None)

    def test_a_move_follows_the_time_of_queueing(self) -> None:
        """An execution without an update moves a second after it was queued."""
        queued = make_execution("pump-7", "QUEUED", last_updated_at=None)
        with LocalEndpoint({JOB_ID: [queued]}) as endpoint:
            moved = endpoint.move(JOB_ID, "pump-7", "IN_PROGRESS")
        assert queued.queued_at is not None
        assert moved.started_at == moved.last_updated_at == queued.queued_at + timedelta(seconds=1)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("firmware-24", "pump-7", "FAILED"), "job_id must be one of firmware-42, not"),
            ((JOB_ID, "pump-9", "FAILED"), "thing_name must be a thing with an execution of job"),
            (
                (JOB_ID, "pump-7", "failed"),
                r"status must be .* follow QUEUED \(CANCELED, .*SUCCEEDED\), not 'failed'",
            ),
        ],
    )
    def test_an_invalid_move_is_refused(self, arguments: Any, complaint: str) -> None:
        """An unknown job, thing or status is an error that names the argument."""
        with (
            LocalEndpoint({JOB_ID: [make_execution("pump-7", "QUEUED")]}) as endpoint,
            pytest.raises(InvalidArgumentError, match=complaint),
        ):
            endpoint.move(*arguments)
