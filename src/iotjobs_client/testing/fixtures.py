"""pytest fixtures, for those who ask for them.

In ``conftest.py``, beside your tests' root::

    pytest_plugins = ["iotjobs_client.testing.fixtures"]

PYTEST_DONT_REWRITE: there are no assertions here, and a ``conftest.py`` that imports the types
above that line is fine.
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


class MakeStubbedClient(Protocol):
    """What the fixture :func:`stubbed_client` is: a function."""

    def __call__(
        self,
        job_id: str,
        pages: Iterable[StubbedPage],
        *,
        status: str | Iterable[str] | None = None,
        page_size: int = 250,
    ) -> IoTJobsClient:
        """Take the arguments of :func:`iotjobs_client.testing.stubbed_client`."""
        ...


class StartLocalEndpoint(Protocol):
    """What the fixture :func:`local_endpoint` is: a function."""

    def __call__(
        self,
        jobs: Mapping[str, Iterable[JobExecutionSummary]],
        *,
        latency: float = 0.0,
        requests_per_second: float | None = None,
        faults: Mapping[int, Fault] | None = None,
        port: int = 0,
    ) -> LocalEndpoint:
        """Take the arguments of :class:`iotjobs_client.testing.LocalEndpoint`."""
        ...


_CLIENTS = pytest.StashKey[ExitStack]()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Leave the stubbed clients of a test that failed as a ``with`` block would.

    So it is told once, with a failure that it swallowed, and not again for pages that it did not
    come to.
    """
    clients = item.stash.get(_CLIENTS, None)
    if clients is not None and call.when != "teardown" and call.excinfo is not None:
        clients.__exit__(call.excinfo.type, call.excinfo.value, call.excinfo.tb)


@pytest.fixture
def stubbed_client(request: pytest.FixtureRequest) -> Iterator[MakeStubbedClient]:
    """A function that makes stubbed clients, as ``iotjobs_client.testing.stubbed_client`` does.

    The test fails when it is over and a page of one of them was not asked for.
    """
    with ExitStack() as stack:
        request.node.stash[_CLIENTS] = stack

        def make(*args: Any, **options: Any) -> IoTJobsClient:
            return stack.enter_context(testing.stubbed_client(*args, **options))

        yield make


@pytest.fixture
def local_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartLocalEndpoint]:
    """A function that starts a ``LocalEndpoint``, closed when the test is over.

    Until then the AWS variables of the environment lead ``iot`` clients to the endpoint that was
    started last: code that builds its own finds it too. All that was set before is taken out, and
    so is boto3's default session, which may know real credentials.
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
