"""A deadline that a signal handler raises in the middle of a request passes through unchanged."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import HTTPClientError
from support import (
    JOB_ID,
    ScriptedClient,
    boto3_client,
    owning_client,
    posix_only,
    wait_until,
)

from iotjobs_client import CredentialsError, IoTJobsClient, TransportError
from iotjobs_client.testing import LocalEndpoint, make_fleet

during_a_request = posix_only("Windows runs no signal handler during a request")
pytestmark = [
    # urllib3 leaves the socket of an interrupted request to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # http.client leaves a response without attributes if its constructor is interrupted.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <http.client.HTTP:pytest.PytestUnraisableExceptionWarning"
    ),
]
FLEET = make_fleet(600)
MODES: list[Any] = ["legacy", "standard", "adaptive"]


@pytest.fixture(autouse=True)
def interrupted_sockets() -> Iterator[None]:
    """Collect the open sockets of interrupted requests before the next test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Deadline(Exception):  # noqa: N818  (it is an outcome, not a fault)
    """The time is over, as Celery's and rq's handlers say it."""


@contextmanager
def deadline_once(condition: Callable[[], bool]) -> Iterator[None]:
    """Raise a deadline in this thread, from a signal handler, once the condition is true."""
    is_over = False

    def handle(*_: object) -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            raise Deadline

    def send() -> None:
        wait_until(condition)
        # A signal that comes just before a system call does not interrupt it.
        while not is_over:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.05)

    previous = signal.signal(signal.SIGUSR1, handle)
    thread = Thread(target=send)
    try:
        thread.start()
        yield
    finally:
        is_over = True
        thread.join()
        signal.signal(signal.SIGUSR1, previous)


@during_a_request
@pytest.mark.parametrize("kind", ["owned", "borrowed", "wrapped"])
@pytest.mark.parametrize("mode", MODES)
def test_a_deadline_ends_the_request_at_once(mode: Any, kind: str) -> None:
    """It is raised as it is, botocore does not retry, and the iterator continues exactly."""
    # Nothing of this library runs in a wrapped client that retries, so botocore hides the error.
    attempts = 1 if kind == "wrapped" else 3
    retries = {"mode": mode, "total_max_attempts": attempts}
    with LocalEndpoint({JOB_ID: FLEET}, faults={2: "hang"}) as endpoint:
        if kind == "owned":
            client = owning_client(endpoint.url, retries=retries)
        else:
            borrowed = boto3_client(endpoint.url, retries=retries)
            method = borrowed.list_job_executions_for_job
            wrapped = SimpleNamespace(list_job_executions_for_job=method)
            client = IoTJobsClient(wrapped if kind == "wrapped" else borrowed)
        executions = iter(client.list_job_executions_for_job(JOB_ID))
        found = [next(executions) for _ in range(250)]
        with (
            deadline_once(lambda: len(endpoint.requests) == 2),
            pytest.raises(Deadline) as caught,
        ):
            next(executions)
        assert len(endpoint.requests) == 2
        assert "handle" in [entry.name for entry in caught.traceback]
        assert [*found, *executions] == FLEET


@during_a_request
def test_a_deadline_while_credentials_are_fetched_passes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is no CredentialsError, although botocore fetches credentials over HTTP, too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []
        thread = Thread(target=lambda: accepted.append(silent.accept()[0]))
        thread.start()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        client = IoTJobsClient(region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
        try:
            with deadline_once(lambda: bool(accepted)), pytest.raises(Deadline):
                list(client.list_job_executions_for_job(JOB_ID))
        finally:
            thread.join()
            accepted[0].close()


@pytest.mark.parametrize("base", [Exception, ValueError, RuntimeError], ids=lambda b: b.__name__)
@pytest.mark.parametrize("is_wrapped", [True, False], ids=["wrapped", "borrowed"])
def test_a_deadline_while_a_response_is_read_passes_through(
    base: type[Exception], monkeypatch: pytest.MonkeyPatch, *, is_wrapped: bool
) -> None:
    """It is no MalformedResponseError, whether botocore or this library reads the response."""
    deadline = type("Deadline", (base,), {})()

    def interrupt(*_: object, **__: object) -> None:
        raise deadline

    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        client = boto3_client(endpoint.url)
        method = client.list_job_executions_for_job
        borrowed = SimpleNamespace(list_job_executions_for_job=method) if is_wrapped else client
        executions = iter(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
        with monkeypatch.context() as patch:
            patch.setattr("botocore.parsers.BaseRestParser._do_parse", interrupt)
            patch.setattr("iotjobs_client._botocore.json", SimpleNamespace(loads=interrupt))
            with pytest.raises(base) as caught:
                next(executions)
        assert caught.value is deadline
        assert list(executions) == FLEET
        client.close()


@pytest.mark.parametrize(
    "error", [ValueError("x"), TimeoutError("x"), socket.gaierror("x"), "x"], ids=type
)
def test_an_error_of_a_module_that_sends_requests_is_mapped(error: Any) -> None:
    """Errors of the standard library that botocore wraps are no deadlines."""
    client = IoTJobsClient(ScriptedClient(HTTPClientError(error=error)))
    with pytest.raises(TransportError):
        list(client.list_job_executions_for_job(JOB_ID))


def test_a_deadline_is_no_credentials_error() -> None:
    """A deadline passes through even if its class is one that reading a file raises."""
    deadline = type("Deadline", (RuntimeError,), {})()
    client = IoTJobsClient(ScriptedClient(HTTPClientError(error=deadline)))
    with pytest.raises(RuntimeError) as caught:
        list(client.list_job_executions_for_job(JOB_ID))
    assert caught.value is deadline
    assert not isinstance(caught.value, CredentialsError)
