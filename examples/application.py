"""A function of an application that returns the things that need a visit after a rollout.

Run it for a job of yours: ``python examples/application.py firmware-42``.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict

from iotjobs_client import IoTJobsClient, IoTJobsError, JobExecutionStatus

NOT_DONE = ("FAILED", "TIMED_OUT", "REJECTED")


def things_to_visit(client: IoTJobsClient, job_id: str) -> dict[JobExecutionStatus, list[str]]:
    """Return the things on which a job did not succeed, by the status of the execution."""
    things: defaultdict[JobExecutionStatus, list[str]] = defaultdict(list)
    for execution in client.list_job_executions_for_job(job_id, status=NOT_DONE):
        things[execution.status].append(execution.thing_name)
    return dict(things)


def main() -> None:
    """Print the list for the job on the command line."""
    parser = argparse.ArgumentParser(description="Say which things need a visit.")
    parser.add_argument("job_id")
    job_id = parser.parse_args().job_id
    try:
        with IoTJobsClient() as client:
            found = things_to_visit(client, job_id)
    except IoTJobsError as error:
        sys.exit(str(error))
    for status, names in found.items():
        print(f"{status} on {len(names)} things: {', '.join(names[:10])}")


if __name__ == "__main__":
    main()
