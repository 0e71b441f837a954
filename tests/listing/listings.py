"""Helpers that several tests of listings share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterable, Iterator
from contextvars import ContextVar
from threading import Event, get_ident
from typing import Any, TypeVar
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from support import JOB_ID, FleetClient, async_form

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionIterator,
    JobExecutionPaginator,
    JobExecutionSummary,
)
from iotjobs_client.testing import make_execution

_T = TypeVar("_T")
real_sleep = asyncio.sleep
with_and_without_prefetch = pytest.mark.parametrize("prefetch", [False, True], ids=["", "prefetch"])


@pytest.fixture(params=["for", "for-prefetch", "async-for", "async-for-prefetch"], autouse=True)
def four_forms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test of the importing module with both loops, with prefetch and without it.

    The default of ``prefetch`` changes, so that the tests need not pass it to each listing.
    """
    defaults: Any = IoTJobsClient.list_job_executions_for_job.__kwdefaults__
    monkeypatch.setitem(defaults, "prefetch", request.param.endswith("prefetch"))
    with async_form() if request.param.startswith("async") else contextlib.nullcontext():
        yield


def paginate(client: Any, **options: Any) -> JobExecutionPaginator:
    """Return a paginator of the job ``JOB_ID`` over a boto3 client or a stand-in for one."""
    return IoTJobsClient(client).list_job_executions_for_job(JOB_ID, **options)


def make_executions(*names: str) -> list[JobExecutionSummary]:
    """Return an execution for each name of a thing."""
    return [make_execution(name) for name in names]


def throttling_error() -> ClientError:
    """Return the error that boto3 raises for a throttled request."""
    return ClientError({"Error": {"Code": "ThrottlingException"}}, "ListJobExecutionsForJob")


class SilentClient(FleetClient):
    """A stand-in that does not respond to some requests until its gate is opened.

    Args:
        fleet: The executions of the job.
        silent_from: The number of the first request without a response, counted from 1.
    """

    def __init__(self, fleet: list[JobExecutionSummary], *, silent_from: int = 2) -> None:
        super().__init__(fleet)
        self.silent_from = silent_from
        self.gate = Event()
        self.requests = self.responses = 0

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.requests += 1
        if self.requests >= self.silent_from:
            assert self.gate.wait(30)
        try:
            return super().list_job_executions_for_job(**arguments)
        finally:
            self.responses += 1


class TracingClient(FleetClient):
    """A stand-in that notes the context of each request.

    Attributes:
        context: A context variable, which the test sets.
        seen: For each request, the value of ``context`` and whether the thread is the test's.
    """

    def __init__(self, fleet: list[JobExecutionSummary]) -> None:
        super().__init__(fleet)
        self.context = ContextVar("context", default="none")
        self.seen: list[tuple[str, bool]] = []
        self._thread = get_ident()

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.seen.append((self.context.get(), get_ident() == self._thread))
        return super().list_job_executions_for_job(**arguments)


async def take(executions: JobExecutionIterator, number: int) -> list[JobExecutionSummary]:
    """Return the next executions of an iterator, and fail if it has fewer."""
    return [await anext(executions) for _ in range(number)]


async def collect(executions: AsyncIterable[_T]) -> list[_T]:
    """Return what is left of an iterator, or all of an iterable, in a list."""
    return [each async for each in executions]


async def let_others_run() -> None:
    """Sleep until the other tasks have probably reached the point at which they wait."""
    for _ in range(10):
        await asyncio.sleep(0.001)


async def cancel_anext(executions: JobExecutionIterator) -> None:
    """Start an ``anext()`` and cancel it while the service does not respond."""
    task = asyncio.ensure_future(anext(executions))
    await let_others_run()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


class FakeClock:
    """A clock that only pauses and the test advance, and whose pauses take no time.

    Attributes:
        time: The current time in seconds.
        pauses: The lengths of the pauses of threads, in seconds.
        is_stopped: While this is true, no pause of a task ends.
    """

    def __init__(self) -> None:
        self.time = 100.0
        self.pauses: list[float] = []
        self.is_stopped = False
        self._readings = threading.local()

    def monotonic(self) -> float:
        self._readings.last = self.time
        return self.time

    def last_reading(self) -> float:
        """Return what this thread read last; others may have advanced the clock since."""
        last: float = getattr(self._readings, "last", self.time)
        return last

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    async def sleep_in_task(self, seconds: float) -> None:
        end = self.time + seconds
        await real_sleep(0)
        while self.is_stopped:
            await real_sleep(0.001)
        self.time = max(self.time, end)


@contextlib.contextmanager
def fake_clock(shortest_pause: float) -> Iterator[FakeClock]:
    """Make rate limits use a fake clock.

    Rate limits take their clock from a private module. Replacing ``time.monotonic`` itself would
    change the clock of the event loop too.

    Args:
        shortest_pause: Tasks that sleep for fewer seconds do so in real time.
    """
    clock = FakeClock()

    async def sleep(seconds: float) -> None:
        is_pause = seconds > shortest_pause
        await (clock.sleep_in_task(seconds) if is_pause else real_sleep(seconds))

    with mock.patch("iotjobs_client._rate.time", clock), mock.patch("asyncio.sleep", sleep):
        yield clock


class TimedClient(FleetClient):
    """A stand-in that notes when each request starts.

    Attributes:
        starts: The times of the requests, in seconds.
    """

    def __init__(self, fleet: list[JobExecutionSummary], clock: FakeClock | None = None) -> None:
        super().__init__(fleet)
        self._read_clock = time.monotonic if clock is None else clock.last_reading
        self.starts: list[float] = []

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.starts.append(self._read_clock())
        return super().list_job_executions_for_job(**arguments)

    def close(self) -> None:
        pass
