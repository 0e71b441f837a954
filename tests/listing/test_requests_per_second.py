"""``requests_per_second`` spaces the requests of a client in time.

This holds over all its listings, threads and tasks, and whatever the clock does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from threading import Event, Thread
from typing import Any
from unittest import mock

import pytest
from freezegun import freeze_time
from listings import FakeClock, TimedClient, cancel_anext, collect, fake_clock, let_others_run, take
from support import JOB_ID, FleetClient, held_response, session, wait_until, watched_threads

from iotjobs_client import InvalidArgumentError, IoTJobsClient, JobExecutionIterator
from iotjobs_client.testing import LocalEndpoint, make_fleet

FLEET = make_fleet(20)
INTERVAL = 1_000.0  # seconds, more than a slow machine takes for a test
RATE = 1 / INTERVAL
DAY = 86_400


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Run the test with a fake clock, on which pauses of tasks are longer than half an interval."""
    with fake_clock(INTERVAL / 2) as clock:
        yield clock


class SlowSession:
    """A stand-in for a boto3 session that takes ten intervals to build a client."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.built = TimedClient(FLEET, clock)

    def client(self, *_: object, **__: object) -> TimedClient:
        self.clock.time += 10 * INTERVAL
        return self.built


def start(client: IoTJobsClient, page_size: int = 1) -> JobExecutionIterator:
    """Return an iterator over pages of one execution."""
    return iter(client.list_job_executions_for_job(JOB_ID, page_size=page_size))


def paced_client(client: Any = None) -> IoTJobsClient:
    """Return a client that makes one request per interval."""
    return IoTJobsClient(client or FleetClient(FLEET), requests_per_second=RATE)


def block_the_loop(seconds: float) -> None:
    """Sleep without giving the event loop a chance to run."""
    time.sleep(seconds)


@contextmanager
def interrupted_pauses(clock: FakeClock) -> Iterator[None]:
    """Interrupt each pause at once, and expect that this ends the block."""
    interrupt = mock.patch.object(clock, "sleep", side_effect=KeyboardInterrupt)
    with interrupt, pytest.raises(KeyboardInterrupt):
        yield


@contextmanager
def thread_during(reading: str, owner: Any, clock: FakeClock, call: Any) -> Iterator[None]:
    """Call ``call`` in a thread while the method ``reading`` of ``owner`` reads the clock."""
    has_ended = Event()

    def work() -> None:
        call()
        has_ended.set()

    thread = Thread(target=work)

    def read(*_: object) -> float:
        now = clock.time
        if thread.ident is None:  # The first reading takes ten seconds.
            clock.time += 10
            thread.start()
            has_ended.wait(0.2)  # It ends only if no lock stops it.
        return now

    with mock.patch.object(owner, reading, read):
        yield
        thread.join()


@pytest.mark.parametrize("rate", [None, 0.001, 8, 1_000_000, Fraction(1, 3)])
def test_requests_of_all_listings_are_spaced_evenly(rate: Any, clock: FakeClock) -> None:
    """The first request starts at once, and the others follow in equal intervals.

    The lowest and the highest rate are allowed, and so is any real number.
    """
    timed = TimedClient(FLEET, clock)
    client = IoTJobsClient(timed, requests_per_second=rate)
    for _ in range(2):
        list(start(client, 10))
    intervals = [n / rate if rate else 0.0 for n in range(4)]
    assert [start - 100 for start in timed.starts] == pytest.approx(intervals)


@pytest.mark.parametrize(
    "rate",
    [
        *(0.000_999, 1_000_000.1, 0, -1, -1.5, 1e-320, 10**400, float("inf"), float("nan")),
        *(True, "8", 1j),
    ],
)
def test_a_rate_beyond_its_limits_is_refused(rate: Any) -> None:
    """The error names the limits and the value."""
    rule = r"^requests_per_second must be a number from 0\.001 to 1,000,000, or None, not "
    with pytest.raises(InvalidArgumentError, match=rule):
        IoTJobsClient(FleetClient([]), requests_per_second=rate)


def test_the_callers_own_pauses_count(clock: FakeClock) -> None:
    """After a long pause, a request starts at once, and no burst follows."""
    executions = start(paced_client())
    next(executions)
    clock.time += 10 * INTERVAL
    next(executions)
    assert clock.pauses == []
    next(executions)
    assert clock.pauses == [INTERVAL]


def test_an_interrupted_wait_for_a_slot_is_continued(clock: FakeClock) -> None:
    """The request keeps its slot, so it does not wait longer than without the interrupts."""
    executions = start(paced_client())
    next(executions)
    for _ in range(5):
        with interrupted_pauses(clock):
            next(executions)
    next(executions)
    assert clock.pauses == [INTERVAL]


def test_an_abandoned_slot_is_lost(clock: FakeClock) -> None:
    """The rate is an upper bound: the next request waits for the following slot."""
    client = paced_client()
    next(start(client))
    with interrupted_pauses(clock):
        next(start(client))
    next(start(client))
    assert clock.pauses == [2 * INTERVAL]


def test_a_missed_slot_is_replaced(clock: FakeClock) -> None:
    """A request that comes late for its slot gets a new one, so no two start at once."""
    client = paced_client()
    late, other = start(client), start(client)
    next(other)
    with interrupted_pauses(clock):
        next(late)
    clock.time += 10 * INTERVAL
    next(other)
    assert clock.pauses == []
    next(late)
    assert clock.pauses == [INTERVAL]


def test_the_boto3_client_is_built_before_a_slot_is_taken(clock: FakeClock) -> None:
    """A slow build delays the first slot, so the second request keeps its distance."""
    session: Any = SlowSession(clock)
    with IoTJobsClient(session=session, requests_per_second=RATE) as client:
        list(start(client, 10))
    assert session.built.starts == [100 + 10 * INTERVAL, 100 + 11 * INTERVAL]


class TestClocks:
    """A clock that is frozen or set back delays no request by more than an interval."""

    def test_a_frozen_clock_delays_by_at_most_an_interval(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The end of a pause counts as the passing of its time."""
        pauses: list[float] = []
        monkeypatch.setattr("time.sleep", pauses.append)
        with freeze_time("2026-01-01"):
            executions = start(paced_client())
            for _ in range(5):
                next(executions)
        assert pauses == pytest.approx([INTERVAL] * 4)

    def test_a_frozen_clock_does_not_stop_an_event_loop(self) -> None:
        """A listing on a loop that sees the real time ends."""
        client = IoTJobsClient(FleetClient(FLEET), requests_per_second=20)

        with freeze_time("2026-01-01", real_asyncio=True):
            assert asyncio.run(asyncio.wait_for(collect(start(client, 7)), 30)) == FLEET

    @pytest.mark.parametrize("jump", [-30 * 365 * DAY, -30 * DAY, 30 * DAY, -INTERVAL / 2])
    def test_a_clock_that_jumps_does_not_delay_a_request(
        self, jump: float, clock: FakeClock
    ) -> None:
        """A restored snapshot may change the clock by days, and freezegun by decades."""
        executions = start(paced_client())
        next(executions)
        clock.time += jump
        for _ in range(3):
            next(executions)
        assert clock.pauses[-2:] == pytest.approx([INTERVAL] * 2)
        assert all(pause <= INTERVAL * 1.01 for pause in clock.pauses)

    def test_time_that_passes_after_the_clock_jumped_back_counts(self, clock: FakeClock) -> None:
        """A caller that works for longer than an interval does not wait for the next slot."""
        executions = start(paced_client())
        next(executions)
        clock.time -= 100 * INTERVAL
        next(executions)
        clock.time += 10 * INTERVAL
        clock.pauses.clear()
        next(executions)
        assert clock.pauses == []


