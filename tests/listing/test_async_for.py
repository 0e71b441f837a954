"""``async for`` yields what ``for`` yields, and leaves the event loop free.

The tests of pages, errors and tokens run with both forms, as do test_faults and
test_random_sequences. This file tests what only ``async for`` promises.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError
from listings import TracingClient, paginate, take, with_and_without_prefetch
from support import (
    JOB_ID,
    FleetClient,
    ScriptedClient,
    held_response,
    owning_client,
    refuse_new_threads,
    watched_threads,
)

from iotjobs_client import JobExecutionIterator, TransportError
from iotjobs_client.testing import LocalEndpoint, make_fleet, make_response

FLEET = make_fleet(20)
PAGE_SIZE = 6  # four pages

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("library", ["asyncio", "anyio"])
@with_and_without_prefetch
def test_listings_run_on_asyncio_and_on_anyio(library: str, *, prefetch: bool) -> None:
    """Executions and pages arrive over real HTTP, even after a request that timed out."""
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

    with LocalEndpoint({JOB_ID: fleet}) as endpoint, held_response(endpoint, 4) as may_respond:
        anyio.run(main) if library == "anyio" else asyncio.run(main())
        assert len(endpoint.requests) == 6


@with_and_without_prefetch
async def test_next_and_anext_can_alternate(*, prefetch: bool) -> None:
    """Both forms advance the same listing."""
    client = FleetClient(FLEET)
    executions = iter(paginate(client, page_size=PAGE_SIZE, prefetch=prefetch))
    found = []
    while executions.resume_token is not None:
        found += await take(executions, 1)
        found += [e for e in [next(executions, None)] if e is not None]
    assert found == FLEET
    assert len(client.calls) == 4


async def test_only_a_page_costs_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """An execution that has arrived is returned without a switch to another thread."""
    threads = watched_threads(monkeypatch)
    executions = iter(paginate(FleetClient(FLEET), page_size=PAGE_SIZE))

    for number in range(len(FLEET)):
        if number % PAGE_SIZE == 0:
            await anext(executions)
        else:
            with pytest.raises(StopIteration):  # It returned without suspending.
                executions.__anext__().send(None)
    assert len(threads) == 4


async def test_an_error_in_a_thread_is_raised_in_the_task() -> None:
    """The error has the traceback to its cause, and then its page is requested again."""
    client = FleetClient(FLEET)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")}
    executions = aiter(paginate(client, page_size=PAGE_SIZE))
    found = await take(executions, PAGE_SIZE)
    with pytest.raises(TransportError) as caught:
        await anext(executions)
    assert caught.value.__cause__ is client.errors[2]
    # No public function makes the request, so a private one must be in the traceback.
    assert "_list_page" in [entry.name for entry in caught.traceback]
    assert caught.value.resume_token == executions.resume_token
    assert [*found, *[e async for e in executions]] == FLEET


async def test_a_client_that_raises_stop_async_iteration_is_an_error() -> None:
    """Such a client does not end the listing."""
    with pytest.raises(RuntimeError, match="method raised StopAsyncIteration"):
        await anext(aiter(paginate(ScriptedClient(StopAsyncIteration()), page_size=PAGE_SIZE)))


async def test_requests_see_the_context_of_the_task() -> None:
    """Handlers of botocore's events can trace requests by context variables."""
    client = TracingClient(FLEET)

    client.context.set("request 7")
    assert [e async for e in paginate(client, page_size=PAGE_SIZE)] == FLEET
    assert client.seen == [("request 7", False)] * 4


async def test_without_a_new_thread_it_raises_and_can_continue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request is not made on the loop instead, which would block it."""
    executions = aiter(paginate(FleetClient(FLEET), page_size=PAGE_SIZE))
    with monkeypatch.context() as patch:
        refuse_new_threads(patch)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await anext(executions)
    assert [e async for e in executions] == FLEET


def test_an_abandoned_iterator_need_not_be_closed() -> None:
    """The iterator is not an asynchronous generator, so no warning asks to close it."""

    async def main() -> weakref.ref[JobExecutionIterator]:
        executions = aiter(paginate(FleetClient(FLEET), page_size=PAGE_SIZE))
        async for _ in executions:
            break
        return weakref.ref(executions)

    left = asyncio.run(main())
    assert left() is None
    assert not inspect.isasyncgen(
        aiter(paginate(ScriptedClient(make_response([])), page_size=PAGE_SIZE))
    )
