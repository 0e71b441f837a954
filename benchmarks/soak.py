"""Lists millions of executions over real HTTP, with random faults and with and without prefetch.

Fails if an execution is missing, repeated or out of order, if memory grows by more than 4 MiB
after the first pages, or if a file descriptor or a thread remains at the end. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import time
from collections import Counter
from pathlib import Path

import boto3
from botocore.config import Config
from service import served

from iotjobs_client import (
    AccessDeniedError,
    InternalServiceError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionIterator,
    ServiceUnavailableError,
    ThrottlingError,
)
from iotjobs_client.testing import Fault

PAGE_SIZE = 250
FIRST_PAGES = 100
LARGEST_GROWTH = 4 * 2**20  # bytes
FAULTS: list[Fault] = [
    "disconnect",
    "disconnect-in-headers",
    "reset",
    "reset-in-headers",
    "truncate",
    "garbage",
    "empty",
    "repeat",
    AccessDeniedError,
    InternalServiceError,
    ServiceUnavailableError,
    ThrottlingError,
]
SLOW_FAULTS: list[Fault] = ["hang", "stall", "slow"]


def memory() -> int:
    """Return the memory of this process in bytes."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def resources() -> tuple[int, int]:
    """Count the open file descriptors and the threads, also those that Python does not list."""
    descriptors, threads = (list(Path("/proc/self", name).iterdir()) for name in ("fd", "task"))
    return len(descriptors), len(threads)


def plan(pages: int, chance: random.Random) -> dict[int, Fault]:
    """Return random faults for one request in ten; only a few are of the slow kinds."""
    numbers = range(2, pages)
    faults = {number: chance.choice(FAULTS) for number in chance.sample(numbers, pages // 10)}
    slow = min(20, pages // 100)
    return faults | {number: chance.choice(SLOW_FAULTS) for number in chance.sample(numbers, slow)}


class Soak:
    """One listing of the whole job, and the errors that it met."""

    def __init__(self, url: str, job_id: str, chance: random.Random) -> None:
        self.url = url
        self.job_id = job_id
        self.chance = chance
        self.session = boto3.Session("testing", "testing", region_name="us-east-1")
        self.count = 0
        self.met: Counter[str] = Counter()
        self.memory_at_first = self.most_memory = 0

    def run(self) -> None:
        """List the job, and continue after each error in one of three ways."""
        client = self.new_client()
        executions = self.start(client, None)
        while True:
            try:
                self.check_all(executions)
                break
            except IoTJobsError as error:
                self.met[type(error).__name__] += 1
                token = executions.resume_token
                if token != error.resume_token:
                    raise SystemExit("error and iterator have different resume tokens") from error
            way = self.chance.choice(("in place", "by token", "by token, in a new client"))
            self.met[way] += 1
            if way == "in place":
                continue
            if way == "by token, in a new client":
                client.close()
                client = self.new_client()
            executions = self.start(client, token)
        client.close()

    def start(self, client: IoTJobsClient, token: str | None) -> JobExecutionIterator:
        """Start a listing at ``token``, with or without prefetch."""
        prefetch = self.chance.choice((True, False))
        self.met["with prefetch" if prefetch else "without prefetch"] += 1
        return iter(
            client.list_job_executions_for_job(self.job_id, resume_token=token, prefetch=prefetch)
        )

    def new_client(self) -> IoTJobsClient:
        """Return a client without retries, so that each fault becomes an error."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=2)
        return IoTJobsClient(session=self.session, endpoint_url=self.url, config=config)

    def check_all(self, executions: JobExecutionIterator) -> None:
        """Check that each execution is the next in order."""
        for execution in executions:
            if execution.thing_name != f"thing-{self.count}":
                raise SystemExit(f"{execution.thing_name} was listed instead of thing-{self.count}")
            self.count += 1
            if self.count % (FIRST_PAGES * PAGE_SIZE) == 0:
                self.memory_at_first = self.memory_at_first or memory()
                self.most_memory = max(self.most_memory, memory())


def main() -> None:
    """List the job, and check the resources that remain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=2_000_000, help="the size of the job")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 10**6, help="the seed of the faults"
    )
    options = parser.parse_args()
    chance = random.Random(options.seed)
    faults = plan(options.executions // PAGE_SIZE, chance)

    with served({options.executions}, {"faults": faults}) as (url,):
        before = resources()
        start = time.monotonic()
        soak = Soak(url, str(options.executions), chance)
        soak.run()
        seconds = time.monotonic() - start
        gc.collect()
        time.sleep(1)  # a thread of prefetch ends shortly after its page was taken
        left = tuple(after - earlier for after, earlier in zip(resources(), before, strict=True))
    grown = soak.most_memory - soak.memory_at_first
    print(
        f"{soak.count:,} executions in {seconds:.0f} s, each once and in order; seed "
        f"{options.seed}\nErrors, continuations and listings: "
        f"{', '.join(f'{name} {number}' for name, number in soak.met.most_common())}\n"
        f"After {FIRST_PAGES} pages the process held {soak.memory_at_first / 2**20:.1f} MiB, and "
        f"then at most {grown / 2**20:.2f} MiB more\n"
        f"Remaining file descriptors: {left[0]}, threads: {left[1]}"
    )
    if soak.count != options.executions or grown > LARGEST_GROWTH or left != (0, 0):
        raise SystemExit("failed")


if __name__ == "__main__":
    main()
