"""Listings over real HTTP on loopback, with real boto3, real signatures and real faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import boto3
import pytest
from support import JOB_ID, boto3_client, listing_error, owning_client, served

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionSummary,
    ResourceNotFoundError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
    __version__,
)
from iotjobs_client.testing import Fault, LocalEndpoint, make_fleet


@pytest.fixture(params=["owned", "borrowed"])
def client_of(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Yield a function that makes a client of an endpoint, owned or borrowed."""
    with ExitStack() as stack:

        def make(endpoint: LocalEndpoint) -> IoTJobsClient:
            if request.param == "owned":
                return stack.enter_context(owning_client(endpoint.url))
            borrowed = boto3_client(endpoint.url)
            stack.callback(borrowed.close)
            return IoTJobsClient(borrowed)

        yield make


@pytest.mark.parametrize("page_size", [1, 7, 250])
@pytest.mark.parametrize("status", [None, "FAILED", ["QUEUED", "FAILED", "TIMED_OUT"]])
def test_each_execution_is_listed_once_and_in_order(
    client_of: Any, page_size: int, status: Any
) -> None:
    """Each execution is listed with every member, for any page size and filter."""
    fleet = make_fleet(300)
    with LocalEndpoint({JOB_ID: fleet, "other": make_fleet(5)}) as endpoint:
        client = client_of(endpoint)
        found = list(client.list_job_executions_for_job(JOB_ID, status=status, page_size=page_size))
    statuses = [status] if isinstance(status, str) or status is None else status
    assert found == [e for each in statuses for e in fleet if each in (None, e.status)]


def test_botocore_retries_as_configured() -> None:
    """Faults that botocore's retries overcome do not show."""
    fleet = make_fleet(10)
    faults: dict[int, Fault] = {1: ThrottlingError, 2: "disconnect", 4: ServiceUnavailableError}
    with LocalEndpoint({JOB_ID: fleet}, faults=faults) as endpoint:
        retrying = boto3_client(endpoint.url, retries={"total_max_attempts": 5, "mode": "standard"})
        found = list(IoTJobsClient(retrying).list_job_executions_for_job(JOB_ID, page_size=5))
        retrying.close()
        assert found == fleet
        assert len(endpoint.requests) == 5


@pytest.mark.one_python
@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_a_listing_above_the_quota_is_throttled_and_exact(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Botocore retries throttled requests, and after an error the iterator continues.

    ``attempts`` is the number of times that botocore sent the request.
    """
    # The quota admits one request in four, so a retry of botocore may be throttled too.
    # The endpoint has no public option for its clock.
    times = count(step=1 / 8)
    monkeypatch.setattr("iotjobs_client.testing._endpoint._now", lambda: next(times))
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's pauses
    fleet = make_fleet(27)
    found: list[JobExecutionSummary] = []
    errors: list[ThrottlingError] = []
    retries: Any = {"mode": mode, "total_max_attempts": 2}
    with (
        LocalEndpoint({JOB_ID: fleet}, requests_per_second=2) as endpoint,
        owning_client(endpoint.url, retries=retries) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=7))
        while executions.resume_token is not None:
            try:
                for execution in executions:
                    found.append(execution)
            except ThrottlingError as error:
                errors.append(error)
        assert found == fleet
        assert {error.attempts for error in errors} == {2}
        # Some requests were throttled once, and succeeded when botocore retried them.
        assert len(endpoint.requests) - 4 > 2 * len(errors)


def test_an_unknown_job_is_not_an_empty_one(client_of: Any) -> None:
    """A misspelled job id is an error, so it does not read as a job without failures."""
    with LocalEndpoint({JOB_ID: []}) as endpoint:
        client = client_of(endpoint)
        assert list(client.list_job_executions_for_job(JOB_ID)) == []
        with pytest.raises(ResourceNotFoundError, match="job 'firmware-24'"):
            list(client.list_job_executions_for_job("firmware-24"))


def test_botocore_gets_an_empty_body_to_parse() -> None:
    """A later handler of the event sees that nothing is left to parse."""
    bodies: list[bytes] = []

    def note(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    fleet = make_fleet(3)
    with served(fleet) as (_, client):
        client.boto3_client.meta.events.register_last("before-parse.iot", note)
        assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
        client.boto3_client.list_job_executions_for_job(jobId=JOB_ID)
    assert [body == b"" for body in bodies] == [True, False]


def test_the_user_agent_names_this_library(client_of: Any) -> None:
    """The user agent ends with the name and version of this library."""
    with LocalEndpoint({JOB_ID: []}) as endpoint:
        list(client_of(endpoint).list_job_executions_for_job(JOB_ID))
        (request,) = endpoint.requests
    assert request.user_agent.startswith("Boto3/")
    assert request.user_agent.endswith(f" iotjobs-client/{__version__}")


def test_the_message_of_a_lost_connection_has_no_token() -> None:
    """The message leaves out the query of the URL, which holds the service's token."""
    with served(make_fleet(300), faults={2: "disconnect"}) as (endpoint, client):
        error = listing_error(client)
        assert endpoint.requests[1].next_token is not None
    assert type(error) is TransportError
    assert '/firmware-42/things?…"' in str(error)
    assert "nextToken" not in str(error)
    assert "nextToken" in str(error.__cause__)


def test_the_tests_see_no_aws_configuration() -> None:
    """The tests have no AWS profile or credentials, so no test can reach AWS."""
    assert not any(name.startswith("AWS_PROFILE") for name in os.environ)
    assert boto3.Session().get_credentials() is None
