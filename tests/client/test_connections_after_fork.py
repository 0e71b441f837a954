"""After a fork, parent and child never use the same connection to the service."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from support import JOB_ID, FleetClient, boto3_client, owning_client, posix_only
from urllib3.connection import HTTPConnection

from iotjobs_client import IoTJobsClient
from iotjobs_client.testing import LocalEndpoint, make_fleet

FLEET = make_fleet(3)

# Python warns of a fork if there are threads, such as those of the endpoint.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[HTTPConnection]:
    """The connections that this process opens from now on."""
    opened: list[HTTPConnection] = []
    connect = HTTPConnection.connect

    def counting(self: HTTPConnection) -> None:
        opened.append(self)
        connect(self)

    monkeypatch.setattr(HTTPConnection, "connect", counting)
    return opened


def in_fork(call: Callable[[], object]) -> object:
    """Return what ``call`` returns in a fork of this process."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(call()))
    process.start()
    assert receiver.poll(60)
    result: object = receiver.recv()
    process.join()
    return result


def list_all(client: IoTJobsClient) -> None:
    assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET


@posix_only("Windows has no fork()")
@pytest.mark.parametrize("kind", ["owned", "borrowed", "borrowed in the child"])
def test_a_child_opens_a_connection_of_its_own(kind: str, connects: list[HTTPConnection]) -> None:
    """The child opens one connection, and the parent continues with its own."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        boto3s: Any = boto3_client(endpoint.url)
        owned = owning_client(endpoint.url)
        client = owned if kind == "owned" else IoTJobsClient(boto3s)
        for _ in range(2):
            list_all(client)
        assert len(connects) == 1

        def count_connections() -> int:
            connects.clear()
            childs = IoTJobsClient(boto3s) if kind == "borrowed in the child" else client
            for _ in range(2):
                list_all(childs)
            return len(connects)

        assert in_fork(count_connections) == 1
        list_all(client)
        assert len(connects) == 1
        owned.close()
        boto3s.close()


@pytest.mark.parametrize("is_owned", [True, False], ids=["owned", "borrowed"])
def test_a_forked_process_drops_inherited_connections(
    monkeypatch: pytest.MonkeyPatch, *, is_owned: bool
) -> None:
    """The process closes them once, before its first request, and keeps the boto3 client."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint, owning_client(endpoint.url) as owner:
        client = owner if is_owned else IoTJobsClient(owner.boto3_client)
        boto3_client = client.boto3_client
        close_calls: list[None] = []
        monkeypatch.setattr(boto3_client, "close", lambda: close_calls.append(None))
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        assert next(executions) == FLEET[0]
        assert close_calls == []
        monkeypatch.setattr("os.getpid", lambda: -1)
        assert list(executions) == FLEET[1:]
        list_all(IoTJobsClient(boto3_client))  # Its connections are those of this process now.
        assert close_calls == [None]
        assert client.boto3_client is boto3_client
        monkeypatch.undo()


def test_an_interrupt_of_a_forked_process_leaves_no_inherited_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next request closes them if the first one was interrupted."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint, owning_client(endpoint.url) as client:
        close = mock.Mock(side_effect=[KeyboardInterrupt, None])
        monkeypatch.setattr(client.boto3_client, "close", close)
        monkeypatch.setattr("os.getpid", lambda: -1)
        with pytest.raises(KeyboardInterrupt):
            list_all(client)
        list_all(client)
        assert close.call_count == 2
        monkeypatch.undo()


def test_a_stand_in_is_used_unchanged_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without ``close()`` has no connections to drop."""
    client = IoTJobsClient(FleetClient(FLEET))
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET
