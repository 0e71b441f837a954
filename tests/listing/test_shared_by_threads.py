"""Threads may share an iterator, with and without the GIL: each execution goes to one of them."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import chain, repeat
from typing import Any

import attrs
import pytest
from listings import with_and_without_prefetch
from support import JOB_ID, FleetClient

from iotjobs_client import IoTJobsClient, JobExecutionIterator
from iotjobs_client.testing import make_fleet, make_response

THREADS = 8


@cache
def page(number: int, size: int, pages: int) -> dict[str, Any]:
    """Return a page of executions that are numbered through all pages."""
    response = make_response(make_fleet(size), str(number + 1) if number + 1 < pages else None)
    for position, item in enumerate(response["executionSummaries"], number * size):
        item["jobExecutionSummary"]["executionNumber"] = position
    return response


class LargeJob:
    """Lists pages of executions, which are made once."""

    def __init__(self, size: int, pages: int) -> None:
        self.size = size
        self.pages = pages

    def list_job_executions_for_job(self, *, nextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803
        return page(int(nextToken), self.size, self.pages)


def run_threads(*targets: Callable[[], None]) -> None:
    """Run the functions at the same time, each in a thread of its own."""
    barrier = threading.Barrier(len(targets))

    def run(target: Callable[[], None]) -> None:
        barrier.wait()
        target()

    threads = [threading.Thread(target=run, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start(size: int, pages: int, *, prefetch: bool) -> JobExecutionIterator:
    client = IoTJobsClient(LargeJob(size, pages))
    return iter(client.list_job_executions_for_job(JOB_ID, prefetch=prefetch))


@with_and_without_prefetch
def test_each_execution_goes_to_one_thread(prefetch: bool) -> None:  # noqa: FBT001
    """Eight threads that share an iterator get a hundred thousand executions once each."""
    executions = start(250, 400, prefetch=prefetch)
    found: list[list[int | None]] = []

    def take() -> None:
        found.append([execution.execution_number for execution in executions])

    run_threads(*[take] * THREADS)
    assert Counter(chain(*found)) == Counter(range(100_000))


def to_count(token: str, size: int) -> int:
    """Return how many executions come before the position in a resume token."""
    content = urlsafe_b64decode(token + "=" * (-len(token) % 4))[8:]
    head, _, fingerprints = content.partition(b"\n")
    return int(json.loads(head)[4] or 0) * size + len(fingerprints) // 6


@with_and_without_prefetch
def test_the_token_never_goes_back(prefetch: bool) -> None:  # noqa: FBT001
    """While threads take executions, the tokens that another one reads only move forward."""
    executions = start(2, 4_000, prefetch=prefetch)
    counts: list[int] = []

    def read() -> None:
        while (token := executions.resume_token) is not None:
            counts.append(to_count(token, 2))

    def take() -> None:
        for _ in executions:
            pass

    run_threads(read, *[take] * (THREADS // 2))
    assert counts == sorted(counts)


def test_an_index_error_of_a_signal_handler_ends_no_page() -> None:
    """The last item is followed by an IndexError in C; a signal handler may raise one earlier."""
    fleet = make_fleet(10)
    for advance in (next, lambda iterator: asyncio.run(anext_of(iterator))):
        client = IoTJobsClient(FleetClient(fleet))
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=3))
        found = [next(executions)]
        current = executions._page
        # No Python can be made to run a signal handler at just this point.
        executions._page = attrs.evolve(current, items=map([].pop, repeat(-1)))
        with pytest.raises(IndexError):
            advance(executions)
        executions._page = current
        assert [*found, *executions] == fleet


async def anext_of(executions: JobExecutionIterator) -> object:
    return await anext(executions)
