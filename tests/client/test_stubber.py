"""Listings with botocore's Stubber, as users test: parameters, errors and unused responses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import StubAssertionError
from botocore.stub import Stubber
from support import JOB_ID, OPERATION, PAUSED, to_item

from iotjobs_client import (
    AccessDeniedError,
    ConfigurationError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
)
from iotjobs_client.testing import make_execution, make_fleet, make_response


@pytest.fixture
def stubber() -> Iterator[Stubber]:
    """Yield an active Stubber, and check that each of its responses was used."""
    client = boto3.client(
        "iot", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def make_client(stubber: Stubber) -> IoTJobsClient:
    return IoTJobsClient(stubber.client)


def test_the_parameters_are_those_of_the_api_reference(stubber: Stubber) -> None:
    """Absent arguments are left out, and the token of each page requests the next one."""
    fleet = make_fleet(5)
    stubber.add_response(
        OPERATION, make_response(fleet[:3], "t1"), {"jobId": JOB_ID, "maxResults": 3}
    )
    stubber.add_response(
        OPERATION, make_response(fleet[3:]), {"jobId": JOB_ID, "maxResults": 3, "nextToken": "t1"}
    )
    assert list(make_client(stubber).list_job_executions_for_job(JOB_ID, page_size=3)) == fleet


def test_each_status_is_requested_in_lifecycle_order(stubber: Stubber) -> None:
    """All pages of a status are requested before the next status."""
    queued, failed, more = (make_execution(s, s) for s in ("QUEUED", "FAILED", "FAILED"))
    base = {"jobId": JOB_ID, "maxResults": 250}
    stubber.add_response(OPERATION, make_response([queued]), {**base, "status": "QUEUED"})
    stubber.add_response(OPERATION, make_response([failed], "t"), {**base, "status": "FAILED"})
    stubber.add_response(
        OPERATION, make_response([more]), {**base, "status": "FAILED", "nextToken": "t"}
    )
    executions = make_client(stubber).list_job_executions_for_job(
        JOB_ID, status=["FAILED", "QUEUED"]
    )
    assert list(executions) == [queued, failed, more]


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [
        ("InvalidRequestException", 400, InvalidRequestError),
        ("ResourceNotFoundException", 404, ResourceNotFoundError),
        ("ThrottlingException", 429, ThrottlingError),
        ("ThrottlingException", 400, ThrottlingError),
        ("ServiceUnavailableException", 503, ServiceUnavailableError),
        ("AccessDeniedException", 403, AccessDeniedError),
        ("InternalFailureException", 500, InternalServiceError),
        ("SomethingElse", 418, ServiceError),
    ],
)
def test_a_stubbed_error_is_mapped_and_the_listing_continues(
    stubber: Stubber, code: str, http_status: int, expected: type[IoTJobsError]
) -> None:
    """The error has its class, the details and the token to resume at."""
    fleet = make_fleet(4)
    stubber.add_response(OPERATION, make_response(fleet[:2], "t1"))
    stubber.add_client_error(OPERATION, code, "no", http_status)
    stubber.add_response(
        OPERATION, make_response(fleet[2:]), {"jobId": JOB_ID, "maxResults": 250, "nextToken": "t1"}
    )
    executions = iter(make_client(stubber).list_job_executions_for_job(JOB_ID))
    found = [next(executions), next(executions)]
    with pytest.raises(ServiceError, match=f"firmware-42.*{code}.*HTTP {http_status}") as caught:
        next(executions)
    assert type(caught.value) is expected
    assert caught.value.code == code
    assert caught.value.message == "no"
    assert caught.value.resume_token == executions.resume_token
    assert [*found, *executions] == fleet


def test_unusual_values_of_a_stub_are_accepted(stubber: Stubber) -> None:
    """Unknown statuses, integer and naive times, and an empty response are accepted."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    item = to_item(make_execution(status=PAUSED))
    item["jobExecutionSummary"] |= {
        "queuedAt": int(moment.timestamp()),
        "startedAt": moment.replace(tzinfo=None),
    }
    stubber.add_response(OPERATION, {"executionSummaries": [item], "nextToken": "t"})
    stubber.add_response(OPERATION, {})
    (execution,) = make_client(stubber).list_job_executions_for_job(JOB_ID)
    assert (execution.queued_at, execution.started_at) == (moment, moment)
    assert execution.status == "PAUSED"


def test_a_stub_without_required_members_is_malformed(stubber: Stubber) -> None:
    """The error names the item that lacks a member."""
    stubber.add_response(OPERATION, {"executionSummaries": [{"thingArn": "x"}]})
    with pytest.raises(MalformedResponseError, match=r"executionSummaries\[0\]"):
        list(make_client(stubber).list_job_executions_for_job(JOB_ID))


def test_an_unexpected_call_is_a_configuration_error() -> None:
    """The message has the text of botocore's error, which is the cause."""
    client = boto3.client(
        "iot", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        executions: Any = IoTJobsClient(client).list_job_executions_for_job(JOB_ID)
        with pytest.raises(ConfigurationError, match="Unexpected API Call"):
            list(executions)
        stubber.add_response(OPERATION, {}, {"jobId": "another"})
        with pytest.raises(ConfigurationError, match="Expected parameters") as caught:
            list(executions)
        assert isinstance(caught.value.__cause__, StubAssertionError)
