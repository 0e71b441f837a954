"""``async with`` closes a client."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any
from unittest import mock

import anyio
import pytest
from support import JOB_ID, FleetClient

from iotjobs_client import ConfigurationError, IoTJobsClient
from iotjobs_client.testing import make_fleet

FLEET = make_fleet(20)


def test_async_with_closes_the_client() -> None:
    """``async with`` closes the client as ``with`` does."""

    async def main() -> None:
        client = IoTJobsClient(FleetClient(FLEET))
        async with client as same:
            assert same is client
        with pytest.raises(ConfigurationError, match="closed"):
            await anext(aiter(client.list_job_executions_for_job(JOB_ID)))

    asyncio.run(main())


def test_the_client_is_closed_after_an_error_in_the_block() -> None:
    """An error or a cancellation in the block passes through."""
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


def test_closing_does_not_wait_for_the_boto3_client() -> None:
    """A thread that is still building it then finds the client closed."""
    is_building, may_continue = Event(), Event()

    class SlowSession:
        def client(self, *_: Any, **__: Any) -> FleetClient:
            is_building.set()
            assert may_continue.wait(30)
            return FleetClient(FLEET)

    session: Any = SlowSession()

    async def main() -> None:
        async with IoTJobsClient(session=session) as client:
            first = asyncio.ensure_future(anext(aiter(client.list_job_executions_for_job(JOB_ID))))
            await asyncio.to_thread(is_building.wait, 30)
        may_continue.set()
        with pytest.raises(ConfigurationError, match="closed"):
            await first

    with mock.patch.object(FleetClient, "close", create=True) as close:
        asyncio.run(main())
    close.assert_called_with()
