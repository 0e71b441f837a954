"""Promises of ``async for`` alone: a free event loop, cancellation, sharing, closing.

Promises that ``for`` makes too are in test_listing, test_faults and test_random_sequences, which
test both.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import weakref
from contextvars import ContextVar
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any
from unittest import mock

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError
from support import (
    JOB_ID,
    FleetClient,
    ScriptedClient,
    held_response,
    owning_client,
    wait_until,
    watched_threads,
)

from iotjobs_client import (
    ConfigurationError,
    IoTJobsClient,
    JobExecutionIterator,
    JobExecutionPaginator,
    JobExecutionSummary,
    TransportError,
)
from iotjobs_client.testing import LocalEndpoint, make_fleet, make_response

FLEET = make_fleet(20)
PAGE_SIZE = 6  # four pages

with_and_without_prefetch = pytest.mark.parametrize("prefetch", [False, True], ids=["", "prefetch"])


def listing(client: Any, **options: Any) -> JobExecutionPaginator:
    return IoTJobsClient(client).list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE, **options)


async def take(executions: JobExecutionIterator, number: int) -> list[JobExecutionSummary]:
    return [await anext(executions) for _ in range(number)]


class SilentClient(FleetClient):
    """Answers no request from a certain one on, until its gate is opened."""

    def __init__(self, fleet: list[JobExecutionSummary], *, silent_from: int = 2) -> None:
        super().__init__(fleet)
        self.silent_from = silent_from
        self.gate = Event()
        self.asked = self.answered = 0

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.asked += 1
        if self.asked >= self.silent_from:
            assert self.gate.wait(30)
        try:
            return super().list_job_executions_for_job(**arguments)
        finally:
            self.answered += 1


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


INTERVAL = 1_000.0  # seconds, of a virtual clock
real_sleep = asyncio.sleep


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    clock = VirtualClock()

    async def sleep(seconds: float) -> None:
        is_pause = seconds > INTERVAL / 2
        await (clock.sleep_in_task(seconds) if is_pause else real_sleep(seconds))

    monkeypatch.setattr("iotjobs_client._request.time", clock)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return clock


def block_the_loop(seconds: float) -> None:
    sleep(seconds)


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0.001)


async def cancelled_in_request(executions: JobExecutionIterator) -> None:
    """An ``anext()`` that is cancelled while the service is silent."""
    task = asyncio.ensure_future(anext(executions))
    await let_others_run()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


class TestForms:
    @pytest.mark.parametrize("library", ["asyncio", "anyio"])
    @with_and_without_prefetch
    def test_it_runs_on_asyncio_and_on_anyio_over_it(
        self,
        library: str,
        prefetch: bool,  # noqa: FBT001
    ) -> None:
        """Executions and pages, over real HTTP, and after a request that timed out there."""
        fleet = make_fleet(600)

        async def main() -> None:
            async with owning_client(endpoint.url) as client:
                paginator = client.list_job_executions_for_job(JOB_ID, prefetch=prefetch)
                assert [execution async for execution in paginator] == fleet
                pages = paginator.pages()
                if library == "anyio":
                    with anyio.move_on_after(0.05) as scope:
                        await anext(pages)
                    assert scope.cancelled_caught
                else:
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(anext(pages), 0.05)
                may_respond.set()
                found = [execution async for page in pages for execution in page.executions]
                assert found == fleet

        with (
            LocalEndpoint({JOB_ID: fleet}) as endpoint,
            held_response(endpoint, 4) as may_respond,
        ):
            anyio.run(main) if library == "anyio" else asyncio.run(main())
            assert len(endpoint.requests) == 6

    def test_a_paginator_can_be_listed_again_and_interleaved(self) -> None:
        """Each ``async for`` is a listing of its own."""

        async def main() -> None:
            paginator = listing(FleetClient(FLEET))
            first, second = aiter(paginator), aiter(paginator)
            assert aiter(first) is first
            for execution in FLEET:
                assert await anext(first) == await anext(second) == execution
            assert [execution async for execution in paginator] == FLEET
            assert await anext(first, None) is None

        asyncio.run(main())

    @with_and_without_prefetch
    def test_one_iterator_takes_both_forms_in_turns(
        self,
        prefetch: bool,  # noqa: FBT001
    ) -> None:
        """It is one listing, whoever asks."""

        async def main() -> None:
            client = FleetClient(FLEET)
            executions = iter(listing(client, prefetch=prefetch))
            found = []
            while executions.resume_token is not None:
                found += await take(executions, 1)
                found += [e for e in [next(executions, None)] if e is not None]
            assert found == FLEET
            assert len(client.calls) == 4

        asyncio.run(main())

    def test_a_unit_in_hand_is_given_at_once_and_a_page_costs_one_thread(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No hop for an execution; one for a page."""
        threads = watched_threads(monkeypatch)
        executions = iter(listing(FleetClient(FLEET)))

        async def main() -> None:
            for number in range(len(FLEET)):
                if number % PAGE_SIZE == 0:
                    await anext(executions)
                else:
                    with pytest.raises(StopIteration):  # it returned, and did not suspend
                        executions.__anext__().send(None)

        asyncio.run(main())
        assert len(threads) == 4

    def test_an_error_in_a_thread_is_raised_where_it_is_awaited(self) -> None:
        """With the traceback to its cause; then its page is requested again."""

        async def main() -> None:
            client = FleetClient(FLEET)
            client.errors = {2: EndpointConnectionError(endpoint_url="x")}
            executions = aiter(listing(client))
            found = await take(executions, PAGE_SIZE)
            with pytest.raises(TransportError) as caught:
                await anext(executions)
            assert caught.value.__cause__ is client.errors[2]
            assert "_list_page" in [entry.name for entry in caught.traceback]
            assert caught.value.resume_token == executions.resume_token
            assert [*found, *[e async for e in executions]] == FLEET

        asyncio.run(main())

    def test_a_client_that_raises_stop_async_iteration_does_not_end_it_in_silence(self) -> None:
        """As little as one that raises StopIteration."""

        async def main() -> None:
            with pytest.raises(RuntimeError, match="method raised StopAsyncIteration"):
                await anext(aiter(listing(ScriptedClient(StopAsyncIteration()))))

        asyncio.run(main())

    def test_requests_see_the_context_of_the_task(self) -> None:
        """For handlers of botocore's events that trace requests, say."""
        context = ContextVar("context", default="none")
        seen = []

        class Tracing(FleetClient):
            def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
                seen.append((context.get(), threading.get_ident() == ours))
                return super().list_job_executions_for_job(**arguments)

        async def main() -> None:
            context.set("request 7")
            assert [e async for e in listing(Tracing(FLEET))] == FLEET

        ours = threading.get_ident()
        asyncio.run(main())
        assert seen == [("request 7", False)] * 4

    def test_without_a_thread_to_be_had_it_says_so_and_lives_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To request the page on the loop would be the worse surprise."""

        def start_new_thread(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        async def main() -> None:
            executions = aiter(listing(FleetClient(FLEET)))
            with monkeypatch.context() as patch:
                patch.setattr("_thread.start_new_thread", start_new_thread)
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await anext(executions)
            assert [e async for e in executions] == FLEET

        asyncio.run(main())


class TestCancellation:
    @with_and_without_prefetch
    def test_in_a_request_it_leaves_the_iterator_where_it_was(
        self,
        prefetch: bool,  # noqa: FBT001
    ) -> None:
        """The token is exact at once and later; the next ``anext()`` takes up the same request."""

        async def main() -> None:
            client = SilentClient(FLEET)
            executions = aiter(listing(client, prefetch=prefetch))
            found = await take(executions, PAGE_SIZE)
            token = executions.resume_token
            await cancelled_in_request(executions)
            assert executions.resume_token == token
            client.gate.set()
            await asyncio.to_thread(wait_until, lambda: client.answered == 2)
            assert executions.resume_token == token
            resumed = listing(FleetClient(FLEET), resume_token=token)
            assert [*found, *[e async for e in resumed]] == FLEET
            assert [*found, *[e async for e in executions]] == FLEET
            assert client.asked == 4

        asyncio.run(main())

    def test_a_synchronous_next_takes_up_the_request_too(self) -> None:
        """It waits for the answer that the cancelled one no longer waits for."""

        async def main() -> None:
            client = SilentClient(FLEET)
            executions = aiter(listing(client))
            found = await take(executions, PAGE_SIZE)
            await cancelled_in_request(executions)
            client.gate.set()
            assert [*found, *executions] == FLEET
            assert client.asked == 4

        asyncio.run(main())

    def test_an_error_that_nobody_waited_for_comes_with_the_next_anext(self) -> None:
        """It is of the page that is asked for, and so is told once."""

        async def main() -> None:
            client = SilentClient(FLEET)
            client.errors = {2: EndpointConnectionError(endpoint_url="x")}
            executions = aiter(listing(client))
            found = await take(executions, PAGE_SIZE)
            await cancelled_in_request(executions)
            client.gate.set()
            with pytest.raises(TransportError):
                await anext(executions)
            assert [*found, *[e async for e in executions]] == FLEET

        asyncio.run(main())

    @with_and_without_prefetch
    def test_nothing_is_left_running(
        self,
        monkeypatch: pytest.MonkeyPatch,
        prefetch: bool,  # noqa: FBT001
    ) -> None:
        """The request comes to its end, though the loop is closed; no other one follows."""
        threads = watched_threads(monkeypatch)
        client = SilentClient(FLEET)

        async def main() -> weakref.ref[JobExecutionIterator]:
            executions = aiter(listing(client, prefetch=prefetch))
            await take(executions, PAGE_SIZE)
            await cancelled_in_request(executions)
            return weakref.ref(executions)

        left = asyncio.run(main())  # it does not wait for the service, which is still silent
        assert client.answered == 1
        client.gate.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert client.asked == client.answered == 2
        gc.collect()
        assert left() is None


class TestRate:
    """``requests_per_second`` on an event loop."""

    def test_a_request_that_is_cancelled_before_its_slot_is_not_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It waits on the loop, without a thread."""
        threads = watched_threads(monkeypatch)
        fleet = FleetClient(FLEET)
        client = IoTJobsClient(fleet, requests_per_second=0.01)

        async def main() -> None:
            paginator = client.list_job_executions_for_job(JOB_ID)
            await take(aiter(paginator), 1)
            for iterator in [aiter(paginator) for _ in range(5)]:
                await cancelled_in_request(iterator)

        asyncio.run(main())
        assert len(threads) == len(fleet.calls) == 1

    @pytest.mark.parametrize("form", ["anext", "next"])
    def test_a_cancelled_wait_for_a_slot_leaves_the_iterator_usable(
        self, form: str, clock: VirtualClock
    ) -> None:
        """In either form, with all executions."""
        fleet = FleetClient(FLEET)
        client = IoTJobsClient(fleet, requests_per_second=1 / INTERVAL)

        async def main() -> None:
            executions = aiter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
            found = await take(executions, PAGE_SIZE)
            clock.is_stopped = True
            for _ in range(3):
                await cancelled_in_request(executions)
            clock.is_stopped = False
            if form == "anext":
                found += [e async for e in executions]
            else:
                found += executions
            assert found == FLEET
            assert len(fleet.calls) == 4

        asyncio.run(main())

    def test_a_cancelled_task_does_not_cancel_others_that_wait_for_the_slot(
        self, clock: VirtualClock
    ) -> None:
        """Of two tasks that share an iterator, one goes on."""
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

    def test_tasks_that_wait_for_the_same_page_share_one_slot(self, clock: VirtualClock) -> None:
        """Ten tasks list as fast as one: two intervals for three pages, not twenty."""
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

    @pytest.mark.parametrize("rate", [20, 1_000_000])
    def test_a_busy_loop_does_not_miss_its_slots_for_ever(self, rate: float) -> None:
        """The loop wakes up later than an interval after each slot."""
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

    def test_requests_of_many_tasks_are_spaced(self) -> None:
        """Also while the boto3 client is built, which takes longer than an interval."""
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
        # A thread may start its request late, but none before its slot.
        for number, start in enumerate(sorted(starts)):
            assert start >= built[0] + number / 20


