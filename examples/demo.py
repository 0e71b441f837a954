"""Compare raw boto3 and this library on the same job, also while one response is cut short.

Real boto3 clients sign real HTTP requests to a service on this machine. No AWS account is needed.
``python -m nox -s demo`` runs it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from iotjobs_client import IoTJobsClient, IoTJobsError, JobExecutionStatus
from iotjobs_client.rollout import summarize
from iotjobs_client.testing import Fault, LocalEndpoint, make_fleet

JOB_ID = "firmware-42"
FLEET = make_fleet(1000)


def print_mistakes(boto3_client: Any) -> None:
    """Print what scripts report that make the most frequent mistakes."""
    page = boto3_client.list_job_executions_for_job(jobId=JOB_ID)
    print(f"  The first page only: {len(page['executionSummaries'])} of {len(FLEET):,} executions")

    counts: Counter[str] = Counter()
    for status in JobExecutionStatus:
        first = boto3_client.list_job_executions_for_job(jobId=JOB_ID, status=status.value)
        counts[status] = len(first["executionSummaries"])
    print(f"  The first page of each status: {counts['SUCCEEDED'] / counts.total():.1%} succeeded")

    pages = list(boto3_client.get_paginator("list_job_executions_for_job").paginate(jobId=JOB_ID))
    items = [item for page in pages for item in page["executionSummaries"]]
    failed = sum(item.get("status") == "FAILED" for item in items)
    print(f'  item.get("status") instead of item["jobExecutionSummary"]["status"]: {failed} FAILED')

    try:
        json.dumps(page)
    except TypeError as error:
        print(f"  json.dumps(page): TypeError: {error}")


def list_with_boto3(boto3_client: Any) -> list[str]:
    """Return the ARNs of a job's things, with boto3 alone."""
    paginator = boto3_client.get_paginator("list_job_executions_for_job")
    result = paginator.paginate(jobId=JOB_ID).build_full_result()
    return [item["thingArn"] for item in result["executionSummaries"]]


def list_with_this_library(boto3_client: Any) -> list[str]:
    """Return the same with this library, which continues after an error."""
    client = IoTJobsClient(boto3_client)
    executions = iter(client.list_job_executions_for_job(JOB_ID))
    found: list[str] = []
    while executions.resume_token is not None:
        try:
            for execution in executions:
                found.append(execution.thing_arn)
        except IoTJobsError as error:
            print(f"  after {len(found)} executions: {type(error).__name__}: {error}")
            print("  the loop continues with the same iterator")
    return found


def print_rollout(boto3_client: Any) -> None:
    """Count a job by status, and name the first things that failed."""
    client = IoTJobsClient(boto3_client)
    summary = summarize(client.list_job_executions_for_job(JOB_ID))
    share = summary.things_succeeded / summary.thing_count
    print(f"\nThe rollout by status; {share:.1%} of the things succeeded:")
    for status in JobExecutionStatus:
        print(f"  {status:<12}{summary.executions[status]:>4}")
    failures = client.list_job_executions_for_job(JOB_ID, status=["FAILED", "TIMED_OUT"])
    print("\nThe first things whose execution failed or timed out:")
    for execution in islice(failures, 3):
        print(f"  {execution.thing_name:<12}{execution.status:<12}{execution.last_updated_at}")


def verdict(arns: Sequence[str]) -> str:
    """Compare the things that were found with the fleet."""
    count = f"{len(arns):,} of {len(FLEET):,} executions"
    if Counter(arns) == Counter(execution.thing_arn for execution in FLEET):
        return f"{count}, each exactly once"
    return f"{count}, and no error: {len(FLEET) - len(arns):,} are missing"


@contextmanager
def service(*cut_responses: int) -> Iterator[Any]:
    """Serve the fleet, and yield a boto3 client for it.

    The connection is lost in the middle of the responses with these numbers.
    """
    faults: dict[int, Fault] = dict.fromkeys(cut_responses, "truncate")
    with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint, endpoint.client() as client:
        yield client.boto3_client


def main() -> None:
    """Show frequent mistakes, a fault with and without this library, and a summary."""
    print(f"The job {JOB_ID} has {len(FLEET):,} executions, in pages of 250.")
    print("Scripts with raw boto3 report:")
    with service() as boto3_client:
        print_mistakes(boto3_client)
    print("\nThe connection is lost in the middle of the third page. botocore's retries are on.\n")
    with service(3) as boto3_client:
        print("raw boto3:")
        print(f"  {verdict(list_with_boto3(boto3_client))}\n")
    with service(3) as boto3_client:
        print("this library, over boto3:")
        print(f"  {verdict(list_with_this_library(boto3_client))}")
    with service() as boto3_client:
        print_rollout(boto3_client)


if __name__ == "__main__":
    main()
