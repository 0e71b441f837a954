"""The client: it owns or borrows a boto3 ``iot`` client, and makes the requests of its listings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os import getpid
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from iotjobs_client import _decode
from iotjobs_client._ahead import CallAhead, pause
from iotjobs_client.exceptions import (
    ConfigurationError,
    InvalidArgumentError,
    mapped,
    without_secrets,
    wrong_argument,
)
from iotjobs_client.paginator import LARGEST_PAGE, JobExecutionPaginator

if TYPE_CHECKING:
    from types import TracebackType

    from boto3.session import Session
    from botocore.client import BaseClient
    from botocore.config import Config
    from typing_extensions import Self

    from iotjobs_client.models import JobExecutionPage


_LOWEST_RATE, _HIGHEST_RATE = 0.001, 1_000_000
_IMPORTED_BY = getpid()


class SupportsListJobExecutionsForJob(Protocol):
    """What an :class:`IoTJobsClient` needs of a client: this one method.

    A boto3 ``iot`` client has it; so may a stand-in of your own.
    """

    @property
    def list_job_executions_for_job(self) -> Callable[..., Any]:
        """What boto3's method of that name takes and returns.

        It is called with ``jobId``, ``maxResults`` and, where they apply, ``status`` and
        ``nextToken``.
        """
        ...


def check_rate(requests_per_second: object) -> None:
    """Check a rate.

    Raises:
        InvalidArgumentError: It is neither ``None`` nor a number from 0.001 to 1,000,000.
    """
    if requests_per_second is not None and (
        isinstance(requests_per_second, bool)
        or not isinstance(requests_per_second, (int, float))
        or not _LOWEST_RATE <= requests_per_second <= _HIGHEST_RATE
    ):
        rule = f"a number from {_LOWEST_RATE} to {_HIGHEST_RATE:,}, or None"
        raise wrong_argument("requests_per_second", rule, requests_per_second)


def _is_str(value: object) -> bool:
    return isinstance(value, str)


def _is_url(value: object) -> bool:
    from urllib.parse import urlsplit

    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none
        return False


def _has(method: str) -> Callable[[object], bool]:
    return lambda value: callable(getattr(value, method, None))


# What builds a boto3 client: whether a value will do, and the rule that it has to follow.
_BUILDING_OPTIONS: dict[str, tuple[Callable[[object], bool], str]] = {
    "session": (_has("client"), "a boto3 Session or None"),
    "region_name": (_is_str, "a str or None"),
    "profile_name": (_is_str, "a str or None"),
    "endpoint_url": (_is_url, "an http or https URL with a host, or None"),
    "config": (_has("merge"), "a botocore Config or None"),
}


class IoTJobsClient:
    """A typed client for the executions of AWS IoT jobs, over a boto3 ``iot`` client.

    It builds a boto3 client at the first request and owns it, or it borrows yours. A client that
    it builds follows your environment, profile and ``config`` in everything, including retries. A
    borrowed one is never closed, and direct calls on it return what they did before. Requests of
    this library have its name and version at the end of the user agent.

    Use it with ``with`` or ``async with``, from several threads and tasks, and on both sides of a
    fork: the child drops the connections that it inherits. It pickles with its options, unless
    it was given a client or a session; a subclass that pickles must take the same arguments.

    Args:
        client: A boto3 ``iot`` client to borrow, stubbed or not, or any object with the method
            ``list_job_executions_for_job``. Only ``requests_per_second`` can be combined with it.
        session: The :class:`~boto3.session.Session` to build the client from. It cannot be
            combined with ``profile_name``.
        region_name: The AWS region, such as ``"eu-west-1"``.
        profile_name: The profile in the AWS configuration files.
        endpoint_url: The URL to send requests to, instead of the region's endpoint.
        config: botocore's :class:`~botocore.config.Config`: timeouts, retries, proxies.
        requests_per_second: Space this client's requests evenly, across all its threads and
            listings, so that at most this many start per second and the account's quota has room
            for others: 0.001 to 1,000,000. botocore's retries are not counted, and each process
            has a rate of its own. ``None`` for no limit.

    Raises:
        InvalidArgumentError: An option is wrong, or cannot be combined with another.

    >>> from iotjobs_client import IoTJobsClient
    >>> with IoTJobsClient(region_name="eu-west-1") as client:
    ...     executions = client.list_job_executions_for_job("firmware-42", status="FAILED")
    """

    def __init__(
        self,
        client: SupportsListJobExecutionsForJob | BaseClient | None = None,
        *,
        session: Session | None = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        config: Config | None = None,
        requests_per_second: float | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "session": session,
            "region_name": region_name,
            "profile_name": profile_name,
            "endpoint_url": endpoint_url,
            "config": config,
            "requests_per_second": requests_per_second,
        }
        self._check_options(client)
        self._interval = 0.0 if requests_per_second is None else 1 / requests_per_second
        self._next_request_at = 0.0
        # Whose connections the boto3 client may hold: a borrowed one can be older than a fork.
        self._pid = _IMPORTED_BY
        # By process: a fork copies a lock that another thread holds, and nobody would release it.
        self._locks: dict[int, RLock] = {}
        self._is_closed = False
        self._is_borrowed = client is not None
        self._client: Any = client
        if client is not None:
            _decode.install(client)

    def _check_options(self, client: object) -> None:
        options = {name: value for name, value in self._options.items() if value is not None}
        check_rate(options.pop("requests_per_second", None))
        if client is not None:
            if isinstance(client, IoTJobsClient) or not _has("list_job_executions_for_job")(client):
                rule = "an iot client with a method list_job_executions_for_job, or None"
                raise wrong_argument("client", rule, client)
            if options:
                raise InvalidArgumentError(
                    f"client must be given without {', '.join(options)}, which would build another"
                )
        for name, value in options.items():
            is_right, rule = _BUILDING_OPTIONS[name]
            if not is_right(value):
                raise wrong_argument(name, rule, value)
        if "session" in options and "profile_name" in options:
            raise InvalidArgumentError(
                "profile_name must be given without session, which has a profile of its own"
            )

    def __repr__(self) -> str:
        """The client as a call, with the options that are set."""
        options = {"client": self._client} if self._is_borrowed else self._options
        given = (f"{name}={value!r}" for name, value in options.items() if value is not None)
        return without_secrets(f"{type(self).__name__}({', '.join(given)})")

    def __reduce__(self) -> tuple[Callable[[], IoTJobsClient], tuple[()]]:
        """Pickle the options of an owning client.

        Raises:
            TypeError: The client borrows its boto3 client or its session, which do not pickle.
        """
        for name, is_there in (
            ("client", self._is_borrowed),
            ("session", self._options["session"] is not None),
        ):
            if is_there:
                raise TypeError(
                    f"cannot pickle an {type(self).__name__} with a {name} of yours; in the "
                    "other process, build one from region_name, profile_name and so on"
                )
        return partial(type(self), **self._options), ()

    def __enter__(self) -> Self:
        """Nothing is built yet: the first request does that."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    async def __aenter__(self) -> Self:
        """As in ``with``."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client.

        The event loop goes on where a thread is building the boto3 client just now; then a
        cancellation leaves it to be closed a moment later.
        """
        lock = self._lock
        if lock.acquire(blocking=False):
            try:
                self.close()
            finally:
                lock.release()
        else:
            try:
                closing = CallAhead(self.close)
            except RuntimeError:  # of a process that cannot have another thread
                self.close()
                return
            await closing.ended()
            closing.take()

    def close(self) -> None:
        """Close the boto3 client if this client owns it; a borrowed one stays as it is.

        A listing that requests a page afterwards raises a :class:`ConfigurationError`. Closing
        twice does no harm.
        """
        with self._lock:
            self._is_closed = True
            if self._client is not None and not self._is_borrowed:
                self._client.close()

    @property
    def boto3_client(self) -> Any:
        """The boto3 ``iot`` client underneath, for other operations; built now if necessary.

        Raises:
            ConfigurationError: It cannot be built, or this client is closed.
        """
        with self._lock:  # boto3 does not promise that clients can be built by two threads
            if self._is_closed:
                raise ConfigurationError("this IoTJobsClient is closed")
            if self._client is None:
                client = self._build()
                if self._is_closed:
                    client.close()
                    raise ConfigurationError("this IoTJobsClient was closed")
                if self._client is None:
                    self._client = client
                else:  # a signal handler was faster
                    client.close()
            if self._pid != getpid():
                # Two processes on one connection would read each other's answers.
                _decode.drop_connections(self._client)
                self._pid = getpid()
            return self._client

    @property
    def _lock(self) -> RLock:
        # Reentrant, since a signal handler may use or close the client while it is built.
        return self._locks.setdefault(getpid(), RLock())

    def _build(self) -> Any:
        import boto3

        options = dict(self._options)
        del options["requests_per_second"]
        profile_name, given_session = options.pop("profile_name"), options.pop("session")
        try:
            with mapped:
                # Not boto3's default session: others may be building a client from it right now.
                session: Any = given_session or boto3.Session(profile_name=profile_name)
                client = session.client("iot", **options)
        except ValueError as error:  # botocore's word for an endpoint_url that is none
            raise ConfigurationError(without_secrets(str(error))) from error
        _decode.install(client)
        return client

    def list_job_executions_for_job(
        self,
        job_id: str,
        *,
        status: str | Iterable[str] | None = None,
        page_size: int = LARGEST_PAGE,
        max_items: int | None = None,
        resume_token: str | None = None,
        prefetch: bool = False,
    ) -> JobExecutionPaginator:
        """List the executions of a job, with the API operation ``ListJobExecutionsForJob``.

        Nothing is requested until you ask for the first execution or page.

        The service accepts one status per request, so several are listed one after another in
        the order of an execution's life: QUEUED, IN_PROGRESS, then the rest. An execution that
        moves forward during the listing may be yielded again in its later status; it is not
        missed.

        Args:
            job_id: The job (``jobId``): 1 to 64 characters of ``a-z``, ``A-Z``, ``0-9``, ``_``
                and ``-``.
            status: List the executions with this status, or with one of these; ``None`` for all.
                Each is a :class:`JobExecutionStatus` or a ``str``. To catch typos, a status that
                this library does not know must be a ``JobExecutionStatus``.
            page_size: The maximum number of executions per request (``maxResults``), 1 to 250.
                Requests count against a quota, so smaller pages make a longer listing.
            max_items: Stop after this many executions, at least 1; ``None`` for all.
            resume_token: Resume another listing of the same job and statuses: the
                ``resume_token`` of its iterator, of a page or of an error.
            prefetch: Request the next page in the background while you work on the current one:
                one at most, and none that will not be needed. Errors are raised where they would
                be without it. A listing that you leave early has requested one page too many.

        Returns:
            An iterable of :class:`JobExecutionSummary`. Its ``pages()`` yields whole pages.

        Raises:
            InvalidArgumentError: An argument is wrong. The message names it, its value and the
                rule.

        The iterators raise the other subclasses of :class:`IoTJobsError`, each with the
        ``resume_token`` to continue with.
        """
        return JobExecutionPaginator(
            self._list_page, job_id, status, page_size, max_items, resume_token, prefetch
        )

    def _list_page(self, arguments: Mapping[str, object]) -> JobExecutionPage:
        self._wait_for_turn()
        client = self.boto3_client
        with mapped:
            return _decode.decode(_decode.call(client, arguments))

    def _wait_for_turn(self) -> None:
        if not self._interval:
            return
        _ = self.boto3_client  # built now: that takes a while, and the turn would be over
        while True:
            with self._lock:
                now = monotonic()
                left = self._next_request_at - now
                if left <= 0:
                    self._next_request_at = now + self._interval
                    return
            # No turn is taken before it comes: whoever is interrupted or given up leaves no gap.
            pause(left)
