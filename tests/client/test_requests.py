"""Requests over owned and borrowed clients: the user agent, timeouts and lost connections."""

from __future__ import annotations

import os
from typing import Any

import boto3
import pytest
from support import JOB_ID, boto3_client, short_read_timeout

from iotjobs_client import IoTJobsClient, RequestTimeoutError, TransportError
from iotjobs_client.testing import Fault, LocalEndpoint, make_fleet


@pytest.mark.parametrize("is_owned", [True, False], ids=["owned", "borrowed"])
def test_botocore_does_not_parse_the_pages(is_owned: bool) -> None:  # noqa: FBT001
    """Times stay numbers in botocore's events, so botocore did not parse the response."""
    with LocalEndpoint({JOB_ID: make_fleet(1)}) as endpoint, endpoint.client() as owner:
        client = owner if is_owned else IoTJobsClient(owner.boto3_client)
        seen: list[Any] = []

        def record_time(parsed: dict[str, Any], **_: Any) -> None:
            seen.append(parsed["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"])

        owner.boto3_client.meta.events.register("after-call.iot", record_time)
        list(client.list_job_executions_for_job(JOB_ID))
    assert [type(time) for time in seen] == [float]


@pytest.mark.parametrize("is_owned", [True, False], ids=["owned", "borrowed"])
def test_the_user_agent_names_this_library(is_owned: bool) -> None:  # noqa: FBT001
    """The user agent ends with the name and version of this library."""
    from iotjobs_client import __version__

    with LocalEndpoint({JOB_ID: make_fleet(1)}) as endpoint:
        owner = endpoint.client()
        client = owner if is_owned else IoTJobsClient(owner.boto3_client)
        list(client.list_job_executions_for_job(JOB_ID))
        owner.close()
        (request,) = endpoint.requests
    assert request.user_agent.startswith("Boto3/")
    assert request.user_agent.endswith(f" iotjobs-client/{__version__}")


def test_a_refused_connection_is_a_transport_error() -> None:
    """A refused connection is a retryable TransportError."""
    with LocalEndpoint({}) as endpoint:
        url = endpoint.url
    client = IoTJobsClient(boto3_client(url))
    with pytest.raises(TransportError, match="Could not connect") as caught:
        list(client.list_job_executions_for_job(JOB_ID))
    assert caught.value.is_retryable


def test_the_message_of_a_lost_connection_has_no_token() -> None:
    """The message leaves out the query of the URL, which holds the service's token."""
    faults: dict[int, Fault] = {2: "disconnect"}
    with LocalEndpoint({JOB_ID: make_fleet(9)}, faults=faults) as endpoint:
        borrowed = boto3_client(endpoint.url)
        with pytest.raises(TransportError, match=r'"http.*/firmware-42/things\?…"') as caught:
            list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID, page_size=5))
        borrowed.close()
        assert endpoint.requests[1].next_token is not None
    assert "nextToken" not in str(caught.value)
    assert "nextToken" in str(caught.value.__cause__)


def test_a_late_response_is_a_timeout() -> None:
    """RequestTimeoutError is a TimeoutError too, and the same iterator continues after it."""
    fleet = make_fleet(2)
    with LocalEndpoint({JOB_ID: fleet}, faults={1: "hang"}) as endpoint:
        borrowed = boto3_client(endpoint.url)
        executions = iter(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
        with short_read_timeout(endpoint, 1):
            with pytest.raises(TimeoutError, match="Read timeout") as caught:
                next(executions)
            assert type(caught.value) is RequestTimeoutError
            assert list(executions) == fleet
        borrowed.close()


def test_the_tests_see_no_aws_configuration() -> None:
    """The tests have no AWS profile or credentials, so no test can reach AWS."""
    assert not any(name.startswith("AWS_PROFILE") for name in os.environ)
    assert boto3.Session().get_credentials() is None
