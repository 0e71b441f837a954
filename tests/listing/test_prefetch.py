"""Prefetching requests one page ahead, and leaves nothing running."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from listings import SilentClient, TracingClient
from support import (
    JOB_ID,
    FleetClient,
    refuse_new_threads,
    wait_until,
    watched_threads,
)

from iotjobs_client import IoTJobsClient, JobExecutionIterator, JobExecutionSummary, TransportError
from iotjobs_client.testing import make_fleet

FLEET = make_fleet(20)
NEVER = 1_000  # more requests than a test makes


def start(client: Any, **options: Any) -> JobExecutionIterator:
    """Return an iterator with prefetch over pages of six executions."""
    listing = IoTJobsClient(client).list_job_executions_for_job(
        JOB_ID, page_size=6, prefetch=True, **options
    )
    return iter(listing)


def resumed_at(token: str | None) -> list[JobExecutionSummary]:
    """Return the executions that a listing from ``token`` on yields."""
    client = IoTJobsClient(FleetClient(FLEET))
    return list(client.list_job_executions_for_job(JOB_ID, resume_token=token))


def test_the_next_page_is_requested_during_a_page() -> None:
    """Exactly one page is requested ahead, and does not change the resume token."""
    client = SilentClient(FLEET, silent_from=NEVER)
    executions = start(client)
    seen = []
    for number, execution in enumerate(executions, 1):
        expected = min((number - 1) // 6 + 2, 4)
        wait_until(lambda: client.responses == expected)  # noqa: B023
        seen.append(execution)
        if number < len(FLEET):
            assert [*seen, *resumed_at(executions.resume_token)] == FLEET
    assert seen == FLEET
    assert client.responses == 4


@pytest.mark.parametrize(("max_items", "requests"), [(6, 1), (7, 2), (12, 2), (20, 4)])
def test_no_page_is_requested_after_max_items(
    max_items: int, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is requested only if ``max_items`` needs it."""
    started = watched_threads(monkeypatch)
    client = SilentClient(FLEET, silent_from=NEVER)
    assert list(start(client, max_items=max_items)) == FLEET[:max_items]
    for thread in started:
        thread.join(30)
    assert client.responses == len(client.calls) == requests


def test_an_error_is_raised_after_the_page_before() -> None:
    """The error is raised once, and then its page is requested again."""
    client = SilentClient(FLEET, silent_from=NEVER)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")}
    executions = start(client)
    found = []
    for _ in range(6):
        found.append(next(executions))
        wait_until(lambda: client.responses == 2)
    token = executions.resume_token
    with pytest.raises(TransportError) as caught:
        next(executions)
    assert token == caught.value.resume_token == executions.resume_token
    assert [*found, *executions] == FLEET
    assert client.responses == 5


def test_a_fast_consumer_makes_the_request_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that starts later makes no request, even if the first one failed."""
    late: list[Callable[[], object]] = []
    # The library starts its threads with this function.
    monkeypatch.setattr(
        "_thread.start_new_thread", lambda call, arguments: late.append(partial(call, *arguments))
    )
    client = FleetClient(FLEET)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")}
    executions = start(client)
    found = [next(executions) for _ in range(6)]
    with pytest.raises(TransportError):
        next(executions)
    (thread,) = late
    thread()
    assert len(client.calls) == 2
    assert [*found, *executions] == FLEET
    for thread in late[1:]:
        thread()
    assert len(client.calls) == 5


@pytest.mark.parametrize("ending", ["break", "error", "deleted", "closed"])
def test_nothing_is_left_running(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """The running request ends, no other follows, and nothing holds the iterator."""
    threads = watched_threads(monkeypatch)
    client = SilentClient(FLEET, silent_from=3)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")} if ending == "error" else {}
    facade = IoTJobsClient(client)
    executions = iter(facade.list_job_executions_for_job(JOB_ID, page_size=6, prefetch=True))
    next(executions)
    wait_until(lambda: client.responses == 2)
    if ending == "error":
        with suppress(TransportError):
            list(executions)
        client.errors.clear()  # The traceback of the error holds the iterator.
    else:
        for _ in range(6):  # The request of the third page starts.
            next(executions)
    if ending == "closed":
        facade.close()
    left = weakref.ref(executions)
    if ending != "break":
        del executions
    client.gate.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(threads) == len(client.calls) - 1
    assert client.responses == (2 if ending == "error" else 3)
    if ending != "break":
        gc.collect()
        assert left() is None


def test_an_error_that_nobody_asks_for_is_freed_at_once() -> None:
    """It and its iterator are freed without the garbage collector."""
    errors: list[weakref.ref[BaseException]] = []

    class WatchedError(EndpointConnectionError):
        def __init__(self) -> None:
            super().__init__(endpoint_url="x")
            errors.append(weakref.ref(self))

    class Failing(FleetClient):
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            if self.calls:
                raise WatchedError
            return super().list_job_executions_for_job(**arguments)

    gc.disable()
    try:
        executions = start(Failing(FLEET))
        next(executions)
        wait_until(lambda: bool(errors))
        left = weakref.ref(executions)
        del executions
        wait_until(lambda: (errors[0](), left()) == (None, None))
    finally:
        gc.enable()


def test_a_prefetch_sees_the_context_of_the_caller() -> None:
    """Handlers of botocore's events can trace requests by context variables."""
    client = TracingClient(FLEET)
    client.context.set("request 7")
    executions = start(client)
    for number, execution in enumerate(FLEET):
        assert next(executions) == execution
        wait_until(lambda: len(client.seen) == min(number // 6 + 2, 4))  # noqa: B023
    assert client.seen == [("request 7", True), *[("request 7", False)] * 3]


def test_without_a_new_thread_it_lists_without_prefetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is requested when it is needed."""
    refuse_new_threads(monkeypatch)
    client = FleetClient(FLEET)
    executions = start(client)
    assert next(executions) == FLEET[0]
    assert len(client.calls) == 1
    assert list(executions) == FLEET[1:]
