"""What several test modules need: a scripted client, and the wire's form of an execution."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread, get_ident
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from unittest import mock

import boto3
from botocore.config import Config
from typing_extensions import Self
from urllib3.connection import HTTPConnection

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionIterator,
    JobExecutionPageIterator,
    JobExecutionSummary,
)
from iotjobs_client.testing import LocalEndpoint, make_response

if TYPE_CHECKING:
    import pytest

_T = TypeVar("_T")
JOB_ID = "firmware-42"
OPERATION = "list_job_executions_for_job"
ONCE: Any = {"total_max_attempts": 1, "mode": "standard"}


def to_item(execution: JobExecutionSummary, *, as_numbers: bool = False) -> Any:
    """The execution as boto3 gives it, or with numbers for times as the service sends it."""
    (item,) = make_response([execution])["executionSummaries"]
    if as_numbers:
        members = item["jobExecutionSummary"]
        item["jobExecutionSummary"] = {
            name: value.timestamp() if hasattr(value, "timestamp") else value
            for name, value in members.items()
        }
    return item


def forge(content: bytes) -> str:
    """A resume token with a valid checksum, which anybody can compute."""
    checksum = blake2b(content, digest_size=8).digest()
    return urlsafe_b64encode(checksum + content).rstrip(b"=").decode()


class ScriptedClient:
    """Answers each call with the next entry of a script: returns it, or raises it."""

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
        """The position in the token; behind a colon it may hold anything more."""
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


class GatedClient(FleetClient):
    """Answers each request when it is let to, and counts those that are answered."""

    def __init__(self, fleet: list[JobExecutionSummary]) -> None:
        super().__init__(fleet)
        self.gate = Event()
        self.gate.set()
        self.answered = 0

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        assert self.gate.wait(30)
        try:
            return super().list_job_executions_for_job(**arguments)
        finally:
            self.answered += 1


class RawServer:
    """Real HTTP on loopback that answers each request with the next of some raw answers.

    An answer is the HTTP status and the body, with headers if need be.
    """

    def __init__(self, *answers: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> None:
        script = iter(answers)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body, *more = next(script)
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

    # The endpoint waits for its latency with this event.
    with mock.patch.object(endpoint._is_closing, "wait", wait):
        try:
            yield may_respond
        finally:
            may_respond.set()


@cache
def session() -> boto3.Session:
    """One for all, since it keeps the service's model, which takes long to read."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


def boto3_client(url: str, **config: Any) -> Any:
    """A boto3 iot client of the server at ``url``, which sends each request once."""
    config.setdefault("retries", ONCE)
    return session().client("iot", endpoint_url=url, config=Config(**config))


def owning_client(url: str, **config: Any) -> IoTJobsClient:
    """A client of the server at ``url`` that builds its boto3 client as above."""
    config.setdefault("retries", ONCE)
    return IoTJobsClient(session=session(), endpoint_url=url, config=Config(**config))


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
    """What a listing at ``url`` gives from ``resume_token`` on; also called in other processes."""
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
    """Those that are started to request a page from now on, in a form that can be watched."""
    started: list[Thread] = []

    def start_new_thread(function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        started.append(Thread(target=function, args=arguments, daemon=True))
        started[-1].start()

    monkeypatch.setattr("_thread.start_new_thread", start_new_thread)
    return started


class Loops:
    """An event loop for each thread, as long as the ``with`` block."""

    def __init__(self) -> None:
        self._by_thread: dict[int, asyncio.AbstractEventLoop] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for loop in self._by_thread.values():
            loop.close()

    def next(self, iterator: JobExecutionIterator | JobExecutionPageIterator) -> Any:
        """What ``next()`` would give, by ``anext()``."""
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
        """What ``coroutine`` comes to."""
        if get_ident() not in self._by_thread:
            self._by_thread[get_ident()] = asyncio.new_event_loop()
        return self._by_thread[get_ident()].run_until_complete(coroutine)


@contextmanager
def async_form() -> Iterator[None]:
    """Where ``next()`` and ``for`` over a listing are ``anext()`` and ``async for``.

    So that what is tested of the one form is tested of the other.
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
    """``list_rest`` in another process, which knows only the URL and the token."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        # A pool waits forever if its process dies.
        yield lambda *arguments: pool.apply_async(list_rest, arguments).get(timeout=60)
