"""Arguments of a listing are checked before any request.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

from typing import Any

import pytest
from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    paginate,
)
from support import JOB_ID, FleetClient, OtherInt, ScriptedClient, SmallInt

from iotjobs_client import InvalidArgumentError, IoTJobsClient, JobExecutionStatus
from iotjobs_client.testing import make_fleet


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"job_id": ""}, "job_id must be 1 to 64 characters of .*, not ''"),
        ({"job_id": "x" * 65}, "job_id must be"),
        ({"job_id": "firmware-42\n"}, r"job_id must be .*, not 'firmware-42\\n'"),
        ({"job_id": "a/b"}, "job_id must be .*, not 'a/b'"),
        ({"job_id": "../x"}, "job_id must be"),
        ({"job_id": "é"}, "job_id must be"),
        ({"job_id": "٤٢"}, "job_id must be"),
        ({"job_id": None}, "job_id must be .*, not None"),
        ({"job_id": b"x"}, "job_id must be .*, not an object of type bytes"),
        ({"page_size": 0}, "page_size must be an int from 1 to 250, not 0"),
        ({"page_size": 251}, "page_size must be an int from 1 to 250, not 251"),
        ({"page_size": True}, "page_size must be an int from 1 to 250, not True"),
        ({"page_size": 2.0}, "page_size must be"),
        ({"page_size": "5"}, "page_size must be"),
        ({"page_size": None}, "page_size must be"),
        ({"page_size": 10**5000}, "page_size must be .*, not (this int|<int instance)"),
        ({"max_items": 0}, "max_items must be an int of at least 1, not 0"),
        ({"max_items": -1}, "max_items must be"),
        ({"max_items": True}, "max_items must be"),
        ({"max_items": 1.5}, "max_items must be"),
        ({"status": "failed"}, "status must be one of QUEUED, .*, CANCELED, not 'failed'"),
        ({"status": ""}, "status must be one of QUEUED, .*, not ''"),
        ({"status": ["FAILED", "PAUSED"]}, "status must be one of QUEUED, .*, not 'PAUSED'"),
        ({"status": []}, "status must be one status or more, or None for all, not empty"),
        ({"status": JobExecutionStatus("\ud800")}, "status must be without lone surrogates"),
        ({"status": 5}, "status must be a status, several of them or None, not 5"),
        ({"status": [5]}, "status must be one of QUEUED, .*, not 5"),
        ({"status": [["FAILED"]]}, "status must be one of QUEUED"),
        ({"status": b"FAILED"}, "status must be one of QUEUED, .*, not 70"),
        ({"resume_token": 5}, "resume_token must be a str or None, not 5"),
        ({"resume_token": b"x"}, "resume_token must be a str or None, not an object of type bytes"),
        ({"resume_token": ""}, "resume_token must be complete and unchanged"),
        ({"resume_token": "nonsense"}, "resume_token must be complete and unchanged"),
        ({"resume_token": "é"}, "resume_token must be complete and unchanged"),
    ],
)
def test_a_wrong_argument_is_rejected_before_any_request(
    options: dict[str, Any], complaint: str
) -> None:
    """The call itself raises an error that names the argument, the rule and the value."""
    client = ScriptedClient()
    arguments = {"job_id": JOB_ID, **options}
    with pytest.raises(InvalidArgumentError, match=complaint) as caught:
        IoTJobsClient(client).list_job_executions_for_job(**arguments)
    assert caught.value.argument == next(iter(options))
    assert isinstance(caught.value, ValueError)
    assert client.calls == []


def test_an_error_message_stays_short() -> None:
    """A huge value does not make a huge message."""
    with pytest.raises(InvalidArgumentError) as caught:
        IoTJobsClient(ScriptedClient()).list_job_executions_for_job("x" * 10**7)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("three", [SmallInt.THREE, OtherInt(3)], ids=["IntEnum", "other"])
def test_integers_of_other_types_are_accepted(three: Any) -> None:
    """An IntEnum, or a numpy.int64 from a data frame, is sent as a plain int."""
    client = FleetClient(make_fleet(9))
    paginator = paginate(client, page_size=three, max_items=three)
    assert len(list(paginator)) == 3
    assert type(paginator.page_size) is type(paginator.max_items) is int
    assert type(client.calls[0]["maxResults"]) is int


@pytest.mark.parametrize("job_id", ["a", "A_z-9", "x" * 64])
@pytest.mark.parametrize("page_size", [1, 250])
def test_values_at_the_limits_are_allowed(job_id: str, page_size: int) -> None:
    """Values at the limits of the API reference are sent unchanged."""
    client = ScriptedClient({})
    paginator = IoTJobsClient(client).list_job_executions_for_job(
        job_id, page_size=page_size, max_items=1
    )
    assert list(paginator) == []
    assert client.calls == [{"jobId": job_id, "maxResults": page_size}]


@pytest.mark.parametrize(
    ("status", "requested"),
    [
        (None, [None]),
        ("FAILED", ["FAILED"]),
        (JobExecutionStatus.FAILED, ["FAILED"]),
        (JobExecutionStatus("PAUSED"), ["PAUSED"]),
        (["TIMED_OUT", "FAILED", "FAILED"], ["FAILED", "TIMED_OUT"]),
        (
            {"CANCELED": 1, "SUCCEEDED": 2, "IN_PROGRESS": 3, "QUEUED": 4},
            ["QUEUED", "IN_PROGRESS", "SUCCEEDED", "CANCELED"],
        ),
        (
            {"FAILED", *map(JobExecutionStatus, ("PAUSED", "HELD", "IN_PROGRESS"))},
            ["IN_PROGRESS", "HELD", "PAUSED", "FAILED"],
        ),
        (JobExecutionStatus, [status.value for status in JobExecutionStatus]),
    ],
)
@pytest.mark.parametrize("as_iterator", [False, True], ids=["", "iterator"])
def test_statuses_are_listed_in_lifecycle_order(
    status: Any, requested: list[str | None], *, as_iterator: bool
) -> None:
    """Each status is requested once and in order, so a moving execution is not missed."""
    if as_iterator and not isinstance(status, str | None):
        status = iter(status)
    client = ScriptedClient(*[{}] * len(requested))
    assert list(paginate(client, status=status)) == []
    assert [call.get("status") for call in client.calls] == requested
    assert all(type(call.get("status", "")) is str for call in client.calls)
