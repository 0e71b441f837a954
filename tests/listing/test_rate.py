"""``requests_per_second`` under clocks that stand still or jump, and with many threads."""

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
    return iter(client.list_job_executions_for_job(JOB_ID, page_size=1))


def paced_client(size: int = 30) -> IoTJobsClient:
    return IoTJobsClient(FleetClient(make_fleet(size)), requests_per_second=1 / INTERVAL)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, which takes no time here."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_a_frozen_clock_does_not_delay_a_request_by_more_than_an_interval(
    pauses: list[float],
) -> None:
    """A pause that has ended counts as the time that it took."""
    client = paced_client()
    with freeze_time("2026-01-01"):
        executions = start(client)
        for _ in range(5):
            next(executions)
    assert len(pauses) == 4
    assert all(pause <= INTERVAL * 1.01 for pause in pauses)


def test_a_frozen_clock_does_not_stop_an_event_loop() -> None:
    """If the loop itself sees the real time, a listing on it goes on."""
    fleet = make_fleet(3)
    client = IoTJobsClient(FleetClient(fleet), requests_per_second=20)

    async def collect() -> list[Any]:
        return [e async for e in client.list_job_executions_for_job(JOB_ID, page_size=1)]

    with freeze_time("2026-01-01", real_asyncio=True):
        assert asyncio.run(asyncio.wait_for(collect(), 30)) == fleet


def test_the_end_of_a_frozen_clock_does_not_delay_a_request(pauses: list[float]) -> None:
    """The real clock is then decades behind."""
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
    """A restored snapshot may set the clock by days."""
    client = paced_client()
    executions = start(client)
    next(executions)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + jump)
    for _ in range(3):
        next(executions)
    assert all(pause <= INTERVAL * 1.01 for pause in pauses)


def test_each_waiting_thread_has_a_slot_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 20 threads waits one interval for each thread that came before it."""
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
    """A value from a data frame, for example, is neither an int nor a float."""
    from fractions import Fraction

    rate: Any = Fraction(1, 3)
    assert "Fraction(1, 3)" in repr(IoTJobsClient(FleetClient([]), requests_per_second=rate))
