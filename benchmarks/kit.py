"""Measures the testing kit: the start of an endpoint, a page of it, and a stubbed client."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from statistics import median
from time import perf_counter, process_time
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
from botocore.stub import Stubber

from iotjobs_client import IoTJobsClient
from iotjobs_client.testing import LocalEndpoint, make_fleet, make_response, stubbed_client

JOB_ID = "firmware-42"
METHOD = "list_job_executions_for_job"
FLEET = make_fleet(100_000)
ONE_PAGE = FLEET[:250]


def milliseconds(call: Callable[[], object]) -> float:
    """Return the elapsed time of a call."""
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1000


def endpoint_start(size: int) -> float:
    """Return the median time to start an endpoint with ``size`` executions, in milliseconds."""
    with ExitStack() as stack:
        jobs = {JOB_ID: FLEET[:size]}
        return median(
            milliseconds(lambda: stack.enter_context(LocalEndpoint(jobs))) for _ in range(20)
        )


def list_all(url: str, query: str) -> int:
    """List the job on one connection, and count the pages."""
    connection = HTTPConnection(urlsplit(url).netloc)
    pages, token = 0, ""
    while True:
        connection.request("GET", f"/jobs/{JOB_ID}/things?{query}{token}")
        next_token = json.loads(connection.getresponse().read())["nextToken"]
        pages += 1
        if next_token is None:
            break
        token = f"&nextToken={quote(next_token)}"
    connection.close()
    return pages


def page_cpu(query: str) -> tuple[float, float]:
    """Return the server's CPU time per page in milliseconds: at first, and in later listings."""
    context = multiprocessing.get_context("spawn")
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint, context.Pool(1) as client:
        client.apply(len, ("",))  # waits until the process runs
        costs = []
        for _ in range(2):
            start = process_time()
            pages = client.apply(list_all, (endpoint.url, query))
            costs.append((process_time() - start) * 1000 / pages)
        return costs[0], costs[1]


def list_stubbed_client() -> None:
    """List a page from ``stubbed_client``."""
    with stubbed_client(JOB_ID, [ONE_PAGE]) as client:
        list(client.list_job_executions_for_job(JOB_ID))


def list_with_stubber() -> None:
    """List a page from a client with botocore's ``Stubber``."""
    credentials: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    boto3_client: Any = boto3.client("iot", region_name="us-east-1", **credentials)
    with Stubber(boto3_client) as stubber:
        stubber.add_response(METHOD, make_response(ONE_PAGE), {"jobId": JOB_ID, "maxResults": 250})
        list(IoTJobsClient(boto3_client).list_job_executions_for_job(JOB_ID))
        stubber.assert_no_pending_responses()
    boto3_client.close()


def main() -> None:
    """Measure everything, and print it."""
    for size in (0, 1_000, 100_000):
        start = endpoint_start(size)
        print(f"an endpoint with {size:>7,} executions starts in {start:.1f} ms")
    for query in ("", "status=FAILED"):
        first, later = page_cpu(query)
        print(f"a page {query:<14} costs {first:.2f} ms of the server's CPU, {later:.2f} later")
    pairs = [
        (milliseconds(list_stubbed_client), milliseconds(list_with_stubber)) for _ in range(41)
    ][1:]
    ours, bare = (median(times) for times in zip(*pairs, strict=True))
    ratio = median(ours / bare for ours, bare in pairs)
    print(f"a stubbed client takes {ours:.1f} ms, a bare Stubber {bare:.1f}: {ratio:.2f} times")


if __name__ == "__main__":
    main()
