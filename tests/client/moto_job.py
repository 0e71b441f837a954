"""A job in moto, an emulator of AWS, and boto3 clients that list it."""

from __future__ import annotations

import json
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iot.models import iot_backends
from support import JOB_ID

REGION = "eu-west-1"
SIZE = 23
STATUSES = ["QUEUED", "SUCCEEDED", "FAILED", "CANCELED"]


def set_up(client: Any) -> None:
    """Create a job whose executions have several statuses, most of which moto's API cannot set."""
    arns = [client.create_thing(thingName=f"thing-{n}")["thingArn"] for n in range(SIZE)]
    client.create_job(jobId=JOB_ID, targets=arns, document=json.dumps({"version": 42}))
    client.cancel_job_execution(jobId=JOB_ID, thingName="thing-3", force=True)
    backend = iot_backends[DEFAULT_ACCOUNT_ID][REGION]
    for number, execution in enumerate(backend.job_executions.values()):
        if execution.status == "QUEUED":
            execution.status = STATUSES[number % len(STATUSES)]


def make_client(**options: Any) -> Any:
    """Return a boto3 client for moto's account and region."""
    return boto3.client(
        "iot", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x", **options
    )


def list_raw(client: Any, **arguments: Any) -> list[dict[str, Any]]:
    """Return what boto3's own paginator lists."""
    pages = client.get_paginator("list_job_executions_for_job").paginate(
        jobId=JOB_ID, PaginationConfig={"PageSize": 5}, **arguments
    )
    return [item for page in pages for item in page["executionSummaries"]]
