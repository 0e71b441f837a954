"""Other clients list the same as this library: the AWS CLI, aiobotocore and raw boto3.

``nox -s interop`` runs it, because the first two pin their own versions of botocore.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from aiobotocore.session import get_session
from moto.server import ThreadedMotoServer
from support import JOB_ID

from iotjobs_client import JobExecutionSummary, ThrottlingError
from iotjobs_client.testing import make_fleet, make_response
from iotjobs_client.testing.fixtures import StartLocalEndpoint

FLEET = make_fleet(600)
Client = Callable[[str, "str | None"], "list[dict[str, Any]]"]


def with_the_aws_cli(job_id: str, status: str | None) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "awscli", "iot", "list-job-executions-for-job"]
    command += ["--job-id", job_id, "--output", "json"]
    if status is not None:
        command += ["--status", status]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    items: list[dict[str, Any]] = json.loads(answer.stdout)["executionSummaries"]
    return items


def with_aiobotocore(job_id: str, status: str | None) -> list[dict[str, Any]]:
    async def listed() -> list[dict[str, Any]]:
        filters = {} if status is None else {"status": status}
        async with get_session().create_client("iot") as client:
            pages = client.get_paginator("list_job_executions_for_job").paginate(
                jobId=job_id, **filters
            )
            return [item async for page in pages for item in page["executionSummaries"]]

    return asyncio.run(listed())


def with_boto3(job_id: str, status: str | None) -> list[dict[str, Any]]:
    client: Any = boto3.client("iot")
    filters = {} if status is None else {"status": status}
    pages = client.get_paginator("list_job_executions_for_job").paginate(jobId=job_id, **filters)
    items = [item for page in pages for item in page["executionSummaries"]]
    client.close()
    return items


def with_this_command_line(job_id: str, status: str | None) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "iotjobs_client", "list", job_id]
    if status is not None:
        command.append(f"--status={status}")
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    return [make_response([to_summary(row)])["executionSummaries"][0] for row in rows]


def to_summary(row: dict[str, Any]) -> JobExecutionSummary:
    times = {
        name: value and datetime.fromisoformat(value.replace("Z", "+00:00"))
        for name, value in row.items()
        if name.endswith("_at")
    }
    del row["thing_name"]
    return JobExecutionSummary(**{**row, **times})


CLIENTS = [with_the_aws_cli, with_aiobotocore, with_boto3]


def to_execution(item: dict[str, Any]) -> JobExecutionSummary:
    """Convert an item of another client; the AWS CLI leaves times as numbers."""
    summary = item["jobExecutionSummary"]
    times: dict[str, datetime | None] = {
        name: datetime.fromtimestamp(time, timezone.utc) if isinstance(time, float) else time
        for name in ("queuedAt", "startedAt", "lastUpdatedAt")
        for time in [summary.get(name)]
    }
    return JobExecutionSummary(
        thing_arn=item["thingArn"],
        status=summary["status"],
        execution_number=summary["executionNumber"],
        queued_at=times["queuedAt"],
        started_at=times["startedAt"],
        last_updated_at=times["lastUpdatedAt"],
        retry_attempt=summary.get("retryAttempt"),
    )


@pytest.mark.parametrize("status", [None, "FAILED"])
@pytest.mark.parametrize("client", [*CLIENTS, with_this_command_line])
def test_all_clients_list_the_same(
    client: Client, status: str | None, local_endpoint: StartLocalEndpoint
) -> None:
    """Each client lists each execution with each member, with a filter and without."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    with endpoint.client() as ours:
        expected = list(ours.list_job_executions_for_job(JOB_ID, status=status))
    assert [to_execution(item) for item in client(JOB_ID, status)] == expected
    assert len(expected) == (600 if status is None else sum(e.status == status for e in FLEET))


@pytest.mark.parametrize(
    ("job_id", "status", "code"),
    [
        ("nobody", None, "ResourceNotFoundException"),
        (JOB_ID, "failed", "InvalidRequestException"),
        ("a b", None, "InvalidRequestException"),
    ],
)
@pytest.mark.parametrize("client", CLIENTS)
def test_all_clients_get_the_same_error(
    client: Client, job_id: str, status: str | None, code: str, local_endpoint: StartLocalEndpoint
) -> None:
    """A request that the API reference forbids has the error code that it names."""
    local_endpoint({JOB_ID: FLEET})
    with pytest.raises(Exception, match=code):
        client(job_id, status)


def test_the_rows_are_the_same_as_the_aws_clis(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line and the AWS CLI list the same from moto's server."""
    local_endpoint({})  # sets the credentials and the region
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_IOT", f"http://{host}:{port}")
    iot: Any = boto3.client("iot")
    arns = [iot.create_thing(thingName=f"thing-{n}")["thingArn"] for n in range(300)]
    iot.create_job(jobId=JOB_ID, targets=arns, document="{}")
    iot.cancel_job_execution(jobId=JOB_ID, thingName="thing-3", force=True)
    for status, number in ((None, 300), ("QUEUED", 299)):
        ours, theirs = (
            [to_execution(item) for item in client(JOB_ID, status)]
            for client in (with_this_command_line, with_the_aws_cli)
        )
        assert ours == theirs
        assert len(ours) == number
    iot.close()
    server.stop()


@pytest.mark.parametrize("client", CLIENTS)
def test_all_clients_retry_temporary_faults(
    client: Client, local_endpoint: StartLocalEndpoint
) -> None:
    """A throttled and a lost request are retried, so the listing is complete."""
    local_endpoint({JOB_ID: FLEET}, faults={2: "disconnect", 4: ThrottlingError})
    assert len(client(JOB_ID, None)) == 600
