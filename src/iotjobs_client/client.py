"""The client: it owns or borrows a boto3 ``iot`` client, and makes the requests of its listings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from iotjobs_client import _botocore
from iotjobs_client._arguments import LARGEST_PAGE, broken_rule, to_rate, wrong_argument
from iotjobs_client._decode import decode
from iotjobs_client._rate import RateLimiter, Slot
from iotjobs_client._shared_call import SharedCall
from iotjobs_client._text import redact
from iotjobs_client.exceptions import ConfigurationError
from iotjobs_client.paginator import JobExecutionPaginator

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.client import BaseClient
    from botocore.config import Config
    from typing_extensions import Self

    from iotjobs_client.models import JobExecutionPage

__all__ = ["IoTJobsClient", "SupportsListJobExecutionsForJob"]


class SupportsListJobExecutionsForJob(Protocol):
    """The only method of a client that an :class:`IoTJobsClient` needs.

    A boto3 ``iot`` client has it, and a test double of yours may have it, too.
    """

    @property
    def list_job_executions_for_job(self) -> Callable[..., Any]:
        """The method of this name, with the arguments and results of boto3's.

        It is called with ``jobId``, ``maxResults`` and, if they apply, ``status`` and
        ``nextToken``.
        """
        ...


class IoTJobsClient:
    """A typed client for the executions of AWS IoT jobs, over a boto3 ``iot`` client.

    It builds a boto3 client at the first request and owns it, or it borrows yours. A client that
    it builds follows your environment, profile and ``config`` in everything, including retries. A
    borrowed one is never closed, and direct calls on it return what they did before. Requests of
    this library have its name and version at the end of the user agent.

    Use it with ``with`` or ``async with``, from several threads and tasks, and on both sides of a
    fork: the child drops the connections that it inherits. It pickles with its options, unless
    it was given a client or a session; a subclass that pickles must take the same arguments. In
    the process that unpickles it, it uses the default session of that process.

    Args:
        client: A boto3 ``iot`` client to borrow, stubbed or not, or any object with the method
            ``list_job_executions_for_job``. Only ``requests_per_second`` can be combined with it.
        session: The :class:`~boto3.session.Session` to build the client from. It cannot be
            combined with ``profile_name``. Without both, the client comes from boto3's default
            session if the process has set one up, as with ``boto3.client``.
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
    ...     for execution in client.list_job_executions_for_job("firmware-42", status="FAILED"):
    ...         print(execution.thing_name, execution.last_updated_at)  # doctest: +ELLIPSIS
    thing-...
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
        options = _given(
            session=session,
            region_name=region_name,
            profile_name=profile_name,
            endpoint_url=endpoint_url,
            config=config,
        )
        _check_options(client, options)
        self._boto3_client: SharedCall[Any] = SharedCall(
            partial(_botocore.build_client, **options) if client is None else lambda: client
        )
        if client is not None:
            _botocore.register_handlers(client)
        self._rate = RateLimiter(to_rate(requests_per_second))
        self._options = _given(client=client, **options, requests_per_second=requests_per_second)
        self._is_closed = False

    def __repr__(self) -> str:
        """Return the client as a call, with the options that are set."""
        given = (f"{name}={redact(repr(value))}" for name, value in self._options.items())
        return f"{type(self).__name__}({', '.join(given)})"

    def __reduce__(self) -> tuple[Callable[[], IoTJobsClient], tuple[()]]:
        """Pickle the options of an owning client.

        Raises:
            TypeError: The client borrows its boto3 client or its session, which do not pickle.
        """
        for name in self._options.keys() & {"client", "session"}:
            raise TypeError(
                f"cannot pickle an {type(self).__name__} with a {name} of yours; in the "
                "other process, build one from region_name, profile_name and so on"
            )
        return partial(type(self), **self._options), ()

    def __enter__(self) -> Self:
        """Return the client. Nothing is built yet: the first request does that."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the client. Nothing is built yet: the first request does that."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client, which waits for nothing."""
        self.close()

    def close(self) -> None:
        """Close the boto3 client if this client owns it; a borrowed one stays open.

        A listing that requests a page afterwards raises a :class:`ConfigurationError`. Closing
        twice is harmless.
        """
        self._is_closed = True
        boto3_client = self._boto3_client.result_or_none()
        if boto3_client is not None and "client" not in self._options:
            boto3_client.close()

    @property
    def boto3_client(self) -> Any:
        """The underlying boto3 ``iot`` client, for other operations; built now if necessary.

        Raises:
            ConfigurationError: It cannot be built, or this client is closed.
        """
        boto3_client = None if self._is_closed else self._boto3_client.result()
        if self._is_closed:
            self.close()  # It may have been closed while the boto3 client was built.
            raise ConfigurationError("this IoTJobsClient is closed")
        _botocore.drop_inherited_connections(boto3_client)
        return boto3_client

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
            self, job_id, status, page_size, max_items, resume_token, prefetch
        )

    def _list_page(self, arguments: Mapping[str, Any], slot: Slot) -> JobExecutionPage:
        # The boto3 client is built first: that takes so long that the slot would be missed.
        boto3_client = self.boto3_client
        slot.wait()
        response, request_id = _botocore.list_job_executions_for_job(boto3_client, arguments)
        return decode(response, request_id, arguments["jobId"])


def _is_str(value: object) -> bool:
    return isinstance(value, str)


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _has(method: str, value: object) -> bool:
    # The methods of aioboto3 and aiobotocore return coroutines.
    return callable(getattr(value, method, None)) and not _botocore.is_asynchronous(value)


# The options that build a boto3 client: how each is recognised, and the rule.
_OPTIONS: dict[str, tuple[Callable[[object], bool], str]] = {
    "session": (partial(_has, "client"), "a boto3 Session or None"),
    "region_name": (_is_str, "a str or None"),
    "profile_name": (_is_str, "a str or None"),
    "endpoint_url": (_is_url, "an http or https URL, or None"),
    "config": (partial(_has, "merge"), "a botocore Config or None"),
}


def _check_options(client: object, options: Mapping[str, object]) -> None:
    if client is not None and options:
        rule = f"not be combined with {', '.join(options)}, which would build another"
        raise broken_rule("client", rule)
    if "session" in options and "profile_name" in options:
        rule = "not be combined with session, which has a profile of its own"
        raise broken_rule("profile_name", rule)
    rule = "a boto3 iot client, or another object with a method list_job_executions_for_job"
    can_list = _has("list_job_executions_for_job", client) and not isinstance(client, IoTJobsClient)
    if client is not None and not can_list:
        raise wrong_argument("client", rule, client)
    for name, value in options.items():
        is_valid, rule = _OPTIONS[name]
        if not is_valid(value):
            raise wrong_argument(name, rule, value)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
