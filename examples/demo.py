"""A listing from end to end: real boto3, real signing, real HTTP, and a fault in the middle.

Everything happens on this machine; no AWS account is needed. `nox -s demo` runs it.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

from botocore.config import Config

from iotjobs_client import IoTJobsClient, IoTJobsError, JobExecutionStatus
from iotjobs_client.testing import Fault, LocalEndpoint, make_fleet

JOB_ID = "firmware-42"
SIZE = 10_000


def count(client: IoTJobsClient) -> None:
    """How the rollout stands: the whole job, page by page."""
    counts = Counter(execution.status for execution in client.list_job_executions_for_job(JOB_ID))
    print(f"{JOB_ID} has {counts.total():,} executions:")
    for status in JobExecutionStatus:
        print(f"  {status:<12}{counts[status]:>6,}")


def show_failures(client: IoTJobsClient) -> None:
    """Which things failed: the service filters, so only their pages are requested."""
    failures = client.list_job_executions_for_job(JOB_ID, status=["FAILED", "TIMED_OUT"])
    print("\nThe first that failed or timed out:")
    for execution in islice(failures, 5):
        print(f"  {execution.thing_name:<12}{execution.status:<12}{execution.last_updated_at}")


def survive_a_fault(client: IoTJobsClient) -> None:
    """A connection is cut in the middle. Nothing is lost, and nothing comes twice."""
    found = []
    executions = iter(client.list_job_executions_for_job(JOB_ID))
    print("\nThe same listing once more, but now the connection is cut on the way:")
    try:
        for execution in executions:
            found.append(execution.thing_name)
    except IoTJobsError as error:
        print(f"  {type(error).__name__} after {len(found):,} executions: {error}")
        rest = client.list_job_executions_for_job(JOB_ID, resume_token=error.resume_token)
        resumed = [*found, *(execution.thing_name for execution in rest)]
        print(f"  resumed by its token, as another process could: {verdict(resumed)}")
    found += [execution.thing_name for execution in executions]
    print(f"  or by going on with the same iterator:          {verdict(found)}")


def verdict(names: list[str]) -> str:
    """How many there are, and whether each of the fleet is there exactly once."""
    expected = sorted(f"thing-{number}" for number in range(SIZE))
    is_right = sorted(names) == expected
    return f"{len(names):,} of {SIZE:,}, {'each exactly once' if is_right else 'WRONG'}"


def main() -> None:
    """Serve a fleet, and list it."""
    fleet = make_fleet(SIZE)
    config = Config(retries={"total_max_attempts": 1})  # so that the fault below shows
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, endpoint.client(config=config) as client:
        print(f"A fleet of {SIZE:,} things is served on {endpoint.url}\n")
        count(client)
        show_failures(client)
    faults: dict[int, Fault] = {18: "disconnect"}
    with (
        LocalEndpoint({JOB_ID: fleet}, faults=faults) as endpoint,
        endpoint.client(config=config) as client,
    ):
        survive_a_fault(client)


if __name__ == "__main__":
    main()
