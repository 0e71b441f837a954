"""The benchmark: this library next to other ways to list a job, side by side in one run.

Everyone lists the same jobs over HTTP on loopback from services in another process, in turn and
several times over. Machines differ and are noisy, so what counts are the ratios within a round.
Writes the page and the chart of the documentation. ``nox -s benchmark`` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import botocore
from contenders import AIO, CLI, CONTENDERS, OUR_CLI, OURS, PAGE_SIZE, PREFETCH, RAW
from profiles import profile
from service import served
from typing_extensions import Self

HERE = Path(__file__).parent
JOB, SHORT, LARGE = "job", "short", "large"
SIZES = {JOB: 10_000, SHORT: 2_500, LARGE: 100_000}
PAGES = (1, 10, 100, 1_000, 4_000)
LATENCIES = {0.0: (9, JOB), 0.02: (3, SHORT), 0.1: (3, SHORT)}  # seconds: rounds, job
RAW_DST = f"{RAW}, zone with daylight saving"

T = TypeVar("T")
Measured = dict[str, float]


def environment(**more: str) -> dict[str, str]:
    """That of a process whose local zone is UTC, and which may keep compiled modules."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TZ": "UTC0", **more}


class Worker:
    """A process that lists when it is told to."""

    def __init__(self, name: str, **more_environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "contenders.py", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(**more_environment),
        )

    def list_once(
        self, url: str, job_id: str, pause: float = 0.0, *, keep: bool = False
    ) -> Measured:
        """What ``contenders.list_once`` says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"url": url, "job_id": job_id, "pause": pause, "keep": keep}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        measured: Measured = json.loads(self._process.stdout.readline())
        return measured

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()


def in_turn(rounds: int, contenders: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """What each measured in each round but the first, which warms up."""
    found: dict[str, list[T]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            measured = run()
            if number:
                found[name].append(measured)
    return found


def compare(
    rounds: int, url: str, job_id: str, workers: Mapping[str, Worker]
) -> dict[str, list[Measured]]:
    """All of them, with one latency."""
    found = in_turn(
        rounds, {name: partial(workers[name].list_once, url, job_id) for name in workers}
    )
    for name, measured in found.items():
        if {one["count"] for one in measured} != {SIZES[job_id]}:
            raise SystemExit(f"{name} did not list all")
    return found


def seconds_of(code: str, *arguments: str) -> float:
    """How long a fresh process takes for ``code``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment())
    return time.perf_counter() - start


FIRST_ITEM = {
    RAW: """
import boto3, sys
session = boto3.Session("testing", "testing", region_name="us-east-1")
client = session.client("iot", endpoint_url=sys.argv[1])
pages = client.get_paginator("list_job_executions_for_job").paginate(jobId="job")
next(iter(pages))["executionSummaries"][0]
""",
    OURS: """
import boto3, sys
from iotjobs_client import IoTJobsClient
session = boto3.Session("testing", "testing", region_name="us-east-1")
client = IoTJobsClient(session=session, endpoint_url=sys.argv[1])
next(iter(client.list_job_executions_for_job("job")))
""",
    "iotjobs_client over botocore alone": """
import botocore.session, sys
from iotjobs_client import IoTJobsClient
session = botocore.session.Session()
session.set_credentials("testing", "testing")
client = session.create_client("iot", region_name="us-east-1", endpoint_url=sys.argv[1])
next(iter(IoTJobsClient(client).list_job_executions_for_job("job")))
""",
}


def starts(url: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of fresh processes: imports, and up to the first execution."""
    codes = {
        "import attrs": "import attrs",
        "import iotjobs_client": "import iotjobs_client",
        **FIRST_ITEM,
    }
    return in_turn(rounds, {name: partial(seconds_of, codes[name], url) for name in codes})


def growth() -> dict[int, Measured]:
    """Seconds a page of listings from one page to thousands, and by how much memory grows."""
    sizes = {str(pages): pages * PAGE_SIZE for pages in PAGES}
    found = {}
    with served(sizes, {}) as (url,), Worker(OURS) as worker:
        for pages in PAGES:
            worker.list_once(url, str(pages))  # the service encodes a job when it is first listed
            listed = [worker.list_once(url, str(pages)) for _ in range(max(1, 300 // pages))]
            found[pages] = {
                "wall": statistics.median(one["wall"] / pages for one in listed),
                "grown": max(one["grown"] for one in listed),
            }
    return found


def kept(url: str) -> dict[str, float]:
    """Bytes that a list of a large job takes, in a process of its own."""
    found = {}
    for name in (RAW, OURS):
        with Worker(name) as worker:
            worker.list_once(url, JOB)
            found[name] = worker.list_once(url, LARGE, keep=True)["kept"]
    return found


def command_lines(url: str, folder: str, rounds: int) -> dict[str, list[Measured]]:
    """Ours and that of AWS, a process for each listing of a large job."""
    with Worker(OUR_CLI) as ours, Worker(CLI, PYTHONPATH=folder) as theirs:
        return compare(rounds, url, LARGE, {OUR_CLI: ours, CLI: theirs})


def main() -> None:
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--aio", required=True, help="the folder where aiobotocore is installed")
    parser.add_argument("--cli", required=True, help="that of the AWS CLI")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    from report import write_report  # which needs what only a chart needs

    began = time.monotonic()
    with ExitStack() as stack:
        urls = stack.enter_context(served(SIZES, *({"latency": each} for each in LATENCIES)))
        folders = {AIO: options.aio, CLI: options.cli}
        workers = {
            name: stack.enter_context(
                Worker(name, **({"PYTHONPATH": folders[name]} if name in folders else {}))
            )
            for name in (*CONTENDERS, CLI)
        }
        workers[RAW_DST] = stack.enter_context(Worker(RAW, TZ="CET-1CEST,M3.5.0,M10.5.0/3"))
        compared = {
            latency: compare(rounds, url, job_id, workers)
            for (latency, (rounds, job_id)), url in zip(LATENCIES.items(), urls, strict=True)
        }
        slow_consumer = in_turn(
            3,
            {
                OURS: lambda: workers[OURS].list_once(urls[1], JOB, 0.02),
                PREFETCH: lambda: workers[PREFETCH].list_once(urls[1], JOB, 0.02),
            },
        )
        results = {
            "machine": (
                f"{os.cpu_count()} cores of {processor()}, {platform.system()}, CPython "
                f"{platform.python_version()}, botocore {botocore.__version__}"
            ),
            "size": SIZES[JOB],
            "compared": compared,
            "slow_consumer": slow_consumer,
            "starts": starts(urls[0], 9),
            "kept": kept(urls[0]),
            "growth": growth(),
            "commands": command_lines(urls[0], options.cli, 5),
            "profile": profile(urls[0], JOB),
        }
    results["minutes"] = (time.monotonic() - began) / 60
    write_report(results, options.output)


def processor() -> str:
    """What the machine says of its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))


if __name__ == "__main__":
    main()
