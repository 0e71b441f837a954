"""Listings with botocore's Stubber, as users test: parameters, errors and unused responses."""

from __future__ import annotations

import pytest
from botocore.exceptions import StubAssertionError
from botocore.stub import Stubber
from support import JOB_ID, OPERATION, UNUSED_URL, boto3_client

from iotjobs_client import (
    ConfigurationError,
    IoTJobsClient,
    IoTJobsError,
    ServiceError,
    ThrottlingError,
)
from iotjobs_client.testing import make_fleet, make_response


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [("ThrottlingException", 429, ThrottlingError), ("SomethingElse", 418, ServiceError)],
)
def test_a_stubbed_error_is_mapped_and_the_listing_continues(
    code: str, http_status: int, expected: type[IoTJobsError]
) -> None:
    """The error has its class, the details and the token to resume at.

    Absent arguments are left out of requests, and the token of each page requests the next one.
    """
    fleet = make_fleet(4)
    parameters = {"jobId": JOB_ID, "maxResults": 250}
    with Stubber(boto3_client(UNUSED_URL)) as stubber:
        stubber.add_response(OPERATION, make_response(fleet[:2], "t1"), parameters)
        stubber.add_client_error(OPERATION, code, "no", http_status)
        stubber.add_response(OPERATION, make_response(fleet[2:]), {**parameters, "nextToken": "t1"})
        executions = iter(IoTJobsClient(stubber.client).list_job_executions_for_job(JOB_ID))
        found = [next(executions), next(executions)]
        text = f"firmware-42.*{code}.*HTTP {http_status}"
        with pytest.raises(ServiceError, match=text) as caught:
            next(executions)
        assert type(caught.value) is expected
        assert (caught.value.code, caught.value.message) == (code, "no")
        assert caught.value.resume_token == executions.resume_token
        assert [*found, *executions] == fleet
        stubber.assert_no_pending_responses()


def test_an_unexpected_call_is_a_configuration_error() -> None:
    """The message has the text of botocore's error, which is the cause."""
    with Stubber(boto3_client(UNUSED_URL)) as stubber:
        executions = IoTJobsClient(stubber.client).list_job_executions_for_job(JOB_ID)
        with pytest.raises(ConfigurationError, match="Unexpected API Call"):
            list(executions)
        stubber.add_response(OPERATION, {}, {"jobId": "another"})
        with pytest.raises(ConfigurationError, match="Expected parameters") as caught:
            list(executions)
        assert isinstance(caught.value.__cause__, StubAssertionError)
