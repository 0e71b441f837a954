"""Helpers that several test modules use: stand-ins for boto3's client, servers and listings."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from functools import cache
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread, get_ident
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar
from unittest import mock

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from typing_extensions import Self
from urllib3.connection import HTTPConnection

from iotjobs_client import (
    IoTJobsClient,
    IoTJobsError,
    JobExecutionIterator,
    JobExecutionPageIterator,
    JobExecutionStatus,
    JobExecutionSummary,
)
from iotjobs_client.testing import LocalEndpoint, make_response

if TYPE_CHECKING:
    import pytest

_T = TypeVar("_T")
RawAnswer: TypeAlias = "tuple[int, bytes] | tuple[int, bytes, dict[str, str]]"
Respond: TypeAlias = Callable[[str, dict[str, str]], RawAnswer]
JOB_ID = "firmware-42"
UNUSED_URL = "http://127.0.0.1:9"  # No server listens on this port.
OPERATION = "list_job_executions_for_job"
PAUSED = JobExecutionStatus("PAUSED")  # a status that is not known
ONCE: Any = {"total_max_attempts": 1, "mode": "standard"}


def posix_only(reason: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test on Windows.

    Args:
        reason: What Windows does not have, or does in another way.
    """
    import pytest  # Processes that tests start use this module without pytest.

    return pytest.mark.skipif(os.name == "nt", reason=reason)


def to_item(execution: JobExecutionSummary, *, as_numbers: bool = False) -> Any:
    """Return the execution as boto3 does, or with times as numbers, as the service sends it."""
    (item,) = make_response([execution])["executionSummaries"]
    if as_numbers:
        members = item["jobExecutionSummary"]
        item["jobExecutionSummary"] = {
            name: value.timestamp() if hasattr(value, "timestamp") else value
            for name, value in members.items()
        }
    return item


def forge(content: bytes) -> str:
    """Return a resume token with this content and a valid checksum."""
    checksum = blake2b(content, digest_size=8).digest()
    return urlsafe_b64encode(checksum + content).rstrip(b"=").decode()


def client_error(
    code: object = None,
    http_status: object = None,
    operation: str = "ListJobExecutionsForJob",
    **metadata: object,
) -> ClientError:
    """Return the error that boto3 raises for an error response of the service."""
    response: Any = {
        "Error": {"Message": "Rate exceeded", "Code": code},
        "ResponseMetadata": {"HTTPStatusCode": http_status, **metadata},
    }
    return ClientError(response, operation)


def listing_error(client: IoTJobsClient) -> IoTJobsError:
    """Return the error that a listing with ``client`` raises."""
    try:
        list(client.list_job_executions_for_job(JOB_ID))
    except IoTJobsError as error:
        return error
    raise AssertionError("the listing raised no error")


class SmallInt(IntEnum):
    """Integers that are members of an enum."""

    ONE = 1
    THREE = 3


