"""Where the CPU time of a page goes, part by part."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timezone
from urllib.request import urlopen

from contenders import PAGE_SIZE, borrowing, boto3_client

from iotjobs_client import _decode

REPEATS = 300


def milliseconds(call: Callable[[], object]) -> float:
    """The median CPU time of a call."""
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return statistics.median(found) * 1000


def profile(url: str, job_id: str) -> dict[str, float]:
    """Milliseconds of CPU a page of 250, by what they are spent on."""
    with urlopen(f"{url}/jobs/{job_id}/things?maxResults={PAGE_SIZE}") as response:
        body = response.read()
    plain = json.loads(body)
    times = [
        item["jobExecutionSummary"][name]
        for item in plain["executionSummaries"]
        for name in ("queuedAt", "startedAt", "lastUpdatedAt")
    ]
    client = boto3_client(url)
    arguments = {"jobId": job_id, "maxResults": PAGE_SIZE}
    ours = borrowing(url).list_job_executions_for_job

    def pages_of(size: int) -> Callable[[], object]:
        return lambda: next(ours(job_id, page_size=size).pages())

    whole, single = milliseconds(pages_of(PAGE_SIZE)), milliseconds(pages_of(1))
    parsed = milliseconds(lambda: json.loads(body.decode()))
    decoded = milliseconds(lambda: _decode.decode(plain))
    converted = milliseconds(lambda: [datetime.fromtimestamp(each, timezone.utc) for each in times])
    rest = whole - single - parsed - decoded
    return {
        "a whole page with boto3": milliseconds(
            lambda: client.list_job_executions_for_job(**arguments)
        ),
        "a whole page": whole,
        "request and response by botocore and urllib3 (a page of one execution)": single,
        "JSON": parsed,
        "models, without their times": decoded - converted,
        "times": converted,
        "the rest (a difference, with its noise): a larger body, the loop": rest,
    }
