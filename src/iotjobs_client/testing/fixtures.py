"""Optional pytest fixtures.

To enable them, write this in the ``conftest.py`` at the root of your tests::

    pytest_plugins = ["iotjobs_client.testing.fixtures"]

PYTEST_DONT_REWRITE: This module has no assertions. Without this marker, pytest warns if
``conftest.py`` imports this module before pytest loads the plugin.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from iotjobs_client import testing
from iotjobs_client.client import IoTJobsClient
from iotjobs_client.models import JobExecutionSummary
from iotjobs_client.testing import Fault, LocalEndpoint, StubbedPage

__all__ = ["MakeStubbedClient", "StartLocalEndpoint", "local_endpoint", "stubbed_client"]


class MakeStubbedClient(Protocol):
    """The type of the fixture :func:`stubbed_client`: a function."""

    def __call__(
        self,
        job_id: str,
        pages: Iterable[StubbedPage],
        *,
        status: str | Iterable[str] | None = None,
        page_size: int = 250,
    ) -> IoTJobsClient:
        """Return a client for the arguments of :func:`iotjobs_client.testing.stubbed_client`."""
        ...


class StartLocalEndpoint(Protocol):
    """The type of the fixture :func:`local_endpoint`: a function."""

    def __call__(
        self,
        jobs: Mapping[str, Iterable[JobExecutionSummary]],
        *,
        latency: float = 0.0,
        requests_per_second: float | None = None,
        faults: Mapping[int, Fault] | None = None,
        port: int = 0,
        play: float | None = None,
    ) -> LocalEndpoint:
        """Start an endpoint with the arguments of :class:`iotjobs_client.testing.LocalEndpoint`."""
        ...


_CLIENTS = pytest.StashKey[ExitStack]()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Close the stubbed clients of a failed test with its exception, as a ``with`` block would.

    The report of the test then has an assertion that the test swallowed, and the teardown does not
    fail for pages that the test did not reach.
    """
    clients = item.stash.get(_CLIENTS, None)
    if clients is not None and call.when != "teardown" and call.excinfo is not None:
        clients.__exit__(call.excinfo.type, call.excinfo.value, call.excinfo.tb)


@pytest.fixture
def stubbed_client(request: pytest.FixtureRequest) -> Iterator[MakeStubbedClient]:
    """A function that makes stubbed clients, as ``iotjobs_client.testing.stubbed_client`` does.

    The test fails at its end if a page of one of them was not requested.
    """
    with ExitStack() as stack:
        request.node.stash[_CLIENTS] = stack

        def make(*args: Any, **options: Any) -> IoTJobsClient:
            return stack.enter_context(testing.stubbed_client(*args, **options))

        yield make


@pytest.fixture
def local_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartLocalEndpoint]:
    """A function that starts a ``LocalEndpoint``, which is closed when the test ends.

    Until then, the ``AWS_`` environment variables point ``iot`` clients to the endpoint that was
    started last, including clients that the code under test builds. All other ``AWS_`` variables
    are removed, and so is boto3's default session, because it may have real credentials.
    """
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with ExitStack() as stack:

        def start(*args: Any, **options: Any) -> LocalEndpoint:
            endpoint = stack.enter_context(LocalEndpoint(*args, **options))
            for name, value in endpoint.environment.items():
                monkeypatch.setenv(name, value)
            return endpoint

        yield start