class OtherInt:
    """An integer type that is not a subclass of ``int``, like ``numpy.int64``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class ScriptedClient:
    """Responds to each call with the next entry of a script: returns it, or raises it."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.calls: list[dict[str, Any]] = []

    def list_job_executions_for_job(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        entry = self.script.pop(0)
        if isinstance(entry, BaseException):
            raise entry
        return entry


class FleetClient:
    """Lists a fleet as the service does: pages, tokens that are positions, the status filter."""

    def __init__(self, fleet: list[JobExecutionSummary]) -> None:
        self.fleet = fleet
        self.calls: list[dict[str, Any]] = []
        self.errors: dict[int, BaseException] = {}

    def start_of(self, arguments: dict[str, Any]) -> int:
        """Return the position in the token, which may have more text after a colon."""
        return int(arguments.get("nextToken", "0").partition(":")[0])

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        if len(self.calls) in self.errors:
            raise self.errors[len(self.calls)]
        start = self.start_of(arguments)
        wanted = [
            position
            for position in range(start, len(self.fleet))
            if arguments.get("status") in (None, self.fleet[position].status)
        ]
        size = arguments["maxResults"]
        page = [self.fleet[position] for position in wanted[:size]]
        return make_response(page, str(wanted[size]) if len(wanted) > size else None)


class RawServer:
    """Real HTTP on loopback that sends the next of some raw responses to each request.

    A response is the HTTP status and the body, and may have headers. A function that makes one
    gets the path and the headers of the request.
    """

    def __init__(self, *answers: RawAnswer | Respond) -> None:
        script = iter(answers)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # Otherwise the body waits 40 ms for an acknowledgment.

            def do_GET(self) -> None:
                answer = next(script)
                if callable(answer):
                    answer = answer(self.path, dict(self.headers.items()))
                status, body, *more = answer
                self.send_response(status)
                headers = {"Content-Length": str(len(body)), "x-amzn-RequestId": "request-1"}
                for name, value in {**headers, **(more[0] if more else {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def held_response(endpoint: LocalEndpoint, number: int) -> Iterator[Event]:
    """Hold the response to a request until the event is set. Requests are counted from 1."""
    may_respond = Event()

    def wait(_: float) -> bool:
        if len(endpoint.requests) == number:
            assert may_respond.wait(60)
        return False

    # The endpoint waits for its latency with this private event; nothing public holds a response.
    with mock.patch.object(endpoint._is_closing, "wait", wait):
        try:
            yield may_respond
        finally:
            may_respond.set()


@cache
def session() -> boto3.Session:
    """Return a boto3 session for all tests; it caches the service's model, which loads slowly."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


def boto3_client(url: str, **config: Any) -> Any:
    """Return a boto3 iot client of the server at ``url``, which sends each request once."""
    config.setdefault("retries", ONCE)
    return session().client("iot", endpoint_url=url, config=Config(**config))


def owning_client(url: str, **config: Any) -> IoTJobsClient:
    """Return a client of the server at ``url`` that builds its own boto3 client."""
    config.setdefault("retries", ONCE)
    return IoTJobsClient(session=session(), endpoint_url=url, config=Config(**config))


@contextmanager
def served(
    fleet: list[JobExecutionSummary], **options: Any
) -> Iterator[tuple[LocalEndpoint, IoTJobsClient]]:
    """Serve a fleet over HTTP, and yield the endpoint and a client that lists it."""
    with (
        LocalEndpoint({JOB_ID: fleet}, **options) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        yield endpoint, client


def response_error(*responses: RawAnswer) -> IoTJobsError:
    """Return the error of a listing over HTTP whose responses are ``responses``."""
    with RawServer(*responses) as server, owning_client(server.url) as client:
        return listing_error(client)


@contextmanager
def short_read_timeout(endpoint: LocalEndpoint, *numbers: int) -> Iterator[None]:
    """Shorten the read timeout of the requests with these numbers, counted from 1.

    It begins once the endpoint has received the request, and other requests keep the client's
    timeout, so a slow machine causes no other timeout.
    """
    get_response = HTTPConnection.getresponse
    sent = 0

    def getresponse(connection: HTTPConnection) -> Any:
        nonlocal sent
        sent += 1
        number = sent
        wait_until(lambda: len(endpoint.requests) >= number)
        if number in numbers:
            connection.timeout = 0.05  # urllib3 2 applies it to the socket
            connection.sock.settimeout(0.05)
        return get_response(connection)

    with mock.patch.object(HTTPConnection, "getresponse", getresponse):
        yield


def list_rest(url: str, resume_token: str | None, **options: Any) -> list[JobExecutionSummary]:
    """List the job at ``url`` from ``resume_token`` on; other processes call this too."""
    with owning_client(url) as client:
        listing = client.list_job_executions_for_job(JOB_ID, resume_token=resume_token, **options)
        return list(listing)


def wait_until(condition: Callable[[], bool]) -> None:
    """Fail only if the condition never becomes true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def watched_threads(monkeypatch: pytest.MonkeyPatch) -> list[Thread]:
    """Return a list to which each thread that is started to request a page is added."""
    started: list[Thread] = []

    def start_new_thread(function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        started.append(Thread(target=function, args=arguments, daemon=True))
        started[-1].start()

    monkeypatch.setattr("_thread.start_new_thread", start_new_thread)
    return started


def refuse_new_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the start of each thread that is to request a page fail."""
    fail = mock.Mock(side_effect=RuntimeError("can't start new thread"))
    monkeypatch.setattr("_thread.start_new_thread", fail)


class Loops:
    """An event loop for each thread; leaving the ``with`` block closes them."""

    def __init__(self) -> None:
        self._by_thread: dict[int, asyncio.AbstractEventLoop] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for loop in self._by_thread.values():
            loop.close()

    def next(self, iterator: JobExecutionIterator | JobExecutionPageIterator) -> Any:
        """Advance the iterator by ``anext()``, but return and raise as ``next()`` does."""
        found: list[Any] = []
        errors: list[BaseException] = []

        async def advance() -> None:
            try:
                found.append(await iterator.__anext__())
            except BaseException as error:  # noqa: BLE001  (a task would keep it in a cycle)
                errors.append(error)

        self.run(advance())
        if not errors:
            return found[0]
        if isinstance(errors[0], StopAsyncIteration):
            raise StopIteration
        raise errors.pop()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run the coroutine on this thread's loop, and return its result."""
        if get_ident() not in self._by_thread:
            self._by_thread[get_ident()] = asyncio.new_event_loop()
        return self._by_thread[get_ident()].run_until_complete(coroutine)


@contextmanager
def async_form() -> Iterator[None]:
    """Replace ``next()`` and ``for`` over a listing by ``anext()`` and ``async for``.

    This lets a test of the synchronous form check the asynchronous form too.
    """
    with Loops() as loops:

        def next_(iterator: JobExecutionIterator | JobExecutionPageIterator) -> Any:
            return loops.next(iterator)

        with ExitStack() as patches:
            for kind in (JobExecutionIterator, JobExecutionPageIterator):
                patches.enter_context(mock.patch.object(kind, "__next__", next_))
            yield


class ListRest(Protocol):
    def __call__(self, url: str, resume_token: str | None, /) -> list[JobExecutionSummary]: ...


@contextmanager
def other_process() -> Iterator[ListRest]:
    """Yield ``list_rest`` run in another process, which gets only the URL and the token."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        # A pool waits forever if its process dies.
        yield lambda *arguments: pool.apply_async(list_rest, arguments).get(timeout=60)
