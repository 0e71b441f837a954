"""``requests_per_second`` works with frozen or jumping clocks and with many threads."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from freezegun import freeze_time
from support import JOB_ID, FleetClient

from iotjobs_client import IoTJobsClient, JobExecutionIterator
from iotjobs_client.testing import make_fleet

INTERVAL = 1_000.0  # seconds, more than a slow machine takes for a test
DAY = 86_400


def start(client: IoTJobsClient) -> JobExecutionIterator:
    """Return an iterator over pages of one execution."""
    return iter(client.list_job_executions_for_job(JOB_ID, page_size=1))


def paced_client(size: int = 30) -> IoTJobsClient:
    """Return a client that makes one request per interval."""
    return IoTJobsClient(FleetClient(make_fleet(size)), requests_per_second=1 / INTERVAL)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace pauses, and return the list of their lengths in seconds."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_a_frozen_clock_delays_by_at_most_an_interval(
    pauses: list[float],
) -> None:
    """The end of a pause counts as the passing of its time."""
    client = paced_client()
    with freeze_time("2026-01-01"):
        executions = start(client)
        for _ in range(5):
            next(executions)
    assert len(pauses) == 4
    assert all(pause <= INTERVAL * 1.01 for pause in pauses)


def test_a_frozen_clock_does_not_stop_an_event_loop() -> None:
    """A listing on a loop that sees the real time ends."""
    fleet = make_fleet(3)
    client = IoTJobsClient(FleetClient(fleet), requests_per_second=20)

    async def collect() -> list[Any]:
        return [e async for e in client.list_job_executions_for_job(JOB_ID, page_size=1)]

    with freeze_time("2026-01-01", real_asyncio=True):
        assert asyncio.run(asyncio.wait_for(collect(), 30)) == fleet


def test_a_clock_that_is_unfrozen_does_not_delay_a_request(pauses: list[float]) -> None:
    """The real clock may be decades behind the frozen one."""
    client = paced_client()
    executions = start(client)
    next(executions)
    with freeze_time("2056-01-01"):
        next(executions)
    for _ in range(3):
        next(executions)
    assert len(pauses) >= 3
    assert all(pause <= INTERVAL * 1.01 for pause in pauses)


@pytest.mark.parametrize("jump", [-30 * DAY, 30 * DAY, -INTERVAL / 2])
def test_a_clock_that_jumps_does_not_delay_a_request(
    jump: float, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored snapshot may change the clock by days."""
    client = paced_client()
    executions = start(client)
    next(executions)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + jump)
    for _ in range(3):
        next(executions)
    assert all(pause <= INTERVAL * 1.01 for pause in pauses)


def test_each_waiting_thread_has_its_own_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 20 threads waits one interval for each thread before it."""
    threads = 20
    client = paced_client()
    pauses: list[float] = []
    all_wait = threading.Event()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == threads:
            all_wait.set()
        assert all_wait.wait(30)

    monkeypatch.setattr(time, "sleep", sleep)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: next(start(client)), range(threads)))
    assert sorted(round(pause / INTERVAL) for pause in pauses) == list(range(threads))


def test_a_rate_may_be_any_real_number() -> None:
    """A number from a data frame may be neither an int nor a float."""
    from fractions import Fraction

    rate: Any = Fraction(1, 3)
    assert "Fraction(1, 3)" in repr(IoTJobsClient(FleetClient([]), requests_per_second=rate))
