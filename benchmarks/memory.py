"""How much a process grows while it lists a long job: its peak memory, page after page."""

from __future__ import annotations

import argparse
import platform
import resource
from itertools import islice

import boto3
from service import JOB_ID, served

from iotjobs_client import IoTJobsClient

FIRST_PAGES = 20


def peak_kib() -> int:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if platform.system() == "Darwin" else peak


def main() -> None:
    """List the job once, and print the growth after the first pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=1_000_000, help="the size of the job")
    options = parser.parse_args()

    session = boto3.Session("testing", "testing", region_name="us-east-1")
    with (
        served(options.executions) as url,
        IoTJobsClient(session=session, endpoint_url=url) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID))
        count = sum(1 for _ in islice(executions, FIRST_PAGES * 250))
        start = peak_kib()
        count += sum(1 for _ in executions)
        grown = peak_kib() - start
    print(
        f"{count:,} executions listed; after the first {FIRST_PAGES} pages the process, then at "
        f"{start / 1024:.1f} MiB, grew by {grown / 1024:.2f} MiB"
    )


if __name__ == "__main__":
    main()
