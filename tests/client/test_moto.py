"""Listings of a job on the server of moto, an independent emulator of AWS."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from moto_job import REGION, SIZE, STATUSES, list_raw, make_client, set_up
from support import JOB_ID, boto3_client, session, to_item

from iotjobs_client import IoTJobsClient
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

pytestmark = pytest.mark.one_python


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run moto's server with a job, and yield its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = make_client(endpoint_url=url)
    set_up(client)
    client.close()
    yield url
    server.stop()


@pytest.fixture(params=["owned", "borrowed"])
def jobs_client(request: pytest.FixtureRequest, server: str) -> Iterator[IoTJobsClient]:
    """Yield an owned or a borrowed client of moto's server."""
    if request.param == "owned":
        session = boto3.Session("x", "x", region_name=REGION)
        with IoTJobsClient(session=session, endpoint_url=server) as client:
            yield client
    else:
        borrowed = make_client(endpoint_url=server)
        yield IoTJobsClient(borrowed)
        borrowed.close()


@pytest.fixture
def raw_client(server: str) -> Iterator[Any]:
    """Yield a raw boto3 client of moto's server."""
    client = make_client(endpoint_url=server)
    yield client
    client.close()


@pytest.mark.parametrize("status", [None, *STATUSES, "REJECTED"])
@pytest.mark.parametrize("page_size", [5, SIZE, 250])
def test_a_listing_is_the_same_as_raw_boto3s(
    jobs_client: IoTJobsClient, raw_client: Any, status: str | None, page_size: int
) -> None:
    """A listing of a job or of one status is the same as boto3's, for any page size."""
    found = list(
        jobs_client.list_job_executions_for_job(JOB_ID, status=status, page_size=page_size)
    )
    expected = list_raw(raw_client, **({} if status is None else {"status": status}))
    assert [to_item(execution) for execution in found] == expected
    assert len(found) > 3 or status == "REJECTED"
    assert status is not None or len(found) == SIZE
    assert all(execution.queued_at.tzinfo is timezone.utc for execution in found)  # type: ignore[union-attr]


def test_a_listing_resumes_in_the_middle_of_a_page(
    jobs_client: IoTJobsClient, raw_client: Any
) -> None:
    """A resumption is exact to the item with moto's tokens."""
    executions = iter(jobs_client.list_job_executions_for_job(JOB_ID, page_size=5))
    found = [next(executions) for _ in range(8)]
    token = executions.resume_token
    found += jobs_client.list_job_executions_for_job(JOB_ID, page_size=5, resume_token=token)
    assert [to_item(execution) for execution in found] == list_raw(raw_client)


def test_several_statuses_are_listed_in_lifecycle_order(
    jobs_client: IoTJobsClient, raw_client: Any
) -> None:
    """The order in which the statuses are named does not matter."""
    found = jobs_client.list_job_executions_for_job(
        JOB_ID, status=["FAILED", "QUEUED"], page_size=2
    )
    expected = list_raw(raw_client, status="QUEUED") + list_raw(raw_client, status="FAILED")
    assert [to_item(execution) for execution in found] == expected


def first_or_count(client: Any, **arguments: Any) -> Any:
    """Return the first item if one was requested, the number of items, or an error's code."""
    try:
        items = client.list_job_executions_for_job(**{"jobId": JOB_ID, **arguments})
    except ClientError as error:
        return error.response["Error"]["Code"]
    found = items["executionSummaries"]
    return found[0]["jobExecutionSummary"] if arguments.get("maxResults") == 1 else len(found)


@pytest.mark.parametrize(
    ("arguments", "moto", "endpoint"),
    [
        # The reference lists ResourceNotFoundException among the errors of the operation.
        ({"jobId": "nobody"}, 0, "ResourceNotFoundException"),
        # It gives the length and the pattern of jobId, the range of maxResults and the values of
        # status; and InvalidRequestException for a request that is not valid.
        ({"jobId": "a b"}, 0, "InvalidRequestException"),
        ({"jobId": "x" * 65}, 0, "InvalidRequestException"),
        ({"maxResults": 251}, SIZE, "InvalidRequestException"),
        ({"status": "failed"}, 0, "InvalidRequestException"),
        # The reference names no other error that fits an invalid token.
        ({"nextToken": "x"}, "InvalidToken", "InvalidRequestException"),
    ],
)
def test_moto_accepts_requests_that_the_reference_forbids(
    raw_client: Any, arguments: Any, moto: Any, endpoint: str
) -> None:
    """The testing kit's endpoint refuses them, as the API reference says."""
    with LocalEndpoint({JOB_ID: make_fleet(SIZE)}) as kit:
        client = boto3_client(kit.url)
        assert (first_or_count(raw_client, **arguments), first_or_count(client, **arguments)) == (
            moto,
            endpoint,
        )
        client.close()


def test_moto_sends_members_that_the_service_leaves_out(raw_client: Any) -> None:
    """The testing kit follows AWS's examples where moto differs from them.

    In the examples, a QUEUED execution has no startedAt, executions are numbered from 1, and there
    is a retryAttempt.
    """
    with LocalEndpoint({JOB_ID: [make_execution(status="QUEUED")]}) as kit:
        client = boto3_client(kit.url)
        first, own = (
            first_or_count(each, maxResults=1, status="QUEUED") for each in (raw_client, client)
        )
        client.close()
    assert "startedAt" in first
    assert "startedAt" not in own
    assert (first["executionNumber"], own["executionNumber"]) == (123, 1)
    assert own.keys() - first.keys() == {"retryAttempt"}


def test_moto_and_the_endpoint_send_the_same_pages(server: str) -> None:
    """The pages have the same executions, whatever their size."""
    with IoTJobsClient(session=session(), endpoint_url=server) as client:
        fleet = list(client.list_job_executions_for_job(JOB_ID))
        with LocalEndpoint({JOB_ID: fleet}) as kit, kit.client() as other:
            for options in ({}, {"page_size": 5}, {"page_size": 5, "status": "FAILED"}):
                pages, others = (
                    [p.executions for p in c.list_job_executions_for_job(JOB_ID, **options).pages()]
                    for c in (client, other)
                )
                assert pages == others
