"""Lists a job in different ways, each in a process of its own.

``python contenders.py NAME`` reads requests from standard input, one line of JSON each, and answers
each with a line of JSON about one listing. A process keeps its client, as an application would.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

PAGE_SIZE = 250
REGION = "us-east-1"
KEYS: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}

Measured = dict[str, float]


@cache
def boto3_client(url: str) -> Any:
    """Return one boto3 client per service."""
    import boto3

    return boto3.Session(**KEYS, region_name=REGION).client("iot", endpoint_url=url)


def list_with_boto3(url: str, job_id: str) -> Iterator[object]:
    """List with boto3's paginator."""
    paginator = boto3_client(url).get_paginator("list_job_executions_for_job")
    for page in paginator.paginate(jobId=job_id, PaginationConfig={"PageSize": PAGE_SIZE}):
        yield from page["executionSummaries"]


@cache
def aiobotocore_client(url: str) -> tuple[Any, Any]:
    """Return an event loop, and a client of aiobotocore on it."""
    import asyncio

    from aiobotocore.session import get_session

    loop = asyncio.new_event_loop()
    context = get_session().create_client("iot", region_name=REGION, endpoint_url=url, **KEYS)
    client = loop.run_until_complete(context.__aenter__())
    atexit.register(lambda: loop.run_until_complete(client.close()))
    return loop, client


def list_with_aiobotocore(url: str, job_id: str) -> Iterator[object]:
    """List with aiobotocore's paginator."""
    loop, client = aiobotocore_client(url)
    paginator = client.get_paginator("list_job_executions_for_job")
    pages = paginator.paginate(jobId=job_id, PaginationConfig={"PageSize": PAGE_SIZE}).__aiter__()
    while page := loop.run_until_complete(anext(pages, None)):
        yield from page["executionSummaries"]


@cache
def capo_client(url: str) -> Any:
    """Return one client of capo-iot per service."""
    from capo_iot import IoTClient

    return IoTClient(
        region=REGION,
        endpoint=url,
        credentials={"access_key": "testing", "secret_key": "testing"},
    )


def list_with_capo(url: str, job_id: str) -> Iterable[object]:
    """List with capo-iot's iterator."""
    client = capo_client(url)
    executions: Iterable[object] = client.iter_list_job_executions_for_job(
        job_id, max_results=PAGE_SIZE
    )
    return executions


@cache
def our_client(url: str) -> Any:
    """Return one client of this library per service."""
    from iotjobs_client import IoTJobsClient

    return IoTJobsClient(boto3_client(url))


def list_with_ours(url: str, job_id: str, *, prefetch: bool = False) -> Iterable[object]:
    """List with this library."""
    client = our_client(url)
    executions: Iterable[object] = client.list_job_executions_for_job(job_id, prefetch=prefetch)
    return executions


def parse_json(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Handle botocore's ``before-parse`` event: parse the body and leave botocore none."""
    customized_response_dict["page"] = json.loads(response_dict["body"])
    response_dict["body"] = b""


def list_with_json(url: str, job_id: str) -> Iterator[object]:
    """List with botocore's request and ``json.loads``, which any library on botocore needs."""
    client = boto3_client(url)
    event = "before-parse.iot.ListJobExecutionsForJob"
    client.meta.events.register(event, parse_json, unique_id=event)
    arguments = {"jobId": job_id, "maxResults": PAGE_SIZE}
    while True:
        page = client.list_job_executions_for_job(**arguments)["page"]
        yield from page["executionSummaries"]
        if page["nextToken"] is None:
            return
        arguments["nextToken"] = page["nextToken"]


BOTO3, AIOBOTOCORE, CAPO, OURS = "boto3", "aiobotocore", "capo-iot", "iotjobs_client"
PREFETCH, JSON = "iotjobs_client, prefetch", "botocore + json.loads"
AWS_CLI, OUR_CLI = "aws", "iotjobs list"
LISTINGS: dict[str, Callable[[str, str], Iterable[object]]] = {
    BOTO3: list_with_boto3,
    AIOBOTOCORE: list_with_aiobotocore,
    CAPO: list_with_capo,
    OURS: list_with_ours,
    PREFETCH: partial(list_with_ours, prefetch=True),
    JSON: list_with_json,
}
COMMANDS = {
    AWS_CLI: ("awscli", "iot", "list-job-executions-for-job", "--output", "json", "--job-id"),
    OUR_CLI: ("iotjobs_client", "list", "--format", "ndjson"),
}


def memory(name: str) -> int:
    """Return the bytes that this process holds (``VmRSS``) or held at most (``VmHWM``)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def run_command(name: str, url: str, job_id: str) -> Measured:
    """Run a command line, and count its rows.

    The peak of a process starts at its parent's size, so this must run in a small process.
    """
    options = ("--page-size", str(PAGE_SIZE), "--endpoint-url", url, "--region", REGION)
    command = [sys.executable, "-m", *COMMANDS[name], job_id, *options]
    keys = {key.upper(): value for key, value in KEYS.items()}
    start, first, count = time.perf_counter(), 0.0, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **keys}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b":thing/" in line:  # part of each row's ARN
                first = first or time.perf_counter() - start
                count += 1
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = status
    if status:
        raise SystemExit(f"{name} failed")
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return {"count": count, "cpu": cpu, "wall": wall, "first": first, "peak": peak}


def list_once(
    name: str, url: str, job_id: str, *, pause: float = 0.0, keep: bool = False
) -> Measured:
    """List the job once: CPU and elapsed seconds, and memory in bytes.

    The consumer sleeps for ``pause`` seconds after each page, or it keeps all executions in a list.
    """
    gc.collect()
    before, count, first, kept = memory("VmRSS"), 0, 0.0, []
    start, cpu_start = time.perf_counter(), time.process_time()
    for execution in LISTINGS[name](url, job_id):
        count += 1
        first = first or time.perf_counter() - start
        if keep:
            kept.append(execution)
        if pause and count % PAGE_SIZE == 0:
            time.sleep(pause)
    return {
        "count": count,
        "cpu": time.process_time() - cpu_start,
        "process_cpu": time.process_time(),
        "wall": time.perf_counter() - start,
        "first": first,
        "kept": memory("VmRSS") - before,
        "peak": memory("VmHWM"),
    }


if __name__ == "__main__":
    run = run_command if sys.argv[1] in COMMANDS else list_once
    for line in sys.stdin:
        print(json.dumps(run(sys.argv[1], **json.loads(line))), flush=True)
