"""A service on loopback that answers ListJobExecutionsForJob as the API reference says."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from socket import SHUT_RDWR, socket
from threading import TIMEOUT_MAX, Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, Union
from urllib.parse import parse_qs, unquote
from uuid import uuid4

import attrs

from iotjobs_client.client import IoTJobsClient, check_rate
from iotjobs_client.exceptions import (
    AccessDeniedError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsError,
    MalformedResponseError,
    RequestTimeoutError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
    wrong_argument,
)
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.paginator import JOB_ID, LARGEST_PAGE, to_job_id

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Fault = Union[  # noqa: UP007  (Python 3.10 cannot join a type and a Literal with |)
    type[IoTJobsError], IoTJobsError, Literal["disconnect", "truncate", "hang", "garbage"]
]
"""What can go wrong with a request, for ``LocalEndpoint(faults=...)``.

An error of this library, as a class or with the details that the service is to send; or the
connection that is cut before the answer, or in the middle of its body; no answer until the
endpoint closes; a body that is not JSON.
"""

_NUMBER = re.compile("[0-9]{1,3}")
_PATH = re.compile(r"/jobs/([^/]*)/things")
# What the service sends for each of our errors: the HTTP status and the code.
_ON_THE_WIRE: dict[type[ServiceError], tuple[int, str]] = {
    ServiceError: (409, "ConflictException"),
    InvalidRequestError: (400, "InvalidRequestException"),
    ResourceNotFoundError: (404, "ResourceNotFoundException"),
    ThrottlingError: (429, "ThrottlingException"),
    ServiceUnavailableError: (503, "ServiceUnavailableException"),
    AccessDeniedError: (403, "AccessDeniedException"),
    InternalServiceError: (500, "InternalFailureException"),
}


@attrs.frozen
class _Answer:
    status: int
    body: bytes
    code: str | None = None
    mishap: str | None = None


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

    Requests that the reference forbids get its 400, jobs that are not there its 404; pages,
    tokens and the status filter work. It serves from construction until :meth:`close`, or to the
    end of a ``with`` block, in threads of its own. Any client in any language may call it;
    signatures are not checked.

    Args:
        jobs: The executions of each job, by job id, in the order in which they are listed.
        latency: Seconds to wait before each answer.
        requests_per_second: Requests above this rate are throttled with 429; ``None`` for no
            limit.
        faults: What goes wrong, by the number of the request, counted from 1 over all requests
            and botocore's retries alike.

    Raises:
        InvalidArgumentError: A job id, the latency, the rate or a fault is wrong.

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
    ) -> None:
        if not 0 <= latency < TIMEOUT_MAX:
            raise wrong_argument("latency", "a number of seconds of at least 0", latency)
        for number in faults or ():
            if type(number) is not int or number < 1:
                raise wrong_argument("the number of a fault's request", "1 or more", number)
        check_rate(requests_per_second)
        self._jobs = {to_job_id(job_id): [*map(_to_wire, jobs[job_id])] for job_id in jobs}
        self._latency = latency
        self._rate = requests_per_second
        self._faults = {number: _to_fault(fault) for number, fault in (faults or {}).items()}
        self._requests: list[ListRequest] = []
        self._counting = Lock()
        self._allowance, self._allowance_at = requests_per_second or 0.0, monotonic()
        self._is_closing = Event()
        self._connections: set[socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
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
        if not self._is_closing.is_set():
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
        with self._counting:
            return list(self._requests)

    def client(self, **options: Any) -> IoTJobsClient:
        """A client of this endpoint, with made-up credentials; close it when done.

        Args:
            **options: Further options of ``IoTJobsClient``, such as ``config``.
        """
        import boto3

        session = boto3.Session("testing", "testing", region_name="us-east-1")
        return IoTJobsClient(session=session, endpoint_url=self.url, **options)

    def _answer(self, target: str, user_agent: str) -> _Answer:
        path, _, query = target.partition("?")
        match = _PATH.fullmatch(path)
        if match is None:
            return _Answer(404, b"{}", "UnknownOperationException")
        asked = {
            name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()
        }
        request = ListRequest(
            unquote(match[1]),
            asked.get("status"),
            asked.get("maxResults"),
            asked.get("nextToken"),
            user_agent,
        )
        with self._counting:
            self._requests.append(request)
            fault = self._faults.get(len(self._requests))
            is_throttled = self._is_above_rate()
        self._is_closing.wait(self._latency)
        if isinstance(fault, _Answer):
            return fault
        if is_throttled:
            return _error(ThrottlingError, "Rate exceeded")
        answer = self._list(request)
        return answer if fault is None else attrs.evolve(answer, mishap=fault)

    def _is_above_rate(self) -> bool:
        # A bucket of one second's requests, as AWS keeps one.
        if self._rate is None:
            return False
        now = monotonic()
        refilled = self._allowance + (now - self._allowance_at) * self._rate
        self._allowance, self._allowance_at = min(refilled, max(self._rate, 1.0)), now
        if self._allowance < 1:
            return True
        self._allowance -= 1
        return False

    def _list(self, request: ListRequest) -> _Answer:
        if not JOB_ID.fullmatch(request.job_id):
            return _error(InvalidRequestError, f"jobId must match {JOB_ID.pattern}")
        if request.status not in (None, *JobExecutionStatus):
            return _error(
                InvalidRequestError, f"status must be one of {', '.join(JobExecutionStatus)}"
            )
        size = request.max_results or str(LARGEST_PAGE)
        if not (_NUMBER.fullmatch(size) and 1 <= int(size) <= LARGEST_PAGE):
            return _error(InvalidRequestError, f"maxResults must be from 1 to {LARGEST_PAGE}")
        executions = self._jobs.get(request.job_id)
        if executions is None:
            return _error(ResourceNotFoundError, f"Job {request.job_id} does not exist")
        start = 0
        if request.next_token is not None:
            found = _from_next_token(request)
            if found is None:
                return _error(InvalidRequestError, "nextToken is not one of this listing")
            start = found
        wanted = (
            position
            for position in range(start, len(executions))
            if request.status in (None, executions[position][0])
        )
        page = list(islice(wanted, int(size)))
        following = next(wanted, None)
        token = None if following is None else _to_next_token(request, following)
        items = b",".join(executions[position][1] for position in page)
        return _Answer(
            200, b'{"executionSummaries":[%b],"nextToken":%b}' % (items, json.dumps(token).encode())
        )


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
        answer = self._endpoint._answer(self.path, self.headers.get("User-Agent", ""))
        if answer.mishap == "hang":
            self._endpoint._is_closing.wait()
        if answer.mishap in ("hang", "disconnect"):
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("x-amzn-RequestId", str(uuid4()))
        if answer.code is not None:
            self.send_header("x-amzn-ErrorType", answer.code)
        self.end_headers()
        if answer.mishap == "truncate":
            self.close_connection = True
            self.wfile.write(answer.body[: len(answer.body) // 2])
        else:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


def _error(kind: type[ServiceError], message: str) -> _Answer:
    status, code = _ON_THE_WIRE[kind]
    return _Answer(status, json.dumps({"message": message}).encode(), code)


def _to_fault(fault: Fault) -> _Answer | str:
    """The answer to send in place of the right one, or what mishap befalls the right one."""
    if isinstance(fault, type) and issubclass(fault, IoTJobsError):
        fault = fault()
    if isinstance(fault, ServiceError):
        kind = next(base for base in type(fault).__mro__ if base in _ON_THE_WIRE)
        answer = _error(kind, fault.message)
        status = answer.status if fault.http_status is None else fault.http_status
        if type(status) is not int or not 300 <= status < 600:  # noqa: PLR2004
            raise wrong_argument("http_status of a fault", "an int from 300 to 599", status)
        return attrs.evolve(answer, status=status, code=fault.code or answer.code)
    if fault == "garbage" or isinstance(fault, MalformedResponseError):
        return _Answer(200, b"\x89 this is not JSON")
    if fault == "hang" or isinstance(fault, RequestTimeoutError):
        return "hang"
    if fault == "disconnect" or isinstance(fault, TransportError):
        return "disconnect"
    if fault == "truncate":
        return "truncate"
    rule = "an error that a request can end with, 'disconnect', 'truncate', 'hang' or 'garbage'"
    raise wrong_argument("fault", rule, fault)


def _to_wire(execution: JobExecutionSummary) -> tuple[str, bytes]:
    """The status, and the JSON as the service sends it, where what is absent is left out."""
    summary = {
        "status": execution.status.value,
        "queuedAt": _to_epoch(execution.queued_at),
        "startedAt": _to_epoch(execution.started_at),
        "lastUpdatedAt": _to_epoch(execution.last_updated_at),
        "executionNumber": execution.execution_number,
        "retryAttempt": execution.retry_attempt,
    }
    present = {name: value for name, value in summary.items() if value is not None}
    item = {"thingArn": execution.thing_arn, "jobExecutionSummary": present}
    return execution.status.value, json.dumps(item, separators=(",", ":")).encode()


def _to_epoch(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _to_next_token(request: ListRequest, position: int) -> str:
    content = json.dumps([request.job_id, request.status, position]).encode()
    return base64.urlsafe_b64encode(content).decode()


def _from_next_token(request: ListRequest) -> int | None:
    """The position in the token of ``request``; ``None`` where it is not of its listing."""
    try:
        content = json.loads(base64.urlsafe_b64decode(request.next_token or ""))
    except ValueError:
        return None
    match content:
        case [request.job_id, request.status, int(position)] if position >= 0:
            return position
        case _:
            return None
