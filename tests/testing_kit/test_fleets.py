"""``make_execution`` and ``make_fleet`` make plausible executions."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support import OtherInt

from iotjobs_client import InvalidArgumentError, JobExecutionStatus
from iotjobs_client.testing import make_execution, make_fleet


class TestMakeExecution:
    @pytest.mark.parametrize("status", JobExecutionStatus)
    def test_the_times_are_in_order_and_fit_the_status(self, status: JobExecutionStatus) -> None:
        """The times are in the order queued, started, updated; a queued execution has no start."""
        execution = make_execution("pump-7", status)
        assert execution == make_execution("pump-7", status.value)
        assert (execution.thing_name, execution.status) == ("pump-7", status)
        assert (execution.started_at is None) is (status == "QUEUED")
        times = [execution.queued_at, execution.started_at, execution.last_updated_at]
        present = [time for time in times if time is not None]
        assert present == sorted(present)

    def test_the_other_times_follow_a_given_time(self) -> None:
        """The default start and update are a minute after the time that precedes them."""
        queued_at = datetime(2027, 1, 1)  # noqa: DTZ001  (it is read as UTC)
        execution = make_execution("pump-7", "FAILED", queued_at=queued_at)
        minute = timedelta(minutes=1)
        assert execution.queued_at == queued_at.replace(tzinfo=timezone.utc)
        assert execution.started_at == execution.queued_at + minute
        assert execution.last_updated_at == execution.started_at + minute
        assert make_execution(queued_at=None).queued_at is None
        last = datetime.max.replace(tzinfo=timezone.utc)
        made = make_execution(queued_at=last, started_at=last, last_updated_at=last)
        assert made.started_at == last

    def test_any_member_can_be_given(self) -> None:
        """Each member can be set, and None stands for one that the service leaves out."""
        execution = make_execution(retry_attempt=None, execution_number=9, thing_arn="arn")
        assert (execution.retry_attempt, execution.execution_number) == (None, 9)
        assert execution.thing_arn == "arn"


class TestMakeFleet:
    def test_a_fleet_is_a_plausible_rollout(self) -> None:
        """A fleet has one execution a thing, in order of queueing; most have succeeded."""
        fleet = make_fleet(2_000)
        assert [e.thing_name for e in fleet] == [f"thing-{n}" for n in range(2_000)]
        assert {e.status for e in fleet} == set(JobExecutionStatus)
        assert sum(e.status == "SUCCEEDED" for e in fleet) > 1_000
        queued = [e.queued_at for e in fleet if e.queued_at is not None]
        assert queued == sorted(queued)
        assert len(set(queued)) == len(fleet)
        for e in fleet:
            assert (e.started_at is None) is (e.status == "QUEUED")
            assert e.queued_at is not None
            assert e.last_updated_at is not None
            assert e.queued_at <= (e.started_at or e.queued_at) <= e.last_updated_at

    def test_the_seed_determines_the_fleet(self) -> None:
        """The same seed makes the same fleet, and another seed makes another one."""
        assert make_fleet(50, seed=1) == make_fleet(50, seed=1) != make_fleet(50, seed=2)

    def test_statuses_can_be_chosen_and_weighted(self) -> None:
        """A list of statuses limits the fleet to them, and a mapping gives their weights."""
        assert {e.status for e in make_fleet(50, statuses=["FAILED", "QUEUED"])} == {
            "FAILED",
            "QUEUED",
        }
        assert {e.status for e in make_fleet(5, statuses="FAILED")} == {"FAILED"}
        fleet = make_fleet(1_000, statuses={"FAILED": 1, "SUCCEEDED": 99})
        assert 0 < sum(e.status == "FAILED" for e in fleet) < 50
        assert make_fleet(0) == []

    def test_the_size_can_be_another_integer_type(self) -> None:
        """The size can be any object with ``__index__``, such as a ``numpy.int64``."""
        size: Any = OtherInt(3)
        assert make_fleet(size) == make_fleet(3)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ({"size": -1}, "size must be an int of at least 0, not -1"),
            ({"size": True}, "size must be"),
            ({"size": 1.0}, "size must be"),
            ({"size": 1, "statuses": []}, "statuses must be one status or more"),
            ({"size": 1, "statuses": ["FALED"]}, "status must be one of QUEUED, .*, not 'FALED'"),
            ({"size": 1, "statuses": {}}, "statuses must be one status or more"),
            ({"size": 1, "statuses": 5}, "statuses must be one status or more"),
            ({"size": 1, "statuses": {"FAILED": 0}}, "statuses must be .* with a weight"),
            ({"size": 1, "statuses": {"FAILED": -1, "QUEUED": 2}}, "a weight .*, not -1"),
            ({"size": 1, "statuses": {"FAILED": float("nan")}}, "a weight .*, not nan"),
            ({"size": 1, "statuses": {"FAILED": "x"}}, "a weight .*, not 'x'"),
        ],
    )
    def test_invalid_arguments_are_refused(self, arguments: Any, complaint: str) -> None:
        """The error names the argument, the rule and the value."""
        with pytest.raises(InvalidArgumentError, match=complaint):
            make_fleet(**arguments)