class TestSharing:
    @with_and_without_prefetch
    def test_tasks_may_share_an_iterator(
        self,
        prefetch: bool,  # noqa: FBT001
    ) -> None:
        """Each execution goes to one of them, and each page is requested once."""

        async def main() -> None:
            client = FleetClient(make_fleet(500))
            executions = aiter(listing(client, prefetch=prefetch))
            found = []

            async def work() -> None:
                async for execution in executions:
                    found.append(execution)
                    await asyncio.sleep(0)

            await asyncio.gather(*(work() for _ in range(5)))
            assert sorted(found, key=client.fleet.index) == client.fleet
            assert len(client.calls) == 84

        asyncio.run(main())

    def test_a_thread_that_waits_for_an_answer_does_not_block_the_loop(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the same iterator: the task waits for the page of the thread, beside the loop."""
        watched_threads(monkeypatch)  # which coverage watches as well

        async def main() -> None:
            client = SilentClient(FLEET, silent_from=1)
            executions = iter(listing(client))
            found = []
            thread = Thread(target=lambda: found.append(next(executions)))
            thread.start()
            await asyncio.to_thread(wait_until, lambda: client.asked == 1)
            task = asyncio.ensure_future(anext(executions))
            await let_others_run()
            assert not task.done()
            client.gate.set()
            found.append(await task)
            thread.join()
            assert sorted(found, key=FLEET.index) == FLEET[:2]
            assert client.asked == 1

        asyncio.run(main())

    def test_many_tasks_that_wait_for_a_thread_take_one_more_thread(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And so do those that come after others were cancelled."""
        started = watched_threads(monkeypatch)

        async def main() -> None:
            client = SilentClient(FLEET, silent_from=1)
            executions = iter(listing(client))
            thread = Thread(target=lambda: next(executions))
            thread.start()
            await asyncio.to_thread(wait_until, lambda: client.asked == 1)
            for _ in range(5):
                await cancelled_in_request(executions)
            tasks = [asyncio.ensure_future(anext(executions)) for _ in range(5)]
            await let_others_run()
            assert len(started) == 1
            client.gate.set()
            thread.join()
            assert sorted(await asyncio.gather(*tasks), key=FLEET.index) == FLEET[1:6]
            assert client.asked == 1

        asyncio.run(main())

    def test_a_task_makes_the_request_again_that_failed_in_a_thread(self) -> None:
        """The error is raised once, in the thread that made the request."""

        async def main() -> None:
            client = SilentClient(FLEET, silent_from=1)
            client.errors = {1: EndpointConnectionError(endpoint_url="x")}
            executions = iter(listing(client))
            errors: list[BaseException] = []

            def fail() -> None:
                try:
                    next(executions)
                except TransportError as error:
                    errors.append(error)

            thread = Thread(target=fail)
            thread.start()
            await asyncio.to_thread(wait_until, lambda: client.asked == 1)
            task = asyncio.ensure_future(anext(executions))
            await let_others_run()
            client.gate.set()
            assert await task == FLEET[0]
            thread.join()
            assert len(errors) == 1
            assert client.asked == 2

        asyncio.run(main())

    def test_several_listings_at_once_leave_the_loop_free(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In asyncio's debug mode: the loop runs a callback during each request."""
        fleet = make_fleet(1000)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.slow_callback_duration = 10

            class WaitsForTheLoop(FleetClient):
                def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
                    has_run = threading.Event()
                    loop.call_soon_threadsafe(has_run.set)
                    assert has_run.wait(30)
                    return super().list_job_executions_for_job(**arguments)

            client = IoTJobsClient(WaitsForTheLoop(fleet))

            async def found(prefetch: bool) -> list[JobExecutionSummary]:  # noqa: FBT001
                paginator = client.list_job_executions_for_job(JOB_ID, prefetch=prefetch)
                return [execution async for execution in paginator]

            assert await asyncio.gather(*map(found, [False, True] * 3)) == [fleet] * 6

        asyncio.run(main(), debug=True)
        assert [record for record in caplog.records if record.name == "asyncio"] == []


class TestClient:
    def test_async_with_closes_it(self) -> None:
        """As ``with`` does."""

        async def main() -> None:
            client = IoTJobsClient(FleetClient(FLEET))
            async with client as same:
                assert same is client
            with pytest.raises(ConfigurationError, match="closed"):
                await anext(aiter(client.list_job_executions_for_job(JOB_ID)))

        asyncio.run(main())

    def test_it_is_closed_whatever_the_block_raises(self) -> None:
        """An error or a cancellation of the block comes through."""
        client = IoTJobsClient(FleetClient(FLEET))

        async def main() -> None:
            with anyio.CancelScope() as scope:
                async with client:
                    scope.cancel()
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            anyio.run(main)
        with pytest.raises(ConfigurationError, match="closed"):
            _ = client.boto3_client

    def test_closing_waits_for_nothing_while_the_boto3_client_is_built(self) -> None:
        """A thread that builds it may take long; its request then finds the client closed."""
        has_begun, go_on = Event(), Event()

        class SlowSession:
            def client(self, *_: Any, **__: Any) -> FleetClient:
                has_begun.set()
                assert go_on.wait(30)
                return FleetClient(FLEET)

        session: Any = SlowSession()

        async def main() -> None:
            async with IoTJobsClient(session=session) as client:
                first = asyncio.ensure_future(
                    anext(aiter(client.list_job_executions_for_job(JOB_ID)))
                )
                await asyncio.to_thread(has_begun.wait, 30)
            go_on.set()
            with pytest.raises(ConfigurationError, match="closed"):
                await first

        with mock.patch.object(FleetClient, "close", create=True) as close:
            asyncio.run(main())
        close.assert_called_with()


def test_an_error_that_nobody_picks_up_keeps_nothing_alive() -> None:
    """It needs no collector to go with its iterator, and with the client."""

    class Failing(FleetClient):
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            if "nextToken" in arguments:
                raise EndpointConnectionError(endpoint_url="x")
            return super().list_job_executions_for_job(**{**arguments, "maxResults": 1})

    async def main() -> list[weakref.ref[Any]]:
        client = IoTJobsClient(Failing(FLEET))
        executions = aiter(client.list_job_executions_for_job(JOB_ID))
        assert await anext(executions) == FLEET[0]
        task = asyncio.ensure_future(anext(executions))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return [weakref.ref(executions), weakref.ref(client)]

    gc.disable()
    try:
        left = asyncio.run(main())
        wait_until(lambda: [reference() for reference in left] == [None, None])
    finally:
        gc.enable()


def test_an_iterator_that_is_given_up_in_the_middle_leaves_nothing_to_await() -> None:
    """It is no generator: there is nothing to close, and no warning about it."""

    async def main() -> weakref.ref[JobExecutionIterator]:
        executions = aiter(listing(FleetClient(FLEET)))
        async for _ in executions:
            break
        return weakref.ref(executions)

    left = asyncio.run(main())
    assert left() is None
    assert not inspect.isasyncgen(aiter(listing(ScriptedClient(make_response([])))))
