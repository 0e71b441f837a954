"""What other clients list from a ``LocalEndpoint``: the AWS CLI, aiobotocore and raw boto3.

``nox -s interop`` runs it, for the first two need a botocore of their own choice beside them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from aiobotocore.session import get_session
from support import JOB_ID

from iotjobs_client import JobExecutionSummary, ThrottlingError
from iotjobs_client.testing import make_fleet
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


CLIENTS = [with_the_aws_cli, with_aiobotocore, with_boto3]


def to_execution(item: dict[str, Any]) -> JobExecutionSummary:
    """The same as ours, from what another client gives; the AWS CLI leaves times as numbers."""
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
        retry_attempt=summary["retryAttempt"],
    )


@pytest.mark.parametrize("status", [None, "FAILED"])
@pytest.mark.parametrize("client", CLIENTS)
def test_all_list_the_same(
    client: Client, status: str | None, local_endpoint: StartLocalEndpoint
) -> None:
    """Each execution with each member, over several pages or of one status."""
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
def test_all_are_refused_the_same(
    client: Client, job_id: str, status: str | None, code: str, local_endpoint: StartLocalEndpoint
) -> None:
    """What the API reference forbids, by the code that it names."""
    local_endpoint({JOB_ID: FLEET})
    with pytest.raises(Exception, match=code):
        client(job_id, status)


@pytest.mark.parametrize("client", CLIENTS)
def test_all_retry_what_is_worth_it(client: Client, local_endpoint: StartLocalEndpoint) -> None:
    """Throttled and cut off in the middle, they get it all in the end."""
    local_endpoint({JOB_ID: FLEET}, faults={2: "disconnect", 4: ThrottlingError})
    assert len(client(JOB_ID, None)) == 600
