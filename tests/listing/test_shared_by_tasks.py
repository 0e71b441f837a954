"""Tasks and threads may share an iterator, and listings may run at the same time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from listings import (
    SilentClient,
    cancel_anext,
    collect,
    let_others_run,
    paginate,
    with_and_without_prefetch,
)
from support import JOB_ID, FleetClient, wait_until, watched_threads

from iotjobs_client import IoTJobsClient, TransportError
from iotjobs_client.testing import make_fleet

FLEET = make_fleet(20)
PAGE_SIZE = 6  # four pages

pytestmark = pytest.mark.anyio


@with_and_without_prefetch
async def test_tasks_may_share_an_iterator(*, prefetch: bool) -> None:
    """Each execution is yielded to one task, and each page is requested once."""
    client = FleetClient(make_fleet(500))
    executions = aiter(paginate(client, page_size=PAGE_SIZE, prefetch=prefetch))
    found = []

    async def work() -> None:
        async for execution in executions:
            found.append(execution)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(5)))
    assert sorted(found, key=client.fleet.index) == client.fleet
    assert len(client.calls) == 84


async def test_a_request_in_a_thread_does_not_block_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks that wait for a page that a thread requests share one thread, as cancelled ones do."""
    started = watched_threads(monkeypatch)
    client = SilentClient(FLEET, silent_from=1)
    executions = iter(paginate(client, page_size=PAGE_SIZE))
    in_thread = asyncio.ensure_future(asyncio.to_thread(next, executions))
    await asyncio.to_thread(wait_until, lambda: client.requests == 1)
    for _ in range(5):
        await cancel_anext(executions)
    tasks = [asyncio.ensure_future(anext(executions)) for _ in range(5)]
    await let_others_run()
    assert len(started) == 1
    assert not any(task.done() for task in tasks)
    client.gate.set()
    found = await asyncio.gather(in_thread, *tasks)
    assert sorted(found, key=FLEET.index) == FLEET[:6]
    assert client.requests == 1


async def test_a_task_repeats_a_request_that_failed_in_a_thread() -> None:
    """The error is raised only in the thread that made the request."""
    client = SilentClient(FLEET, silent_from=1)
    client.errors = {1: EndpointConnectionError(endpoint_url="x")}
    executions = iter(paginate(client, page_size=PAGE_SIZE))
    in_thread = asyncio.ensure_future(asyncio.to_thread(next, executions))
    await asyncio.to_thread(wait_until, lambda: client.requests == 1)
    task = asyncio.ensure_future(anext(executions))
    await let_others_run()
    client.gate.set()
    assert await task == FLEET[0]
    with pytest.raises(TransportError):
        await in_thread
    assert client.requests == 2


def test_several_listings_at_once_leave_the_loop_free(caplog: pytest.LogCaptureFixture) -> None:
    """The loop runs a callback during each request, also in debug mode."""
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

        listings = (
            collect(client.list_job_executions_for_job(JOB_ID, prefetch=prefetch))
            for prefetch in [False, True] * 3
        )
        assert await asyncio.gather(*listings) == [fleet] * 6

    asyncio.run(main(), debug=True)
    assert [record for record in caplog.records if record.name == "asyncio"] == []
