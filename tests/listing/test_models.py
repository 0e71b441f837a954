"""Statuses, executions and pages are values that can be compared, copied and pickled."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from support import OtherInt

from iotjobs_client import (
    InvalidArgumentError,
    JobExecutionPage,
    JobExecutionStatus,
    JobExecutionSummary,
)
from iotjobs_client.testing import make_execution

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
ARN = "arn:aws:iot:eu-west-1:123456789012:thing/pump-7"


class TestJobExecutionStatus:
    def test_the_class_iterates_over_statuses_in_lifecycle_order(self) -> None:
        """Iteration yields the eight documented statuses, even after an unknown one was used."""
        assert JobExecutionStatus("PAUSED") not in list(JobExecutionStatus)
        assert list(JobExecutionStatus) == [
            "QUEUED",
            "IN_PROGRESS",
            "SUCCEEDED",
            "FAILED",
            "TIMED_OUT",
            "REJECTED",
            "REMOVED",
            "CANCELED",
        ]

    @pytest.mark.parametrize("text", ["FAILED", "PAUSED", "with space", "é"])
    def test_a_status_behaves_as_its_string(self, text: str) -> None:
        """A known or unknown status compares, hashes, prints and joins as its string."""
        status = JobExecutionStatus(text)
        assert status == text
        assert hash(status) == hash(text)
        assert {status: 1}.keys() == {text}
        assert (str(status), f"{status}", f"{status:>12}") == (text, text, f"{text:>12}")
        assert "%s" % status == text  # noqa: UP031
        assert "".join(iter([status])) == text
        assert (status.name, status.value) == (text, text)
        assert type(status.value) is str
        assert JobExecutionStatus(status) == status
        assert text in repr(status)

    @pytest.mark.parametrize("text", ["FAILED", "PAUSED"])
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_status_can_be_pickled_and_copied(self, text: str, protocol: int) -> None:
        """A known or unknown status becomes an equal status."""
        status = JobExecutionStatus(text)
        for twin in (
            pickle.loads(pickle.dumps(status, protocol)),
            copy.copy(status),
            copy.deepcopy(status),
        ):
            assert type(twin) is JobExecutionStatus
            assert twin == status

    def test_is_known_and_is_terminal(self) -> None:
        """Six of the eight statuses are terminal, and an unknown status is not."""
        assert all(status.is_known for status in JobExecutionStatus)
        assert [status for status in JobExecutionStatus if not status.is_terminal] == [
            "QUEUED",
            "IN_PROGRESS",
        ]
        paused = JobExecutionStatus("PAUSED")
        assert not paused.is_known
        assert not paused.is_terminal

    @pytest.mark.parametrize("value", ["", None, 5, b"FAILED", ["FAILED"]])
    def test_only_a_nonempty_string_is_a_status(self, value: object) -> None:
        """Other values raise a ValueError."""
        with pytest.raises(ValueError, match="status must be a string that is not empty, not"):
            JobExecutionStatus(value)


class TestJobExecutionSummary:
    def test_only_the_arn_and_the_status_are_required(self) -> None:
        """The other members are None by default, as in a response without them."""
        summary = JobExecutionSummary(thing_arn=ARN, status="FAILED")
        assert summary.status is JobExecutionStatus.FAILED
        assert attrs.astuple(summary)[2:] == (None,) * 6

    @pytest.mark.parametrize(
        ("arn", "name"),
        [
            (ARN, "pump-7"),
            ("arn:aws-cn:iot:cn-north-1:1:thing/a:b_c-d", "a:b_c-d"),
            ("arn:aws:iot:us-east-1:1:thing/thing", "thing"),
            ("no-arn", "no-arn"),
        ],
    )
    def test_thing_name_is_taken_from_the_arn(self, arn: str, name: str) -> None:
        """The name is the part of the ARN after ``thing/``."""
        assert JobExecutionSummary(thing_arn=arn, status="QUEUED").thing_name == name

    def test_it_is_frozen_hashable_and_slotted(self) -> None:
        """An execution cannot change, so it can be a key of a dict or a member of a set."""
        summary = make_execution()
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            summary.status = JobExecutionStatus.FAILED  # type: ignore[misc]
        with pytest.raises((AttributeError, TypeError)):
            summary.colour = "red"  # type: ignore[attr-defined]
        assert not hasattr(summary, "__dict__")
        assert {summary, make_execution()} == {summary}

    @pytest.mark.parametrize("status", ["FAILED", "PAUSED"])
    def test_it_can_be_pickled_and_copied(self, status: str) -> None:
        """The result equals the original, and has its job."""
        summary = make_execution("pump-7", JobExecutionStatus(status), job_id="firmware-42")
        for twin in (pickle.loads(pickle.dumps(summary)), copy.deepcopy(summary)):
            assert twin == summary
            assert twin.job_id == "firmware-42"

    def test_the_job_is_shown_but_not_compared(self) -> None:
        """Equality is about what the service said of the execution."""
        summary, other = (make_execution(job_id=job_id) for job_id in ("firmware-42", None))
        assert {summary, other} == {other}
        assert "job_id='firmware-42'" in repr(summary)
        with pytest.raises(InvalidArgumentError, match="job_id must be 1 to 64 characters"):
            make_execution(job_id="firmware 42")

    def test_a_summary_as_a_dict_has_values_of_json(self) -> None:
        """Times are text with three digits of a second, or six if they are needed."""
        summary = make_execution(
            "pump-7",
            job_id="firmware-42",
            queued_at=NOON,
            started_at=NOON + timedelta(microseconds=1_001),
            last_updated_at=None,
        )
        row = summary.to_dict()
        assert (
            json.loads(json.dumps(row))
            == row
            == {
                "job_id": "firmware-42",
                "thing_name": "pump-7",
                "thing_arn": summary.thing_arn,
                "status": "SUCCEEDED",
                "execution_number": 1,
                "queued_at": "2026-01-01T12:00:00.000Z",
                "started_at": "2026-01-01T12:00:00.001001Z",
                "last_updated_at": None,
                "retry_attempt": 0,
            }
        )
        assert type(row["status"]) is str

    def test_integers_become_plain_ints(self) -> None:
        """An integer of a data frame, such as a numpy.int64, is not kept as it is."""
        number: Any = OtherInt(3)
        summary = make_execution(execution_number=number, retry_attempt=number)
        assert (summary.execution_number, summary.retry_attempt) == (3, 3)
        assert type(summary.execution_number) is int

    @pytest.mark.parametrize(
        ("members", "complaint"),
        [
            ({"thing_arn": ""}, "thing_arn must be a string that is not empty, not ''"),
            ({"thing_arn": None}, "thing_arn must be a string that is not empty, not None"),
            ({"status": ""}, "status must be a string that is not empty, not ''"),
            ({"status": 5}, "status must be a string that is not empty, not 5"),
            (
                {"execution_number": "5"},
                "execution_number or retry_attempt must be an int, not '5'",
            ),
            ({"retry_attempt": True}, "execution_number or retry_attempt must be .* not True"),
            ({"execution_number": True}, "execution_number or retry_attempt must be .* not True"),
            (
                {"queued_at": 5},
                "queued_at, started_at and last_updated_at must be a datetime or None, not 5",
            ),
            (
                {"queued_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
                "a time must be within the years 1 to 9999 in UTC",
            ),
        ],
    )
    def test_a_member_of_another_type_is_rejected(
        self, members: dict[str, object], complaint: str
    ) -> None:
        """The error names the member, the rule and the value."""
        arguments: dict[str, object] = {"thing_arn": ARN, "status": "FAILED", **members}
        with pytest.raises(InvalidArgumentError, match=complaint):
            JobExecutionSummary(**arguments)  # type: ignore[arg-type]


def test_a_page_is_frozen_and_its_repr_hides_tokens() -> None:
    """A page can be pickled, and its repr is safe to log."""
    page = JobExecutionPage((make_execution(),), "secret-1", "secret-2", "request-1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        page.next_token = None  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(page)) == page
    assert "secret" not in repr(page)
    assert "request-1" in repr(page)
