"""Millions of executions over real HTTP, with faults at random: all exact, nothing left behind.

Fails if an execution is missing, doubled or out of order, if memory grows by more than 4 MiB
after the first pages, or if a file descriptor or a thread is left at the end. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import boto3
from botocore.config import Config
from service import JOB_ID, served

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
    """What this process holds of memory now, in bytes."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    """How many file descriptors are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def plan(pages: int, chance: random.Random) -> dict[int, Fault]:
    """Faults for one request in ten, of every kind; those that take time are few."""
    numbers = range(2, pages)
    faults = {number: chance.choice(FAULTS) for number in chance.sample(numbers, pages // 10)}
    slow = min(20, pages // 100)
    return faults | {number: chance.choice(SLOW_FAULTS) for number in chance.sample(numbers, slow)}


class Soak:
    """One listing of everything, and what it met."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.url = url
        self.chance = chance
        self.session = boto3.Session("testing", "testing", region_name="us-east-1")
        self.count = 0
        self.met: Counter[str] = Counter()
        self.memory_at_first = self.most_memory = 0

    def run(self) -> None:
        """List, and go on after each fault in one of three ways."""
        client = self.new_client()
        executions = iter(client.list_job_executions_for_job(JOB_ID))
        while True:
            try:
                self.take_all(executions)
                break
            except IoTJobsError as error:
                self.met[type(error).__name__] += 1
                token = executions.resume_token
                if token != error.resume_token:
                    raise SystemExit("error and iterator differ on where the listing is") from error
            way = self.chance.choice(("in place", "by its token", "by its token in a new client"))
            self.met[way] += 1
            if way == "in place":
                continue
            if way == "by its token in a new client":
                client.close()
                client = self.new_client()
            executions = iter(client.list_job_executions_for_job(JOB_ID, resume_token=token))
        client.close()

    def new_client(self) -> IoTJobsClient:
        """A client that meets each fault, for botocore does not retry."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=2)
        return IoTJobsClient(session=self.session, endpoint_url=self.url, config=config)

    def take_all(self, executions: JobExecutionIterator) -> None:
        """Take what comes, and check that it is the next in order."""
        for execution in executions:
            if execution.thing_name != f"thing-{self.count}":
                raise SystemExit(f"{execution.thing_name} came in place of thing-{self.count}")
            self.count += 1
            if self.count % (FIRST_PAGES * PAGE_SIZE) == 0:
                self.memory_at_first = self.memory_at_first or memory()
                self.most_memory = max(self.most_memory, memory())


def main() -> None:
    """Soak, and check what is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=2_000_000, help="the size of the job")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6, help="of the faults")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    faults = plan(options.executions // PAGE_SIZE, chance)

    with served(options.executions, {"faults": faults}) as (url,):
        before = descriptors(), threading.active_count()
        start = time.monotonic()
        soak = Soak(url, chance)
        soak.run()
        seconds = time.monotonic() - start
        gc.collect()
        left = descriptors() - before[0], threading.active_count() - before[1]
    grown = soak.most_memory - soak.memory_at_first
    print(
        f"{soak.count:,} executions in {seconds:.0f} s, each once and in order; seed "
        f"{options.seed}\nFaults met, and how it went on: "
        f"{', '.join(f'{name} {number}' for name, number in soak.met.most_common())}\n"
        f"After {FIRST_PAGES} pages the process held {soak.memory_at_first / 2**20:.1f} MiB, and "
        f"then at most {grown / 2**20:.2f} MiB more\n"
        f"File descriptors left: {left[0]}, threads left: {left[1]}"
    )
    if soak.count != options.executions or grown > LARGEST_GROWTH or left != (0, 0):
        raise SystemExit("failed")


if __name__ == "__main__":
    main()