class TestThreads:
    """The requests of all threads of a client are spaced."""

    def test_each_waiting_thread_has_its_own_slot(self, clock: FakeClock) -> None:
        """Each of 20 threads waits one interval for each thread before it."""
        threads = 20
        client = paced_client()
        pauses: list[float] = []
        all_wait = Event()

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == threads - 1:
                all_wait.set()
            assert all_wait.wait(30)

        with mock.patch.object(clock, "sleep", sleep), ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: next(start(client)), range(threads)))
        assert sorted(pauses) == pytest.approx([n * INTERVAL for n in range(1, threads)])

    # Threads of listings meet in the limiter only by chance, so these tests use it alone.

    def test_two_threads_never_reserve_the_same_slot(self, clock: FakeClock) -> None:
        """A thread that reserves a slot while another is doing so gets the next one."""
        limiter: Any = paced_client()._rate
        slots: list[float] = []
        with thread_during("now", limiter, clock, lambda: slots.append(limiter.reserve())):
            slots.append(limiter.reserve())
        assert sorted(slots) == [100, 100 + INTERVAL]

    def test_two_threads_that_read_the_clock_do_not_move_it(self, clock: FakeClock) -> None:
        """A thread that reads the clock later, but stores its time earlier, adds no lag."""
        limiter: Any = paced_client()._rate
        with thread_during("monotonic", clock, clock, limiter.now):
            limiter.now()
        assert limiter.now() == 110

    @pytest.mark.one_python
    def test_requests_are_spaced_over_threads_and_listings(self) -> None:
        """The client's n-th request starts at least n intervals after the first one."""
        timed = TimedClient(FLEET)
        client = IoTJobsClient(timed, requests_per_second=100)
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: list(start(client, 6)), range(4))) == [FLEET] * 4
        assert len(timed.starts) == 16
        # A thread may start its request after its slot, but not before it.
        assert all(start >= began + n / 100 for n, start in enumerate(sorted(timed.starts)))

    @pytest.mark.one_python
    def test_below_the_quota_nothing_is_throttled(self) -> None:
        """The service throttles no request of a client whose rate is below the quota."""
        with (
            LocalEndpoint({JOB_ID: FLEET}, requests_per_second=20) as endpoint,
            IoTJobsClient(
                session=session(), endpoint_url=endpoint.url, requests_per_second=18
            ) as client,
        ):
            assert list(start(client)) == FLEET
            assert len(endpoint.requests) == len(FLEET)


