"""A boto3 client that the caller passes in: it is neither closed nor changed for other users."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from types import MethodType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest
from support import JOB_ID, UNUSED_URL, boto3_client

from iotjobs_client import (
    ConfigurationError,
    IoTJobsClient,
    JobExecutionSummary,
    MalformedResponseError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, RawResponse, make_fleet, make_response

FLEET = make_fleet(20)


@pytest.fixture
def endpoint() -> Iterator[LocalEndpoint]:
    """Yield a server of the job ``JOB_ID``."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        yield endpoint


@pytest.fixture
def borrowed(endpoint: LocalEndpoint) -> Iterator[Any]:
    """Yield a boto3 client of the server."""
    client = boto3_client(endpoint.url)
    yield client
    client.close()


def list_with(client: Any, **options: Any) -> list[JobExecutionSummary]:
    """Return the executions that a client of this library lists with ``client``."""
    return list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID, **options))


def list_directly(client: Any) -> Any:
    """Return the items of the first page as boto3 returns them."""
    return client.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"]


def test_close_leaves_the_borrowed_client_open(borrowed: Any) -> None:
    """Closing ends this client's use of the boto3 client, which its owner can still use."""
    with IoTJobsClient(borrowed) as client:
        assert client.boto3_client is borrowed
        assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET
    assert len(list_directly(borrowed)) == 20
    with pytest.raises(ConfigurationError, match="closed"):
        list(client.list_job_executions_for_job(JOB_ID))
    mock = MagicMock()
    IoTJobsClient(mock).close()
    assert mock.mock_calls == []


@pytest.mark.parametrize("make", ["MagicMock", "create_autospec"])
def test_a_mock_records_only_the_calls_of_the_method(make: str) -> None:
    """``mock_calls`` of a borrowed mock holds the requests and nothing else."""
    real = boto3_client(UNUSED_URL)
    mock = MagicMock() if make == "MagicMock" else create_autospec(real)
    mock.list_job_executions_for_job.return_value = make_response(FLEET)
    mock.mock_calls.clear()
    assert list_with(mock) == FLEET
    assert len(mock.mock_calls) == 1
    mock.list_job_executions_for_job.assert_called_once_with(jobId=JOB_ID, maxResults=250)
    real.close()


def test_a_direct_call_returns_what_it_did_before(endpoint: LocalEndpoint, borrowed: Any) -> None:
    """Direct calls before, during and after a listing return the same as without it."""
    untouched = boto3_client(endpoint.url)

    def direct(client: Any) -> dict[str, Any]:
        page: dict[str, Any] = client.list_job_executions_for_job(jobId=JOB_ID)
        for name in ("date", "x-amzn-requestid"):
            page["ResponseMetadata"]["HTTPHeaders"].pop(name)
        page["ResponseMetadata"].pop("RequestId")
        return page

    expected = direct(untouched)
    executions = iter(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID, page_size=5))
    found = []
    assert direct(borrowed) == expected
    for execution in executions:
        found.append(execution)
        assert direct(borrowed) == expected
    assert found == FLEET
    assert direct(borrowed) == expected
    items = list_directly(borrowed)
    zones = {type(i["jobExecutionSummary"]["queuedAt"].tzinfo).__name__ for i in items}
    assert zones == {"tzlocal"}
    agents = {request.user_agent for request in endpoint.requests if not request.max_results}
    assert not any("iotjobs-client" in agent for agent in agents)
    untouched.close()


