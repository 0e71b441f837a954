"""A cancellation loses no execution, and leaves nothing running."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from botocore.exceptions import EndpointConnectionError
from listings import SilentClient, cancel_anext, paginate, take, with_and_without_prefetch
from support import FleetClient, wait_until, watched_threads

from iotjobs_client import JobExecutionIterator, TransportError
from iotjobs_client.testing import make_fleet

FLEET = make_fleet(20)
PAGE_SIZE = 6  # four pages

pytestmark = pytest.mark.anyio


@with_and_without_prefetch
async def test_a_cancelled_request_does_not_move_the_iterator(*, prefetch: bool) -> None:
    """The token stays exact, and the next ``anext()`` returns the result of that request."""
    client = SilentClient(FLEET)
    executions = aiter(paginate(client, page_size=PAGE_SIZE, prefetch=prefetch))
    found = await take(executions, PAGE_SIZE)
    token = executions.resume_token
    await cancel_anext(executions)
    assert executions.resume_token == token
    client.gate.set()
    await asyncio.to_thread(wait_until, lambda: client.responses == 2)
    assert executions.resume_token == token
    resumed = paginate(FleetClient(FLEET), page_size=PAGE_SIZE, resume_token=token)
    assert [*found, *[e async for e in resumed]] == FLEET
    assert [*found, *[e async for e in executions]] == FLEET
    assert client.requests == 4


async def test_next_returns_the_result_of_a_cancelled_request() -> None:
    """``next()`` waits for the running request instead of making another one."""
    client = SilentClient(FLEET)
    executions = aiter(paginate(client, page_size=PAGE_SIZE))
    found = await take(executions, PAGE_SIZE)
    await cancel_anext(executions)
    client.gate.set()
    assert [*found, *executions] == FLEET
    assert client.requests == 4


async def test_an_error_after_a_cancellation_is_raised_next() -> None:
    """The next ``anext()`` raises the error of the cancelled request once."""
    client = SilentClient(FLEET)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")}
    executions = aiter(paginate(client, page_size=PAGE_SIZE))
    found = await take(executions, PAGE_SIZE)
    await cancel_anext(executions)
    client.gate.set()
    with pytest.raises(TransportError):
        await anext(executions)
    assert [*found, *[e async for e in executions]] == FLEET


@with_and_without_prefetch
def test_nothing_is_left_running(monkeypatch: pytest.MonkeyPatch, *, prefetch: bool) -> None:
    """The loop can close at once, the request ends, and no other request follows."""
    threads = watched_threads(monkeypatch)
    client = SilentClient(FLEET)

    async def main() -> weakref.ref[JobExecutionIterator]:
        executions = aiter(paginate(client, page_size=PAGE_SIZE, prefetch=prefetch))
        await take(executions, PAGE_SIZE)
        await cancel_anext(executions)
        return weakref.ref(executions)

    left = asyncio.run(main())  # The service has not responded yet.
    assert client.responses == 1
    client.gate.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert client.requests == client.responses == 2
    gc.collect()
    assert left() is None
