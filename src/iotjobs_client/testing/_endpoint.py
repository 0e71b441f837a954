"""A local HTTP server that implements ListJobExecutionsForJob as the API reference describes."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from math import inf
from threading import TIMEOUT_MAX, Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import attrs

from iotjobs_client._arguments import (
    JOB_ID,
    LARGEST_PAGE,
    check_job_id,
    to_int,
    to_rate,
    wrong_argument,
)
from iotjobs_client.client import IoTJobsClient
from iotjobs_client.exceptions import (
    InvalidRequestError,
    ResourceNotFoundError,
    ThrottlingError,
)
from iotjobs_client.models import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing._faults import Fault, RawResponse, parse_fault, to_error_response
from iotjobs_client.testing._http import Server, unknown_operation
from iotjobs_client.testing._job import Job
from iotjobs_client.testing._play import Play
from iotjobs_client.testing._session import CREDENTIAL, REGION_NAME, TestingSession

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_LARGEST_PORT = 2**16 - 1
_PAGE_SIZES = frozenset(map(str, range(1, LARGEST_PAGE + 1)))
_PATH = re.compile(r"/jobs/([^/]*)/things")
# freezegun replaces time.monotonic, also where a module imported it, but not inside this object.
_now = partial(monotonic)


@attrs.frozen
class ListRequest:
    """A request as a :class:`LocalEndpoint` received it.

    Attributes:
        job_id: The job in the path (``jobId``).
        status: The filter (``status``); ``None`` if absent.
        max_results: The page size (``maxResults``), as sent; ``None`` if absent.
        next_token: The token (``nextToken``); ``None`` in a request for a first page.
        user_agent: The ``User-Agent`` header.
    """

    job_id: str
    status: str | None
    max_results: str | None
    next_token: str | None = attrs.field(repr=False)
    user_agent: str


class _TokenBucket:
    """Limits the rate of requests: a token bucket with the capacity of one second.

    Args:
        rate: The requests per second; ``None`` for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._level = self._capacity = max(rate or 0.0, 1.0)
        self._filled_at = _now()

    def take(self) -> bool:
        """Take a request out of the bucket; return ``False`` if it is empty."""
        if self._rate is None:
            return True
        now = _now()
        self._level = min(self._level + (now - self._filled_at) * self._rate, self._capacity)
        self._filled_at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class LocalEndpoint:
    """A local HTTP server that implements ``ListJobExecutionsForJob``.

    It follows the API reference: pages, tokens and the status filter work, an invalid request gets
    HTTP status 400, and an unknown job gets 404. It serves from construction until :meth:`close`
    or the end of a ``with`` block, in its own threads. Clients in any language can call it with
    any credentials, because it does not check signatures.

    Args:
        jobs: The executions of each job, by job ID, in listing order.
        latency: Seconds to wait before each response.
        requests_per_second: The rate above which requests are throttled with HTTP status 429;
            ``None`` for no limit.
        faults: What goes wrong, by the number of the request. All requests are counted from 1,
            including botocore's retries.
        port: The port to listen on, 0 to 65535; 0 for a free one.
        play: Seconds in which the jobs are played: from the first request on, executions are
            queued, start and end in the order and the proportions of their times. After these
            seconds, the jobs are as they were passed. ``None`` if they are so from the start. A
            rollout ends if no execution was passed as QUEUED or IN_PROGRESS.

    Raises:
        InvalidArgumentError: An argument is wrong.
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
        play: float | None = None,
    ) -> None:
        for name, value in (("jobs", jobs), ("faults", faults or {})):
            if not isinstance(value, Mapping):
                raise wrong_argument(name, "a mapping", value)
        if type(latency) not in (int, float) or not 0 <= latency < TIMEOUT_MAX:
            raise wrong_argument("latency", "a number of seconds of at least 0", latency)
        if play is not None and (type(play) not in (int, float) or not 0 < play < inf):
            raise wrong_argument("play", "a number of seconds above 0, or None", play)
        port = to_int("port", port, 0, _LARGEST_PORT)
        self._bucket = _TokenBucket(to_rate(requests_per_second))
        self._jobs = {check_job_id(job_id): Job(job_id, jobs[job_id]) for job_id in jobs}
        executions = (e for job in self._jobs.values() for e in job.executions)
        self._play = None if play is None else Play(executions, play)
        self._latency = latency
        self._faults = {
            to_int("the request number of a fault", number, 1): parse_fault(fault)
            for number, fault in (faults or {}).items()
        }
        self._requests: list[ListRequest] = []
        self._lock = Lock()
        self._is_closing = Event()
        self._pid = os.getpid()
        self._server = Server(port, self._respond, self._is_closing)
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.01,), name="LocalEndpoint", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the endpoint, which already serves."""
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
        """Stop serving and close all connections. A second call is a no-op."""
        if self._pid != os.getpid():
            # A forked process has no thread that serves, so shutdown() would wait forever.
            self._server.server_close()
        elif not self._is_closing.is_set():
            self._server.close()
            self._thread.join()

    @property
    def url(self) -> str:
        """The URL, such as ``"http://127.0.0.1:49152"``, for ``endpoint_url``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[ListRequest]:
        """The requests that the endpoint received, in the order of arrival."""
        with self._lock:
            return list(self._requests)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point boto3, the AWS CLI and other SDKs to this endpoint.

        Add them to ``os.environ``, or to the environment of another process. Remove
        ``AWS_PROFILE``, because a profile may point to another endpoint.
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
        """Return a client of this endpoint, with made-up credentials.

        Args:
            **options: Other options of ``IoTJobsClient``, such as ``config``.

        Returns:
            The client. Close it after use.

        Raises:
            InvalidArgumentError: An option is wrong.
        """
        from botocore.config import Config

        # None must not replace a default value: the client would send requests to AWS.
        options = {name: value for name, value in options.items() if value is not None}
        # A proxy from the environment variables could not reach this machine's loopback address.
        config = Config(proxies={})
        given = options.get("config", config)
        options["config"] = config.merge(given) if isinstance(given, Config) else given
        defaults: dict[str, Any] = {"session": TestingSession(), "endpoint_url": self.url}
        return IoTJobsClient(**{**defaults, **options})

    def move(
        self, job_id: str, thing_name: str, status: JobExecutionStatus | str
    ) -> JobExecutionSummary:
        """Change the status of a thing's latest execution, as the thing or the service would.

        QUEUED can become IN_PROGRESS or any terminal status except TIMED_OUT. IN_PROGRESS can
        become any terminal status. FAILED and TIMED_OUT can become QUEUED, which is a retry: it
        adds an execution with the next ``execution_number`` at the end of the job. You can call
        this while the job is listed; later responses have the new status. If the jobs are played,
        it changes the execution as it is at the end.

        Args:
            job_id: The job.
            thing_name: The thing.
            status: The new status.

        Returns:
            The changed or added execution, last updated a second later than before.

        Raises:
            InvalidArgumentError: The execution does not exist, or cannot have this status next.
        """
        if not isinstance(job_id, str) or job_id not in self._jobs:
            raise wrong_argument("job_id", f"one of {', '.join(self._jobs) or 'none'}", job_id)
        return self._jobs[job_id].move(thing_name, status)

    def _respond(self, target: str, user_agent: str) -> tuple[RawResponse, str | None]:
        """Return the response to a request, and the named fault to apply to it."""
        path, _, query = target.partition("?")
        match = _PATH.fullmatch(path)
        if match is None:
            return unknown_operation(404), None
        parameters = {
            # The list of a repeated parameter's values is an invalid value, which gets a 400.
            name: values[0] if len(values) == 1 else str(values)
            for name, values in parse_qs(query, keep_blank_values=True).items()
        }
        request = ListRequest(
            unquote(match[1]),
            parameters.get("status"),
            parameters.get("maxResults"),
            parameters.get("nextToken"),
            user_agent,
        )
        with self._lock:
            self._requests.append(request)
            number = len(self._requests)
            fault = self._faults.get(number)
            is_throttled = not self._bucket.take()
            moment = None if self._play is None else self._play.moment(_now())
        self._is_closing.wait(self._latency)
        if isinstance(fault, RawResponse):
            return fault, None
        if is_throttled:
            return to_error_response(ThrottlingError("Rate exceeded")), fault
        return self._list(request, moment, fault, number), fault

    def _list(
        self, request: ListRequest, moment: datetime | None, fault: str | None, number: int
    ) -> RawResponse:
        violation = _find_violation(request)
        if violation is not None:
            return to_error_response(InvalidRequestError(violation))
        job = self._jobs.get(request.job_id)
        if job is None:
            error = ResourceNotFoundError(f"Job {request.job_id} does not exist")
            return to_error_response(error)
        start = _to_position(request) or 0
        if fault == "empty":
            # Each empty page has a different token, because a repeated one would end the listing.
            return _page([], _to_next_token(request, start, number))
        size = int(request.max_results or LARGEST_PAGE)
        page, next_start = job.page(request.status, start, size, moment)
        if fault == "repeat" and request.next_token is not None:
            return _page(page, request.next_token)
        return _page(page, None if next_start is None else _to_next_token(request, next_start))


def _find_violation(request: ListRequest) -> str | None:
    """Return the rule of the API reference that ``request`` violates, if any."""
    if not JOB_ID.fullmatch(request.job_id):
        return f"jobId must match {JOB_ID.pattern}"
    if request.status not in (None, *JobExecutionStatus):
        return f"status must be one of {', '.join(JobExecutionStatus)}"
    if request.max_results is not None and request.max_results not in _PAGE_SIZES:
        return f"maxResults must be from 1 to {LARGEST_PAGE}"
    if request.next_token is not None and _to_position(request) is None:
        return "nextToken is not a token of this listing"
    return None


def _page(items: list[bytes], next_token: str | None) -> RawResponse:
    body = b'{"executionSummaries":[%b],"nextToken":%b}'
    return RawResponse(200, body % (b",".join(items), json.dumps(next_token).encode()))


def _to_next_token(request: ListRequest, position: int, nonce: int = 0) -> str:
    content = json.dumps([request.job_id, request.status, position, nonce]).encode()
    return base64.urlsafe_b64encode(content).decode()


def _to_position(request: ListRequest) -> int | None:
    """Return the position in the token of ``request``, or ``None`` if it is of another listing."""
    try:
        content = json.loads(base64.urlsafe_b64decode(request.next_token or ""))
    except (RecursionError, ValueError):
        return None
    match content:
        case [request.job_id, request.status, int(position), int(nonce)] if (
            type(position) is int
            and position >= 0
            and request.next_token == _to_next_token(request, position, nonce)
        ):
            return position
        case _:
            return None