def test_direct_calls_in_other_threads_are_unaffected(borrowed: Any) -> None:
    """Direct calls in other threads return the same while a listing runs."""
    expected = list_directly(borrowed)
    done = threading.Event()
    pages: list[Any] = []

    def call_directly() -> None:
        while not done.is_set():
            pages.append(list_directly(borrowed))

    threads = [threading.Thread(target=call_directly) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for listings in itertools.count():
            if listings >= 3 and len(pages) > 5:
                break
            assert list_with(borrowed, page_size=2) == FLEET
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert all(page == expected for page in pages)


def test_direct_calls_after_an_interrupt_are_unaffected(borrowed: Any) -> None:
    """An interrupt during a request of this library does not change later direct calls."""
    expected = list_directly(borrowed)
    interrupt = MagicMock(side_effect=KeyboardInterrupt)
    borrowed.meta.events.register("before-call.iot", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list_with(borrowed)
    borrowed.meta.events.unregister("before-call.iot", interrupt)
    assert list_directly(borrowed) == expected


def test_a_wrapper_of_the_method_sees_datetimes(borrowed: Any) -> None:
    """A wrapper of the method sees datetimes, and the page that it returns is listed."""
    seen: list[type] = []
    method = borrowed.list_job_executions_for_job

    def wrapper(**arguments: Any) -> Any:
        page = method(**arguments)
        item = page["executionSummaries"][0]
        seen.append(type(item["jobExecutionSummary"]["queuedAt"]))
        return page

    class Delegating:
        meta = borrowed.meta

        def list_job_executions_for_job(self, **arguments: Any) -> Any:
            return wrapper(**arguments)

    # The first listing registers the handlers, which must stay inactive for a wrapper.
    assert list_with(borrowed) == list_with(Delegating()) == FLEET
    bound = MethodType(lambda _, **arguments: wrapper(**arguments), borrowed)
    proxy_type = type("Proxy", (SimpleNamespace,), {"__call__": lambda _, **kw: wrapper(**kw)})
    proxy = proxy_type(__self__=borrowed, __func__=method.__func__)
    for wrapped in (wrapper, bound, proxy):
        borrowed.list_job_executions_for_job = wrapped
        assert list_with(borrowed) == FLEET
    assert seen == [datetime] * 4


def test_event_handlers_see_numbers_or_datetimes(borrowed: Any) -> None:
    """Handlers see times as numbers, or as datetimes if botocore parses the response."""
    seen: list[Any] = []

    def record_time(parsed: dict[str, Any], **_: Any) -> None:
        seen.append(parsed["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"])

    borrowed.meta.events.register("after-call.iot", record_time)
    method = borrowed.list_job_executions_for_job
    for client in (borrowed, SimpleNamespace(list_job_executions_for_job=method)):
        assert list_with(client) == FLEET
    list_directly(borrowed)
    queued_at = FLEET[0].queued_at
    assert queued_at is not None
    assert [type(time) for time in seen] == [float, datetime, datetime]
    assert seen == [queued_at.timestamp(), queued_at, queued_at]


@pytest.mark.parametrize(
    "fault",
    [
        "truncate",
        "disconnect-in-headers",
        RawResponse(200, b"<html>Log in</html>"),
        RawResponse(200, b"", {"Content-Type": "text/plain"}),
        RawResponse(200, b"{}"),
    ],
    ids=["truncate", "disconnect-in-headers", "html", "none", "{}"],
)
def test_a_fault_behind_a_wrapper_is_not_the_end(fault: Fault) -> None:
    """A fault is an error although botocore's parser reads it as an empty last page."""
    with LocalEndpoint({JOB_ID: []}, faults={1: fault}) as endpoint:
        borrowed = boto3_client(endpoint.url)
        borrowed.list_job_executions_for_job = partial(borrowed.list_job_executions_for_job)
        if fault == RawResponse(200, b"{}"):
            assert list_with(borrowed) == []
        else:
            with pytest.raises((MalformedResponseError, TransportError)):
                list_with(borrowed)
        assert list_with(borrowed) == []  # The second response has no fault.
        borrowed.close()


def test_another_handler_can_set_the_user_agent(endpoint: LocalEndpoint, borrowed: Any) -> None:
    """A handler may replace the user agent with a str, although botocore uses bytes."""
    IoTJobsClient(borrowed)

    def rename(request: Any, **_: Any) -> None:
        request.headers["User-Agent"] = "mine"

    borrowed.meta.events.register_first("before-send.iot", rename)
    borrowed.meta.events.register_first("before-send.iot.*", rename)
    list_with(borrowed)
    assert endpoint.requests[0].user_agent.startswith("mine")


def test_two_clients_can_borrow_the_same_boto3_client(
    endpoint: LocalEndpoint, borrowed: Any
) -> None:
    """Closing one of two clients that share a boto3 client does not affect the other."""
    first, second = IoTJobsClient(borrowed), IoTJobsClient(borrowed)
    second.close()
    assert list(first.list_job_executions_for_job(JOB_ID)) == FLEET
    agent = endpoint.requests[-1].user_agent
    assert agent.count("iotjobs-client/") == 1
