"""Against the server of moto, an emulator that others wrote."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from moto.server import ThreadedMotoServer
from moto_job import REGION, SIZE, STATUSES, list_raw, make_client, set_up
from support import JOB_ID, boto3_client, session, to_item

from iotjobs_client import IoTJobsClient
from iotjobs_client.cli._app import iotjobs
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

pytestmark = pytest.mark.one_python


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
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
def ours(request: pytest.FixtureRequest, server: str) -> Iterator[IoTJobsClient]:
    if request.param == "owned":
        session = boto3.Session("x", "x", region_name=REGION)
        with IoTJobsClient(session=session, endpoint_url=server) as client:
            yield client
    else:
        borrowed = make_client(endpoint_url=server)
        yield IoTJobsClient(borrowed)
        borrowed.close()


@pytest.fixture
def theirs(server: str) -> Iterator[Any]:
    client = make_client(endpoint_url=server)
    yield client
    client.close()


@pytest.mark.parametrize("status", [None, *STATUSES, "REJECTED"])
@pytest.mark.parametrize("page_size", [5, SIZE, 250])
def test_we_list_what_raw_boto3_lists(
    ours: IoTJobsClient, theirs: Any, status: str | None, page_size: int
) -> None:
    """All of the job or one status of it, over several pages or one."""
    found = list(ours.list_job_executions_for_job(JOB_ID, status=status, page_size=page_size))
    expected = list_raw(theirs, **({} if status is None else {"status": status}))
    assert [to_item(execution) for execution in found] == expected
    assert len(found) > 3 or status == "REJECTED"
    assert status is not None or len(found) == SIZE
    assert all(execution.queued_at.tzinfo is timezone.utc for execution in found)  # type: ignore[union-attr]


def test_a_listing_resumes_in_the_middle_of_a_page(ours: IoTJobsClient, theirs: Any) -> None:
    """Item-exact with tokens that are not ours."""
    executions = iter(ours.list_job_executions_for_job(JOB_ID, page_size=5))
    found = [next(executions) for _ in range(8)]
    token = executions.resume_token
    found += ours.list_job_executions_for_job(JOB_ID, page_size=5, resume_token=token)
    assert [to_item(execution) for execution in found] == list_raw(theirs)


def test_several_statuses_are_each_listed_whole(ours: IoTJobsClient, theirs: Any) -> None:
    """In lifecycle order, whatever order they are named in."""
    found = ours.list_job_executions_for_job(JOB_ID, status=["FAILED", "QUEUED"], page_size=2)
    expected = list_raw(theirs, status="QUEUED") + list_raw(theirs, status="FAILED")
    assert [to_item(execution) for execution in found] == expected


def test_the_command_line_lists_what_raw_boto3_lists(
    server: str, theirs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row an execution, with the same members."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    options = ["--page-size=5", f"--endpoint-url={server}", f"--region={REGION}"]
    found = CliRunner().invoke(iotjobs, ["list", JOB_ID, *options])
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert [
        (row["thing_arn"], row["status"], row["queued_at"], row["execution_number"]) for row in rows
    ] == [
        (
            item["thingArn"],
            item["jobExecutionSummary"]["status"],
            f"{item['jobExecutionSummary']['queuedAt'].astimezone(timezone.utc):%FT%T.%f}"[:-3]
            + "Z",
            item["jobExecutionSummary"]["executionNumber"],
        )
        for item in list_raw(theirs)
    ]
    assert len(rows) == SIZE


def answer_of(client: Any, **arguments: Any) -> Any:
    """What ``client`` gets: the first item, the number of items, or the code of an error."""
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
        # Nor has it any other error for a token that is none.
        ({"nextToken": "x"}, "InvalidToken", "InvalidRequestException"),
    ],
)
def test_where_moto_lets_through_what_the_reference_forbids(
    theirs: Any, arguments: Any, moto: Any, endpoint: str
) -> None:
    """The testing kit's endpoint is the one that is right, by the API reference."""
    with LocalEndpoint({JOB_ID: make_fleet(SIZE)}) as kit:
        client = boto3_client(kit.url)
        assert (answer_of(theirs, **arguments), answer_of(client, **arguments)) == (moto, endpoint)
        client.close()


def test_where_moto_makes_up_what_the_service_leaves_out(theirs: Any) -> None:
    """AWS's examples have no startedAt for a QUEUED execution, and number executions from 1.

    The endpoint of the testing kit does likewise, and knows retryAttempt.
    """
    with LocalEndpoint({JOB_ID: [make_execution(status="QUEUED")]}) as kit:
        client = boto3_client(kit.url)
        first, ours = (answer_of(each, maxResults=1, status="QUEUED") for each in (theirs, client))
        client.close()
    assert "startedAt" in first
    assert "startedAt" not in ours
    assert (first["executionNumber"], ours["executionNumber"]) == (123, 1)
    assert ours.keys() - first.keys() == {"retryAttempt"}


def test_where_moto_and_the_endpoint_agree(server: str) -> None:
    """The same executions come in the same pages, whatever their size."""
    with IoTJobsClient(session=session(), endpoint_url=server) as client:
        fleet = list(client.list_job_executions_for_job(JOB_ID))
        with LocalEndpoint({JOB_ID: fleet}) as kit, kit.client() as other:
            for options in ({}, {"page_size": 5}, {"page_size": 5, "status": "FAILED"}):
                pages, others = (
                    [p.executions for p in c.list_job_executions_for_job(JOB_ID, **options).pages()]
                    for c in (client, other)
                )
                assert pages == others
