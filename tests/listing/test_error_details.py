"""Errors of a listing contain the facts that a user needs to find their cause."""

from __future__ import annotations

import pytest
from support import JOB_ID, FleetClient, ScriptedClient

from iotjobs_client import InvalidArgumentError, IoTJobsClient, PaginationError
from iotjobs_client.testing import make_fleet, make_response


def test_a_repeated_token_names_the_request() -> None:
    """The error has the request id of the response that repeats the token."""
    metadata = {"ResponseMetadata": {"RequestId": "request-2"}}
    client = IoTJobsClient(
        ScriptedClient(make_response([], "a"), {**make_response([], "a"), **metadata})
    )
    with pytest.raises(PaginationError, match=r"\(request id request-2\)") as caught:
        list(client.list_job_executions_for_job(JOB_ID))
    assert caught.value.request_id == "request-2"
    assert caught.value.job_id == JOB_ID


def test_a_damaged_token_is_described_by_its_length() -> None:
    """The text has the length of the token, which shows if it was cut."""
    client = IoTJobsClient(ScriptedClient())
    with pytest.raises(InvalidArgumentError, match="these 5 characters are not"):
        client.list_job_executions_for_job(JOB_ID, resume_token="xxxxx")


@pytest.mark.parametrize(
    ("made_with", "used_with", "expected"),
    [
        (["FAILED"], None, r"with status \['FAILED'\], not of job 'other' with status None"),
        (None, ["FAILED"], r"with status None, not of job 'other' with status \['FAILED'\]"),
    ],
)
def test_a_token_of_another_listing_names_both(
    made_with: list[str] | None, used_with: list[str] | None, expected: str
) -> None:
    """The text has the job and the statuses of both listings."""
    client = IoTJobsClient(FleetClient(make_fleet(3)))
    token = iter(client.list_job_executions_for_job(JOB_ID, status=made_with)).resume_token
    with pytest.raises(InvalidArgumentError, match=f"it is of job 'firmware-42' {expected}"):
        client.list_job_executions_for_job("other", status=used_with, resume_token=token)
