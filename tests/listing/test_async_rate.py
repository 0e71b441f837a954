"""``requests_per_second`` applies on an event loop, without blocking it."""

from __future__ import annotations

import asyncio
from time import monotonic, sleep
from typing import Any

import pytest
from listings import cancel_anext, let_others_run, take
from support import JOB_ID, FleetClient, held_response, wait_until, watched_threads

from iotjobs_client import IoTJobsClient, JobExecutionSummary
from iotjobs_client.testing import LocalEndpoint, make_fleet

FLEET = make_fleet(20)
PAGE_SIZE = 6  # four pages
INTERVAL = 1_000.0  # seconds of the virtual clock
real_sleep = asyncio.sleep


class VirtualClock:
    """The clock of a rate limit: only its pauses advance it, and they take no time.

    A pause of a task does not end while ``is_stopped`` is true.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.is_stopped = False

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    async def sleep_in_task(self, seconds: float) -> None:
        end = self.time + seconds
        await real_sleep(0)
        while self.is_stopped:
            await real_sleep(0.001)
        self.time = max(self.time, end)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """Make the rate limit use a virtual clock.

    The limit takes its clock from a private module. Replacing ``time.monotonic`` itself would
    change the clock of the event loop too.
    """
    clock = VirtualClock()

    async def sleep(seconds: float) -> None:
        is_pause = seconds > INTERVAL / 2
        await (clock.sleep_in_task(seconds) if is_pause else real_sleep(seconds))

    monkeypatch.setattr("iotjobs_client._rate.time", clock)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return clock


def block_the_loop(seconds: float) -> None:
    """Sleep without giving the event loop a chance to run."""
    sleep(seconds)


def test_a_request_that_is_cancelled_before_its_slot_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request waits on the loop, without a thread."""
    threads = watched_threads(monkeypatch)
    fleet = FleetClient(FLEET)
    client = IoTJobsClient(fleet, requests_per_second=0.01)

    async def main() -> None:
        paginator = client.list_job_executions_for_job(JOB_ID)
        await take(aiter(paginator), 1)
        for iterator in [aiter(paginator) for _ in range(5)]:
            await cancel_anext(iterator)

    asyncio.run(main())
    assert len(threads) == len(fleet.calls) == 1


@pytest.mark.parametrize("form", ["anext", "next"])
def test_a_cancelled_wait_for_a_slot_leaves_the_iterator_usable(
    form: str, clock: VirtualClock
) -> None:
    """The iterator yields all executions in either form."""
    fleet = FleetClient(FLEET)
    client = IoTJobsClient(fleet, requests_per_second=1 / INTERVAL)

    async def main() -> None:
        executions = aiter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        found = await take(executions, PAGE_SIZE)
        clock.is_stopped = True
        for _ in range(3):
            await cancel_anext(executions)
        clock.is_stopped = False
        if form == "anext":
            found += [e async for e in executions]
        else:
            found += executions
        assert found == FLEET
        assert len(fleet.calls) == 4

    asyncio.run(main())


def test_a_cancelled_task_does_not_cancel_waiting_tasks(clock: VirtualClock) -> None:
    """If one of two tasks that share an iterator is cancelled, the other one continues."""
    fleet = FleetClient(FLEET)
    client = IoTJobsClient(fleet, requests_per_second=1 / INTERVAL)

    async def main() -> None:
        executions = aiter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        found = await take(executions, PAGE_SIZE)
        clock.is_stopped = True
        cancelled = asyncio.ensure_future(anext(executions))
        patient = asyncio.ensure_future(anext(executions))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        clock.is_stopped = False
        found.append(await patient)
        assert len(fleet.calls) == 2
        assert [*found, *[e async for e in executions]] == FLEET

    asyncio.run(main())


def test_tasks_that_wait_for_the_same_page_share_one_slot(clock: VirtualClock) -> None:
    """Ten tasks take two intervals for three pages, as one task does."""
    starts: list[float] = []

    class Clocked(FleetClient):
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            starts.append(clock.time)
            return super().list_job_executions_for_job(**arguments)

    async def main() -> None:
        client = IoTJobsClient(Clocked(FLEET), requests_per_second=1 / INTERVAL)
        executions = aiter(client.list_job_executions_for_job(JOB_ID, page_size=7))

        async def work() -> list[JobExecutionSummary]:
            return [e async for e in executions]

        found = await asyncio.gather(*(work() for _ in range(10)))
        assert sum(map(len, found)) == len(FLEET)

    asyncio.run(main())
    assert starts == pytest.approx([0, INTERVAL, 2 * INTERVAL])


def test_a_task_waits_for_no_slot_during_a_request(clock: VirtualClock) -> None:
    """A task that comes during the request of a page waits only for the response."""

    async def main() -> None:
        with (
            LocalEndpoint({JOB_ID: FLEET}) as endpoint,
            held_response(endpoint, 1) as may_respond,
            endpoint.client(requests_per_second=1 / INTERVAL) as client,
        ):
            executions = aiter(client.list_job_executions_for_job(JOB_ID))
            first = asyncio.ensure_future(anext(executions))
            await asyncio.to_thread(wait_until, lambda: len(endpoint.requests) == 1)
            second = asyncio.ensure_future(anext(executions))
            await let_others_run()
            may_respond.set()
            assert [await first, await second] == FLEET[:2]

    asyncio.run(main())
    assert clock.time == 0


@pytest.mark.parametrize("rate", [20, 1_000_000])
def test_a_busy_loop_gets_its_slots(rate: float) -> None:
    """The listing ends even if the loop wakes up late after each slot."""
    fleet = FleetClient(FLEET)

    async def block() -> None:
        while True:
            block_the_loop(0.06)
            await asyncio.sleep(0)

    async def main() -> None:
        client = IoTJobsClient(fleet, requests_per_second=rate)
        blocking = asyncio.ensure_future(block())
        listing = client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)
        assert [e async for e in listing] == FLEET
        blocking.cancel()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert len(fleet.calls) == 4


def test_requests_of_many_tasks_are_spaced() -> None:
    """The rate applies even if building the boto3 client takes longer than an interval."""
    starts: list[float] = []
    built: list[float] = []

    class Clocked(FleetClient):
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            starts.append(monotonic())
            return super().list_job_executions_for_job(**arguments)

        def close(self) -> None:
            pass

    class SlowSession:
        def client(self, *_: Any, **__: Any) -> Clocked:
            sleep(0.3)
            built.append(monotonic())
            return Clocked(FLEET)

    session: Any = SlowSession()

    async def main() -> None:
        async with IoTJobsClient(session=session, requests_per_second=20) as client:
            paginator = client.list_job_executions_for_job(JOB_ID)

            async def count() -> int:
                return len([e async for e in paginator])

            assert await asyncio.gather(*(count() for _ in range(4))) == [len(FLEET)] * 4

    asyncio.run(main())
    assert len(starts) == 4
    # A thread may start its request after its slot, but not before it.
    for number, start in enumerate(sorted(starts)):
        assert start >= built[0] + number / 20
