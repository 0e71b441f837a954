"""What is compared: different ways to list a job, each in a process of its own.

Run as ``python contenders.py NAME``: takes requests as JSON, a line each, on standard input, and
answers each with a line of JSON about one listing. A process keeps its client, as an application
would.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

PAGE_SIZE = 250
REGION = "us-east-1"


@cache
def boto3_client(url: str) -> Any:
    """One client for each service, as an application has."""
    import boto3

    session = boto3.Session("testing", "testing", region_name=REGION)
    return session.client("iot", endpoint_url=url)


def raw_paginator(url: str, job_id: str) -> Iterator[object]:
    """boto3's own paginator."""
    pages = boto3_client(url).get_paginator("list_job_executions_for_job")
    for page in pages.paginate(jobId=job_id, PaginationConfig={"PageSize": PAGE_SIZE}):
        yield from page["executionSummaries"]


def raw_loop(url: str, job_id: str) -> Iterator[object]:
    """What people write without the paginator."""
    client = boto3_client(url)
    arguments = {"jobId": job_id, "maxResults": PAGE_SIZE}
    while True:
        page = client.list_job_executions_for_job(**arguments)
        yield from page["executionSummaries"]
        if "nextToken" not in page:
            return
        arguments["nextToken"] = page["nextToken"]


@cache
def aio(url: str) -> tuple[asyncio.AbstractEventLoop, Any]:
    """An event loop, and aiobotocore's client on it."""
    from aiobotocore.session import get_session

    loop = asyncio.new_event_loop()
    context = get_session().create_client(
        "iot",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client = loop.run_until_complete(context.__aenter__())
    atexit.register(lambda: loop.run_until_complete(client.close()))
    return loop, client


def aiobotocore(url: str, job_id: str) -> Iterator[object]:
    """Aiobotocore's paginator."""
    loop, client = aio(url)
    paginator = client.get_paginator("list_job_executions_for_job")
    pages = paginator.paginate(jobId=job_id, PaginationConfig={"PageSize": PAGE_SIZE}).__aiter__()
    while True:
        try:
            page = loop.run_until_complete(pages.__anext__())
        except StopAsyncIteration:
            return
        yield from page["executionSummaries"]


@cache
def owning(url: str) -> Any:
    """Our client over a boto3 client that it builds."""
    import boto3

    from iotjobs_client import IoTJobsClient

    session = boto3.Session("testing", "testing", region_name=REGION)
    return IoTJobsClient(session=session, endpoint_url=url)


@cache
def borrowing(url: str) -> Any:
    """Our client over the boto3 client that is there."""
    from iotjobs_client import IoTJobsClient

    return IoTJobsClient(boto3_client(url))


def owned(url: str, job_id: str) -> Iterable[object]:
    """Ours."""
    return owning(url).list_job_executions_for_job(job_id)  # type: ignore[no-any-return]


def borrowed(url: str, job_id: str) -> Iterable[object]:
    """Ours."""
    return borrowing(url).list_job_executions_for_job(job_id)  # type: ignore[no-any-return]


def prefetching(url: str, job_id: str) -> Iterable[object]:
    """Ours."""
    return owning(url).list_job_executions_for_job(job_id, prefetch=True)  # type: ignore[no-any-return]


def floor(url: str, job_id: str) -> Iterator[object]:
    """The least that Python can do: no signature, no retry, no objects."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    query = {"maxResults": str(PAGE_SIZE)}
    while True:
        connection.request("GET", f"/jobs/{job_id}/things?{urlencode(query)}")
        page = json.loads(connection.getresponse().read())
        yield from page["executionSummaries"]
        if page["nextToken"] is None:
            connection.close()
            return
        query["nextToken"] = page["nextToken"]


RAW, AIO, FLOOR = "boto3, paginator", "aiobotocore, paginator", "http.client + json.loads"
OURS, PREFETCH = "iotjobs_client, owned", "iotjobs_client, prefetch"
CLI = "aws CLI, whole process"
OUR_CLI = "iotjobs list, whole process"
COMMANDS = {
    CLI: ("awscli", "iot", "list-job-executions-for-job", "--output", "json", "--job-id"),
    OUR_CLI: ("iotjobs_client", "list"),
}
CONTENDERS: dict[str, Callable[[str, str], Iterable[object]]] = {
    RAW: raw_paginator,
    "boto3, client loop": raw_loop,
    AIO: aiobotocore,
    OURS: owned,
    "iotjobs_client, borrowed": borrowed,
    PREFETCH: prefetching,
    FLOOR: floor,
}


def memory(what: str) -> int:
    """The bytes that this process holds now (``VmRSS``), or held at most (``VmHWM``); on Linux."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


def run_command(name: str, url: str, job_id: str) -> dict[str, float]:
    """A command line from start to end: all of it, and up to the first row that comes out."""
    command = [
        *(sys.executable, "-m", *COMMANDS[name], job_id, "--page-size", str(PAGE_SIZE)),
        *("--endpoint-url", url, "--region", REGION),
    ]
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **keys})
    assert process.stdout is not None
    first, count = 0.0, 0
    with process.stdout:
        for line in process.stdout:
            if b'"thingArn"' in line or b'"thing_arn"' in line:
                first = first or time.perf_counter() - start
                count += 1
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = status
    if status:
        raise SystemExit(f"{name} failed")
    cpu = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss * 1024
    return {"count": count, "cpu": cpu, "wall": wall, "first": first, "peak": peak}


def list_once(name: str, url: str, job_id: str, pause: float, *, keep: bool) -> dict[str, float]:
    """List the job once: how many, CPU and elapsed seconds, also to the first, and memory.

    With ``pause`` the consumer takes so many seconds a page; with ``keep`` it keeps everything.
    """
    gc.collect()
    before = memory("VmRSS")
    count, first = 0, 0.0
    kept = []
    start, cpu_start = time.perf_counter(), time.process_time()
    if keep:
        kept = list(CONTENDERS[name](url, job_id))
        count = len(kept)
    else:
        for _ in CONTENDERS[name](url, job_id):
            if not count:
                first = time.perf_counter() - start
            count += 1
            if pause and count % PAGE_SIZE == 0:
                time.sleep(pause)
    return {
        "count": count,
        "cpu": time.process_time() - cpu_start,
        "wall": time.perf_counter() - start,
        "first": first,
        "kept": memory("VmRSS") - before,
        "grown": memory("VmHWM") - before,
        "peak": memory("VmHWM"),
    }


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if sys.argv[1] in COMMANDS:
            answer = run_command(sys.argv[1], request["url"], request["job_id"])
        else:
            answer = list_once(sys.argv[1], **request)
        print(json.dumps(answer), flush=True)
