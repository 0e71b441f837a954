"""The slots of ``requests_per_second``: its limits, its lock, and when a slot is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import boto3
import pytest
from support import JOB_ID, FleetClient

from iotjobs_client import InvalidArgumentError, IoTJobsClient
from iotjobs_client._rate import RateLimiter
from iotjobs_client.testing import make_fleet


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only sleeping moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


class TimedClient(FleetClient):
    """Notes the time of each request."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__(make_fleet(3))
        self.clock = clock
        self.times: list[float] = []

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.times.append(self.clock[0])
        return super().list_job_executions_for_job(**arguments)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("rate", [0.001, 1_000_000, 1])
def test_the_limits_of_the_rate_are_allowed(rate: float, clock: list[float]) -> None:
    """The lowest and the highest rate space requests by their interval."""
    client = TimedClient(clock)
    options: dict[str, Any] = {"requests_per_second": rate}
    list(IoTJobsClient(client, **options).list_job_executions_for_job(JOB_ID, page_size=1))
    assert client.times == pytest.approx([100 + n / rate for n in range(3)])


@pytest.mark.parametrize("rate", [0.000_999, 1_000_000.1, 0, -1, True, "1", 1j])
def test_a_rate_beyond_its_limits_is_refused(rate: Any) -> None:
    """The error names the limits."""
    with pytest.raises(InvalidArgumentError, match=r"a number from 0\.001 to 1,000,000, or None"):
        IoTJobsClient(FleetClient([]), requests_per_second=rate)


def test_the_boto3_client_is_built_before_a_slot_is_taken(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow build delays the first slot, so the second request keeps its distance."""
    built = TimedClient(clock)

    def build(*_: object, **__: object) -> TimedClient:
        clock[0] += 10
        return built

    monkeypatch.setattr(boto3.Session, "client", build)
    with IoTJobsClient(region_name="eu-west-1", requests_per_second=2) as client:
        list(client.list_job_executions_for_job(JOB_ID, page_size=1))
    assert built.times == [110, 110.5, 111]


def test_time_that_passes_after_the_clock_jumped_back_counts(clock: list[float]) -> None:
    """A caller that works for longer than an interval does not wait for the next slot."""
    client = TimedClient(clock)
    listing = IoTJobsClient(client, requests_per_second=0.1).list_job_executions_for_job(
        JOB_ID, page_size=1
    )
    executions = iter(listing)
    next(executions)
    clock[0] -= 1_000
    next(executions)
    clock[0] += 100
    worked_until = clock[0]
    next(executions)
    assert client.times[-1] == worked_until


def in_thread(call: Callable[[], object]) -> Thread:
    """Start ``call`` in a thread, and let it end or come to a lock."""
    ended = Event()

    def work() -> None:
        call()
        ended.set()

    thread = Thread(target=work)
    thread.start()
    ended.wait(0.2)
    return thread


# Threads that share a client meet in the limiter only by chance, so the next tests use it alone.


def test_two_threads_never_reserve_the_same_slot() -> None:
    """A thread that reserves a slot while another is doing so gets the next one."""
    threads: list[Thread] = []
    slots: list[float] = []

    class Limiter(RateLimiter):
        def now(self, at_least: float = 0) -> float:  # noqa: ARG002
            if not threads:
                threads.append(in_thread(lambda: slots.append(self.reserve())))
            return 100.0

    limiter = Limiter(2)
    slots.append(limiter.reserve())
    threads[0].join()
    assert sorted(slots) == [100, 100.5]


def test_two_threads_that_read_the_clock_do_not_move_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that reads the clock later, but stores its time earlier, adds no lag."""
    threads: list[Thread] = []
    limiter = RateLimiter(2)

    def monotonic() -> float:
        if threads:
            return 110.0
        threads.append(Thread())
        threads[0] = in_thread(limiter.now)
        return 100.0

    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", monotonic)
        limiter.now()
        threads[0].join()
        assert limiter.now() == 110
