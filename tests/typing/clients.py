"""The clients that IoTJobsClient accepts; checked with and without stubs for boto3."""

# boto3 has no types of its own, and boto3-stubs leave those of services without stubs unknown.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import boto3
from botocore.config import Config
from botocore.stub import Stubber
from typing_extensions import assert_type

from iotjobs_client import IoTJobsClient, SupportsListJobExecutionsForJob


class StandIn:
    """A stand-in for boto3's client."""

    def list_job_executions_for_job(
        self,
        *,
        jobId: str,  # noqa: N803
        maxResults: int = 250,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        return {"executionSummaries": [], "jobId": jobId, "maxResults": maxResults}


def borrowed() -> None:
    raw = boto3.client("iot")
    IoTJobsClient(raw)
    IoTJobsClient(boto3.Session().client("iot"), requests_per_second=8)
    IoTJobsClient(StandIn())
    IoTJobsClient(MagicMock())
    protocol: SupportsListJobExecutionsForJob = StandIn()
    IoTJobsClient(protocol)
    with Stubber(raw):
        IoTJobsClient(client=raw)


def owned() -> None:
    IoTJobsClient(profile_name="fleet")
    with IoTJobsClient(
        session=boto3.Session(),
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:5000",
        config=Config(read_timeout=5),
        requests_per_second=8.5,
    ) as client:
        assert_type(client, IoTJobsClient)
        client.boto3_client.describe_job(jobId="firmware-42")
        assert_type(client.close(), None)
