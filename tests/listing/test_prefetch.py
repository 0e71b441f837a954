"""What prefetch does beyond what holds of every listing: one page ahead, and nothing left over."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from support import JOB_ID, FleetClient, GatedClient, wait_until, watched_threads

from iotjobs_client import IoTJobsClient, JobExecutionIterator, TransportError
from iotjobs_client.testing import make_fleet

FLEET = make_fleet(20)


def start(client: Any, **options: Any) -> JobExecutionIterator:
    listing = IoTJobsClient(client).list_job_executions_for_job(
        JOB_ID, page_size=6, prefetch=True, **options
    )
    return iter(listing)


def test_the_next_page_is_requested_while_the_caller_works_on_one() -> None:
    """One ahead, and never more."""
    client = GatedClient(FLEET)
    executions = start(client)
    seen = []
    for number, execution in enumerate(executions):
        expected = min(number // 6 + 2, 4)
        wait_until(lambda: client.answered == expected)  # noqa: B023
        seen.append(execution)
    assert seen == FLEET
    assert client.answered == 4


@pytest.mark.parametrize(("max_items", "requests"), [(6, 1), (7, 2), (12, 2), (20, 4)])
def test_no_page_is_requested_that_max_items_leaves_out(
    max_items: int, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one after the last."""
    started = watched_threads(monkeypatch)
    client = GatedClient(FLEET)
    assert list(start(client, max_items=max_items)) == FLEET[:max_items]
    for thread in started:
        thread.join(30)
    assert client.answered == len(client.calls) == requests


def test_an_error_comes_where_its_page_would_have_come() -> None:
    """After all of the page before, once; then its page is asked for again."""
    client = GatedClient(FLEET)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")}
    executions = start(client)
    found = []
    for _ in range(6):
        found.append(next(executions))
        wait_until(lambda: client.answered == 2)
    token = executions.resume_token
    with pytest.raises(TransportError) as caught:
        next(executions)
    assert token == caught.value.resume_token == executions.resume_token
    assert [*found, *executions] == FLEET
    assert client.answered == 5


def test_a_fast_consumer_makes_the_request_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the thread comes later, it does nothing, even if the request failed."""
    late: list[Callable[[], object]] = []
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


def test_the_token_is_of_what_was_given_not_of_what_was_requested() -> None:
    """Whatever is ahead."""
    client = GatedClient(FLEET)
    executions = start(client)
    for taken in range(20):
        ahead = min(taken // 6 + 2, 4) if taken % 6 else client.answered
        wait_until(lambda: client.answered >= ahead)  # noqa: B023
        if executions.resume_token is not None:
            resumed = IoTJobsClient(FleetClient(FLEET)).list_job_executions_for_job(
                JOB_ID, resume_token=executions.resume_token
            )
            assert list(resumed) == FLEET[taken:]
        next(executions)


@pytest.mark.parametrize("ending", ["break", "error", "forgotten", "closed"])
def test_nothing_is_left_running(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """The request under way comes to its end; no other follows, and nothing holds the iterator."""
    threads = watched_threads(monkeypatch)
    client = GatedClient(FLEET)
    client.errors = {2: EndpointConnectionError(endpoint_url="x")} if ending == "error" else {}
    facade = IoTJobsClient(client)
    executions = iter(facade.list_job_executions_for_job(JOB_ID, page_size=6, prefetch=True))
    next(executions)
    wait_until(lambda: client.answered == 2)
    if ending == "error":
        with suppress(TransportError):
            list(executions)
        client.errors.clear()  # its traceback holds the iterator
    else:
        client.gate.clear()
        for _ in range(6):  # the third page is under way
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
    assert client.answered == (2 if ending == "error" else 3)
    if ending != "break":
        gc.collect()
        assert left() is None


def test_the_thread_sees_the_callers_context() -> None:
    """For handlers of botocore's events that trace requests, say."""
    context = ContextVar("context", default="none")
    seen = []

    class Tracing(FleetClient):
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            seen.append((context.get(), threading.get_ident() == ours))
            return super().list_job_executions_for_job(**arguments)

    ours = threading.get_ident()
    context.set("request 7")
    executions = start(Tracing(FLEET))
    for number, execution in enumerate(FLEET):
        assert next(executions) == execution
        wait_until(lambda: len(seen) == min(number // 6 + 2, 4))  # noqa: B023
    assert seen == [("request 7", True), *[("request 7", False)] * 3]


def test_without_a_thread_to_be_had_it_lists_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Page by page, when they are asked for."""

    def start_new_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", start_new_thread)
    client = FleetClient(FLEET)
    executions = start(client)
    assert next(executions) == FLEET[0]
    assert len(client.calls) == 1
    assert list(executions) == FLEET[1:]
