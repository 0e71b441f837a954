"""A service on loopback that answers ListJobExecutionsForJob as the API reference says."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET, socket
from socketserver import TCPServer
from threading import TIMEOUT_MAX, Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote
from uuid import uuid4

import attrs

from iotjobs_client.client import IoTJobsClient, to_rate
from iotjobs_client.exceptions import (
    InvalidRequestError,
    ResourceNotFoundError,
    ThrottlingError,
    wrong_argument,
)
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.paginator import JOB_ID, LARGEST_PAGE, check_job_id
from iotjobs_client.testing._faults import (
    DELIVERIES,
    WHOLE,
    Fault,
    RawAnswer,
    to_answer,
    to_answer_or_mishap,
)
from iotjobs_client.testing._job import Job
from iotjobs_client.testing._session import CREDENTIAL, REGION_NAME, TestingSession

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_LARGEST_PORT = 2**16 - 1
_POSITIONS = range(2**32)
_NUMBER = re.compile("[1-9][0-9]{0,2}")
_PATH = re.compile(r"/jobs/([^/]*)/things")


@attrs.frozen
class ListRequest:
    """A request as a :class:`LocalEndpoint` received it.

    Attributes:
        job_id: The job in its path (``jobId``).
        status: The filter (``status``); ``None`` without one.
        max_results: The page size (``maxResults``), as sent; ``None`` without one.
        next_token: The token (``nextToken``); ``None`` on a first page.
        user_agent: The ``User-Agent`` header.
    """

    job_id: str
    status: str | None
    max_results: str | None
    next_token: str | None = attrs.field(repr=False)
    user_agent: str


class LocalEndpoint:
    """Real HTTP on loopback that answers ``ListJobExecutionsForJob`` as the API reference says.

    Requests that the reference forbids get its 400, unknown jobs its 404; pages, tokens and the
    status filter work. It serves from construction until :meth:`close` or the end of a ``with``
    block, in threads of its own. Any client in any language may call it; signatures are not
    checked.

    Args:
        jobs: The executions of each job, by job id, in the order in which they are listed.
        latency: Seconds to wait before each answer.
        requests_per_second: Requests above this rate are throttled with 429; ``None`` for no
            limit.
        faults: What goes wrong, by the number of the request, counted from 1 over all requests
            and botocore's retries alike.
        port: The port to listen on; 0 for one that is free.

    Raises:
        InvalidArgumentError: A job id, the latency, the rate, a fault or the port is wrong.
        OSError: The port is in use.

    >>> from iotjobs_client.testing import LocalEndpoint, make_fleet
    >>> with LocalEndpoint({"firmware-42": make_fleet(600)}) as endpoint:
    ...     with endpoint.client() as client:
    ...         print(sum(1 for _ in client.list_job_executions_for_job("firmware-42")))
    ...     print(len(endpoint.requests))
    600
    3
    """

    def __init__(
        self,
        jobs: Mapping[str, Iterable[JobExecutionSummary]],
        *,
        latency: float = 0.0,
        requests_per_second: float | None = None,
        faults: Mapping[int, Fault] | None = None,
        port: int = 0,
    ) -> None:
        for name, value in (("jobs", jobs), ("faults", faults or {})):
            if not isinstance(value, Mapping):
                raise wrong_argument(name, "a mapping", value)
        if type(latency) not in (int, float) or not 0 <= latency < TIMEOUT_MAX:
            raise wrong_argument("latency", "a number of seconds of at least 0", latency)
        if type(port) is not int or not 0 <= port <= _LARGEST_PORT:
            raise wrong_argument("port", f"an int from 0 to {_LARGEST_PORT}", port)
        for number in faults or ():
            if type(number) is not int or number < 1:
                raise wrong_argument("the number of a fault's request", "1 or more", number)
        to_rate(requests_per_second)
        self._jobs = {check_job_id(job_id): Job(job_id, jobs[job_id]) for job_id in jobs}
        self._latency = latency
        self._rate = requests_per_second
        self._faults = {
            number: to_answer_or_mishap(fault) for number, fault in (faults or {}).items()
        }
        self._requests: list[ListRequest] = []
        self._lock = Lock()
        self._most_at_once = max(requests_per_second or 0.0, 1.0)
        self._allowance, self._allowance_at = self._most_at_once, monotonic()
        self._is_closing = Event()
        self._pid = os.getpid()
        self._connections: set[socket] = set()
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.01,), name="LocalEndpoint", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """It serves already."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the endpoint."""
        self.close()

    def close(self) -> None:
        """Stop serving and cut all connections. Closing twice does no harm."""
        if self._pid != os.getpid():
            self._server.server_close()  # in a forked process, which does not serve
        elif not self._is_closing.is_set():
            self._is_closing.set()
            self._server.shutdown()
            for connection in list(self._connections):
                with suppress(OSError):  # it may be closed in the meantime
                    connection.shutdown(SHUT_RDWR)
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """Its URL, such as ``"http://127.0.0.1:49152"``, for ``endpoint_url``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[ListRequest]:
        """The requests so far, in the order in which they arrived."""
        with self._lock:
            return list(self._requests)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead boto3, the AWS CLI and the other SDKs here.

        Add them to ``os.environ``, or to what another process gets as ``env``, and take out an
        ``AWS_PROFILE``, which would lead elsewhere.
        """
        return {
            "AWS_ENDPOINT_URL_IOT": self.url,
            "AWS_REGION": REGION_NAME,
            "AWS_DEFAULT_REGION": REGION_NAME,
            "AWS_ACCESS_KEY_ID": CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
        }

    def client(self, **options: Any) -> IoTJobsClient:
        """A client of this endpoint, with made-up credentials; close it when done.

        Args:
            **options: Further options of ``IoTJobsClient``, such as ``config``.

        Returns:
            The client.

        Raises:
            InvalidArgumentError: An option is wrong.
        """
        from botocore.config import Config

        # A proxy of the environment would not reach this machine's loopback.
        config, given = Config(proxies={}), options.get("config")
        options["config"] = config.merge(given) if isinstance(given, Config) else given or config
        own: dict[str, Any] = {"session": TestingSession(), "endpoint_url": self.url}
        return IoTJobsClient(**{**own, **options})

    def move(
        self, job_id: str, thing_name: str, status: JobExecutionStatus | str
    ) -> JobExecutionSummary:
        """Move the last execution of a thing along its life, as the thing or the service would.

        From QUEUED on to IN_PROGRESS or straight to an end other than TIMED_OUT, from
        IN_PROGRESS to any end, and from FAILED or TIMED_OUT by a retry back to QUEUED: that is
        another execution, with the next ``execution_number``, at the end of the job's. It may
        happen while the job is being listed; a request that is answered later shows it.

        Args:
            job_id: The job.
            thing_name: The thing.
            status: Where its execution goes.

        Returns:
            The execution as it is then, last updated a second after it was before.

        Raises:
            InvalidArgumentError: There is no such execution, or it cannot go there.
        """
        if not isinstance(job_id, str) or job_id not in self._jobs:
            raise wrong_argument("job_id", f"one of {', '.join(self._jobs) or 'none'}", job_id)
        return self._jobs[job_id].move(thing_name, status)

    def _answer(self, target: str, user_agent: str) -> tuple[RawAnswer, str | None]:
        """The answer to a request, and what befalls it."""
        path, _, query = target.partition("?")
        match = _PATH.fullmatch(path)
        if match is None:
            return _no_operation(404), None
        asked = {
            # What is there several times is no value of any parameter, and so is refused.
            name: values[0] if len(values) == 1 else str(values)
            for name, values in parse_qs(query, keep_blank_values=True).items()
        }
        request = ListRequest(
            unquote(match[1]),
            asked.get("status"),
            asked.get("maxResults"),
            asked.get("nextToken"),
            user_agent,
        )
        with self._lock:
            self._requests.append(request)
            number = len(self._requests)
            fault = self._faults.get(number)
            is_throttled = self._is_above_rate()
        self._is_closing.wait(self._latency)
        if isinstance(fault, RawAnswer):
            return fault, None
        if is_throttled:
            return to_answer(ThrottlingError("Rate exceeded")), fault
        return self._list(request, fault, number), fault

    def _is_above_rate(self) -> bool:
        # A bucket of one second's requests, as AWS keeps one.
        if self._rate is None:
            return False
        now = monotonic()
        refilled = self._allowance + (now - self._allowance_at) * self._rate
        self._allowance, self._allowance_at = min(refilled, self._most_at_once), now
        if self._allowance < 1:
            return True
        self._allowance -= 1
        return False

    def _list(self, request: ListRequest, fault: str | None, number: int) -> RawAnswer:
        wrong = _what_is_wrong(request)
        if wrong is not None:
            return to_answer(InvalidRequestError(wrong))
        job = self._jobs.get(request.job_id)
        if job is None:
            return to_answer(ResourceNotFoundError(f"Job {request.job_id} does not exist"))
        start = _from_next_token(request) or 0
        if fault == "empty":
            # Each such page has a token of its own, as a service that goes on would give.
            return _page([], _to_next_token(request, start, number))
        size = int(request.max_results or LARGEST_PAGE)
        page, following = job.page(request.status, start, size)
        if fault == "repeat" and request.next_token is not None:
            return _page(page, request.next_token)
        return _page(page, None if following is None else _to_next_token(request, following))


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the default of 5, many connections at once wait for seconds

    def server_bind(self) -> None:
        """As any server, but without a look-up of the machine's name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # the head and the body of an answer in one packet
    connection: socket

    def __init__(self, endpoint: LocalEndpoint, *args: Any) -> None:
        self._endpoint = endpoint
        super().__init__(*args)

    def setup(self) -> None:
        super().setup()
        self._endpoint._connections.add(self.connection)

    def finish(self) -> None:
        self._endpoint._connections.discard(self.connection)
        with suppress(OSError):  # the client may be gone
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):  # as above
            super().handle()

    def do_GET(self) -> None:
        with suppress(ValueError):  # a body, which would be read as the next request
            self.rfile.read(max(0, int(self.headers.get("Content-Length", "0"))))
        answer, mishap = self._endpoint._answer(self.path, self.headers.get("User-Agent", ""))
        head, body = _to_head(answer), answer.body
        delivery = DELIVERIES.get(mishap or "", WHOLE)
        self.wfile.write(head[: int(len(head) * delivery.head)])
        body = body[: int(len(body) * delivery.body)]
        step = len(body) // delivery.parts + 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            self._endpoint._is_closing.wait(delivery.pause)
        self.wfile.flush()
        self.close_connection |= delivery.then != "go on"
        if delivery.then == "wait":
            self._endpoint._is_closing.wait()
        elif delivery.then == "reset":
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, linger)
            # A socket of its own, since the files of this one would put its closing off.
            socket(fileno=self.connection.detach()).close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """As AWS tells of what is a request of no operation, and not with a page of HTML."""
        answer = _no_operation(code, Connection="close")
        self.wfile.write(_to_head(answer))
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


def _no_operation(status: int, **headers: str) -> RawAnswer:
    kind = {"x-amzn-ErrorType": "UnknownOperationException"}
    return RawAnswer(status, b"{}", {**kind, **headers})


def _to_head(answer: RawAnswer) -> bytes:
    usual = {
        "Date": formatdate(usegmt=True),
        "Content-Type": "application/json",
        "Content-Length": str(len(answer.body)),
        "x-amzn-RequestId": str(uuid4()),
    }
    given = {name.lower() for name in answer.headers}
    headers = {name: value for name, value in usual.items() if name.lower() not in given}
    headers.update(answer.headers)
    phrase = responses.get(answer.status, "Unknown")
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += (f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join([*lines, "", ""]).encode()


def _what_is_wrong(request: ListRequest) -> str | None:
    """Which rule of the API reference ``request`` breaks, if any."""
    size = request.max_results
    if not JOB_ID.fullmatch(request.job_id):
        return f"jobId must match {JOB_ID.pattern}"
    if request.status not in (None, *JobExecutionStatus):
        return f"status must be one of {', '.join(JobExecutionStatus)}"
    if size is not None and not (_NUMBER.fullmatch(size) and 1 <= int(size) <= LARGEST_PAGE):
        return f"maxResults must be from 1 to {LARGEST_PAGE}"
    if request.next_token is not None and _from_next_token(request) is None:
        return "nextToken is not one of this listing"
    return None


def _page(items: list[bytes], next_token: str | None) -> RawAnswer:
    body = b'{"executionSummaries":[%b],"nextToken":%b}'
    return RawAnswer(200, body % (b",".join(items), json.dumps(next_token).encode()))


def _to_next_token(request: ListRequest, position: int, nonce: int = 0) -> str:
    content = json.dumps([request.job_id, request.status, position, nonce]).encode()
    return base64.urlsafe_b64encode(content).decode()


def _from_next_token(request: ListRequest) -> int | None:
    """The position in the token of ``request``; ``None`` where it is not of its listing."""
    try:
        content = json.loads(base64.urlsafe_b64decode(request.next_token or ""))
    except (RecursionError, ValueError):
        return None
    match content:
        case [request.job_id, request.status, int(position), int(nonce)] if (
            type(position) is int
            and position in _POSITIONS
            and request.next_token == _to_next_token(request, position, nonce)
        ):
            return position
        case _:
            return None
