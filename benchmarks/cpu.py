"""CPU an execution: this library against raw boto3, and against the least that Python can do.

All of them list the same job over HTTP on loopback from a server in another process, in turn
and several times over. What is printed is the CPU time of this process, user and system, and
the ratios between the contenders of a round; machines differ and are noisy, so only the ratios
mean anything. Raw boto3 is there twice: it gives times in the local zone, and finding out
whether daylight saving applies costs it more than all the rest, where a zone has that.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import boto3
import botocore
from service import JOB_ID, served

from iotjobs_client import IoTJobsClient

RAW = "raw boto3, in UTC"
RAW_DST = "raw boto3, in Central Europe"
FLOOR = "http.client + json.loads"


def contenders(url: str) -> dict[str, Callable[[], int]]:
    """What is compared, by name: each lists the job once and says how many it counted."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    raw = session.client("iot", endpoint_url=url)
    borrowing = IoTJobsClient(session.client("iot", endpoint_url=url))
    owning = IoTJobsClient(session=session, endpoint_url=url)

    def raw_boto3(zone: str) -> int:
        os.environ["TZ"] = zone
        time.tzset()
        pages = raw.get_paginator("list_job_executions_for_job").paginate(
            jobId=JOB_ID, PaginationConfig={"PageSize": 250}
        )
        return sum(1 for page in pages for _ in page["executionSummaries"])

    def owned() -> int:
        return sum(1 for _ in owning.list_job_executions_for_job(JOB_ID))

    def borrowed() -> int:
        return sum(1 for _ in borrowing.list_job_executions_for_job(JOB_ID))

    def floor() -> int:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        query = {"maxResults": 250}
        count = 0
        while True:
            connection.request("GET", f"/jobs/{JOB_ID}/things?{urlencode(query)}")
            page = json.loads(connection.getresponse().read())
            count += len(page["executionSummaries"])
            if page["nextToken"] is None:
                connection.close()
                return count
            query["nextToken"] = page["nextToken"]

    return {
        RAW_DST: lambda: raw_boto3("CET-1CEST,M3.5.0,M10.5.0/3"),
        RAW: lambda: raw_boto3("UTC0"),
        "iotjobs_client, owned": owned,
        "iotjobs_client, borrowed": borrowed,
        FLOOR: floor,
    }


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=10_000, help="the size of the job")
    parser.add_argument("--rounds", type=int, default=15, help="how often each one lists it")
    options = parser.parse_args()

    seconds: dict[str, list[float]] = {}
    with served(options.executions) as url:
        listings = contenders(url)
        for round_number in range(options.rounds + 1):
            for name, listing in listings.items():
                gc.collect()  # nobody pays for what another left behind
                start = time.process_time()
                count = listing()
                spent = time.process_time() - start
                if count != options.executions:
                    raise SystemExit(f"{name} listed {count} of {options.executions}")
                if round_number:  # the first round warms up
                    seconds.setdefault(name, []).append(spent)

    print(
        f"CPython {platform.python_version()}, botocore {botocore.__version__}, "
        f"{options.executions:,} executions, pages of 250, median of {options.rounds} rounds\n"
    )
    print(
        f"{'':30}{'us/execution':>12}{'raw / it, UTC':>18}{'raw / it, CET':>18}{'it / floor':>18}"
    )
    for name, rounds in seconds.items():
        cost = statistics.median(rounds) / options.executions * 1e6
        against = (
            ratios(seconds[RAW], rounds),
            ratios(seconds[RAW_DST], rounds),
            ratios(rounds, seconds[FLOOR]),
        )
        print(f"{name:30}{cost:12.2f}" + "".join(f"{ratio:>18}" for ratio in against))


def ratios(above: list[float], below: list[float]) -> str:
    """The median of the rounds' ratios, and their spread."""
    found = [a / b for a, b in zip(above, below, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.1f}-{max(found):.1f})"


if __name__ == "__main__":
    main()
