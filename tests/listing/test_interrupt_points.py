"""Interrupts at each function entry and each return from C lose no execution and no lock."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import pytest
from botocore.exceptions import EndpointConnectionError
from listings import with_and_without_prefetch
from support import JOB_ID, FleetClient

import iotjobs_client
from iotjobs_client import IoTJobsClient, JobExecutionIterator, JobExecutionSummary, TransportError
from iotjobs_client.testing import make_fleet

FLEET = make_fleet(5)
PACKAGE = str(Path(iotjobs_client.__file__).parent)
ASYNCIO = str(Path(asyncio.__file__).parent)

# Python only reports an interrupt that hits while a generator of this library is closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Interrupt(KeyboardInterrupt):
    """The exception at the chosen point, which stops an event loop as Ctrl-C does."""


@contextmanager
def interrupt_at(point: int) -> Iterator[Callable[[], int]]:
    """Raise an exception at one of the points at which Python may run a signal handler.

    Points count only in a function of this library and in what it calls, but not in asyncio. An
    interrupt of ``loop.call_soon`` loses the wakeup of any task that awaits a future: the future is
    done already, and nothing runs the task again.

    Yields:
        A function that returns the number of points so far.
    """
    count = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        if event not in ("call", "c_return") or not is_counted(frame):
            return
        count += 1
        if count == point:
            raise Interrupt

    sys.setprofile(profile)
    try:
        yield lambda: count
    finally:
        sys.setprofile(None)


def is_counted(frame: FrameType | None) -> bool:
    """Return whether a function of this library is running, and asyncio is not running in it."""
    while frame is not None and not frame.f_code.co_filename.startswith(ASYNCIO):
        if frame.f_code.co_filename.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False


def start(client: FleetClient, *, prefetch: bool) -> JobExecutionIterator:
    """Return an iterator over pages of two executions."""
    listing = IoTJobsClient(client).list_job_executions_for_job(
        JOB_ID, page_size=2, prefetch=prefetch
    )
    return iter(listing)


def rest_in_another_thread(executions: JobExecutionIterator) -> list[JobExecutionSummary]:
    """Return the rest as a thread finds it, which hangs if a lock is still locked."""
    found: list[JobExecutionSummary] = []

    def take_rest() -> None:
        while executions.resume_token is not None:
            with suppress(TransportError):  # The request was made before the interrupt.
                for execution in executions:
                    found.append(execution)

    thread = threading.Thread(target=take_rest, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "a lock was left locked"
    return found


async def collect(executions: JobExecutionIterator, found: list[JobExecutionSummary]) -> None:
    """Append the executions of an iterator to a list, which keeps them after an interrupt."""
    async for execution in executions:
        found.append(execution)


@pytest.mark.parametrize("fails", [False, True], ids=["", "error"])
@with_and_without_prefetch
def test_next_is_interrupted_at_each_point(*, prefetch: bool, fails: bool) -> None:
    """The token is exact, and another thread can take the rest from the same iterator."""
    point = 0
    is_done = False
    while not is_done:
        point += 1
        client = FleetClient(FLEET)
        client.errors = {2: EndpointConnectionError(endpoint_url="x")} if fails else {}
        executions = start(client, prefetch=prefetch)
        found: list[JobExecutionSummary] = []
        with suppress(Interrupt, TransportError), interrupt_at(point) as points:
            for execution in executions:
                found.append(execution)
        is_done = points() < point
        client.errors.clear()
        token = executions.resume_token
        if token is not None:
            resumed = IoTJobsClient(FleetClient(FLEET)).list_job_executions_for_job(
                JOB_ID, resume_token=token
            )
            assert [*found, *resumed] == FLEET, f"the token is wrong after point {point}"
        assert [*found, *rest_in_another_thread(executions)] == FLEET, f"after point {point}"
    assert point > 50


@pytest.mark.parametrize("then", ["same loop", "other loop", "other thread"])
@with_and_without_prefetch
def test_anext_is_interrupted_at_each_point(then: str, *, prefetch: bool) -> None:
    """The iterator continues on the same loop, on another one and in another thread."""
    loop = asyncio.new_event_loop()
    point = 0
    is_done = False
    while not is_done:
        point += 1
        executions = start(FleetClient(FLEET), prefetch=prefetch)
        found: list[JobExecutionSummary] = []
        with suppress(Interrupt), interrupt_at(point) as points:
            loop.run_until_complete(collect(executions, found))
        is_done = points() < point
        for task in asyncio.all_tasks(loop):  # The interrupt stopped the loop, not the task.
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))
        if then == "same loop":
            loop.run_until_complete(asyncio.wait_for(collect(executions, found), 30))
        elif then == "other loop":
            asyncio.run(asyncio.wait_for(collect(executions, found), 30))
        else:
            found += rest_in_another_thread(executions)
        assert found == FLEET, f"after point {point}"
    loop.close()
    assert point > 50