@pytest.mark.anyio
class TestTasks:
    """The rate applies on an event loop, without blocking it."""

    async def test_a_request_that_is_cancelled_before_its_slot_is_not_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The request waits on the loop, without a thread."""
        threads = watched_threads(monkeypatch)
        fleet = FleetClient(FLEET)
        client = paced_client(fleet)
        await take(start(client), 1)
        for iterator in [start(client) for _ in range(5)]:
            await cancel_anext(iterator)
        assert len(threads) == len(fleet.calls) == 1

    @pytest.mark.parametrize("form", ["anext", "next"])
    async def test_a_cancelled_wait_for_a_slot_leaves_the_iterator_usable(
        self, form: str, clock: FakeClock
    ) -> None:
        """The iterator yields all executions in either form."""
        fleet = FleetClient(FLEET)
        executions = start(paced_client(fleet), 6)
        found = await take(executions, 6)
        clock.is_stopped = True
        for _ in range(3):
            await cancel_anext(executions)
        clock.is_stopped = False
        found += [e async for e in executions] if form == "anext" else executions
        assert found == FLEET
        assert len(fleet.calls) == 4

    async def test_a_cancelled_task_does_not_cancel_waiting_tasks(self, clock: FakeClock) -> None:
        """If one of two tasks that share an iterator is cancelled, the other one continues."""
        fleet = FleetClient(FLEET)
        executions = start(paced_client(fleet), 6)
        found = await take(executions, 6)
        clock.is_stopped = True
        cancelled, patient = (asyncio.ensure_future(anext(executions)) for _ in range(2))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        clock.is_stopped = False
        found.append(await patient)
        assert len(fleet.calls) == 2
        assert [*found, *[e async for e in executions]] == FLEET

    async def test_tasks_that_wait_for_the_same_page_share_one_slot(self, clock: FakeClock) -> None:
        """Ten tasks take two intervals for three pages, as one task does."""
        timed = TimedClient(FLEET, clock)
        executions = start(paced_client(timed), 7)
        found = await asyncio.gather(*(collect(executions) for _ in range(10)))
        assert sum(map(len, found)) == len(FLEET)
        assert timed.starts == pytest.approx([100, 100 + INTERVAL, 100 + 2 * INTERVAL])

    async def test_a_task_waits_for_no_slot_during_a_request(self, clock: FakeClock) -> None:
        """A task that comes during the request of a page waits only for the response."""
        with (
            LocalEndpoint({JOB_ID: FLEET}) as endpoint,
            held_response(endpoint, 1) as may_respond,
            endpoint.client(requests_per_second=RATE) as client,
        ):
            executions = start(client, 250)
            first = asyncio.ensure_future(anext(executions))
            await asyncio.to_thread(wait_until, lambda: len(endpoint.requests) == 1)
            second = asyncio.ensure_future(anext(executions))
            await let_others_run()
            may_respond.set()
            assert [await first, await second] == FLEET[:2]
        assert clock.time == 100

    @pytest.mark.parametrize("rate", [20, 1_000_000])
    async def test_a_busy_loop_gets_its_slots(self, rate: float) -> None:
        """The listing ends even if the loop wakes up late after each slot."""
        fleet = FleetClient(FLEET)

        async def block() -> None:
            while True:
                block_the_loop(0.06)
                await asyncio.sleep(0)

        blocking = asyncio.ensure_future(block())
        listing = start(IoTJobsClient(fleet, requests_per_second=rate), 6)
        assert await asyncio.wait_for(collect(listing), 30) == FLEET
        blocking.cancel()
        assert len(fleet.calls) == 4

    async def test_requests_of_many_tasks_are_spaced(self, clock: FakeClock) -> None:
        """The rate applies even if building the boto3 client takes longer than an interval."""
        session: Any = SlowSession(clock)
        async with IoTJobsClient(session=session, requests_per_second=RATE) as client:
            tasks = (collect(start(client, 250)) for _ in range(4))
            assert await asyncio.gather(*tasks) == [FLEET] * 4
        starts = sorted(session.built.starts)
        assert starts[0] >= 100 + 10 * INTERVAL
        assert len(starts) == 4
        assert all(b >= a + INTERVAL for a, b in pairwise(starts))
