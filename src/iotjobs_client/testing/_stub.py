"""A client over botocore's ``Stubber``, with a script of pages that must all be requested."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from copy import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

from iotjobs_client._arguments import LARGEST_PAGE, check_job_id, to_page_size, wrong_argument
from iotjobs_client._statuses import to_statuses
from iotjobs_client.client import IoTJobsClient
from iotjobs_client.exceptions import IoTJobsError, ServiceError
from iotjobs_client.models import JobExecutionSummary
from iotjobs_client.testing._factories import make_response
from iotjobs_client.testing._faults import parse_fault, to_status_and_code
from iotjobs_client.testing._session import TestingSession

if TYPE_CHECKING:
    from botocore.stub import Stubber

StubbedPage = Iterable[JobExecutionSummary] | IoTJobsError | type[IoTJobsError]
"""The response to a request of a stubbed client: the executions of a page, or an error."""

_METHOD = "list_job_executions_for_job"


def stubbed_client(
    job_id: str,
    pages: Iterable[StubbedPage],
    *,
    status: str | Iterable[str] | None = None,
    page_size: int = LARGEST_PAGE,
) -> AbstractContextManager[IoTJobsClient]:
    """Return a client that gets ``pages``, over a real boto3 client under botocore's ``Stubber``.

    The client expects one listing of the job, with the status and the page size given here. An
    unexpected request, or one with other parameters, raises an ``AssertionError`` at once. If the
    block swallows this error, the end of the ``with`` block raises it again. If a page was not
    requested, the end of the block raises an ``AssertionError`` too. If the block itself raises an
    exception, that one propagates, with a swallowed ``AssertionError`` at the end of its context.

    Use it for one listing that is read to its end, or to an error. Use a :class:`LocalEndpoint`
    for a listing with ``prefetch`` that stops early, because it may request one more page, and to
    resume in the middle of a page, because that requests the page again.

    Args:
        job_id: The job to list (``jobId``).
        pages: The responses, in the order of the requests. An error is the response to the
            request for the next page, which a caller that continues sends again. It is an error
            of this library, as a class or as an instance with the details that the service is to
            send. botocore does not retry.
        status: The status or the statuses to list. Each of several statuses is listed separately,
            in the order of an execution's life. A page then has executions of one status, and a
            status without executions needs an empty page.
        page_size: The page size (``maxResults``), 1 to 250; no page may have more executions.

    Returns:
        A context manager that returns the client.

    Raises:
        InvalidArgumentError: An argument is wrong, or no listing could get these pages.

    >>> from iotjobs_client.testing import make_fleet, stubbed_client
    >>> fleet = make_fleet(3)
    >>> with stubbed_client("firmware-42", [fleet[:2], fleet[2:]], page_size=2) as client:
    ...     found = client.list_job_executions_for_job("firmware-42", page_size=2)
    ...     print(list(found) == fleet)
    True
    """
    if isinstance(pages, str) or not isinstance(pages, Iterable):
        raise wrong_argument("pages", "a list of pages", pages)
    statuses = to_statuses(status)
    return _stubbed(_to_calls(check_job_id(job_id), pages, statuses, to_page_size(page_size)))


@attrs.frozen
class _Call:
    parameters: dict[str, object]
    response: dict[str, Any] | IoTJobsError


def _to_calls(
    job_id: str, pages: Iterable[StubbedPage], statuses: Sequence[str], page_size: int
) -> list[_Call]:
    script = [_to_executions_or_error(page, page_size) for page in pages]
    returned = [page for page in script if not isinstance(page, IoTJobsError)]
    ends_with_error = bool(script) and isinstance(script[-1], IoTJobsError)
    if ends_with_error:
        returned.append(())  # This is the page whose request fails.
    listings = _to_listings(returned, statuses, is_complete=not ends_with_error)
    calls: list[_Call] = []
    page_number = 0
    for page in script:
        listing = listings[page_number]
        parameters: dict[str, object] = {"jobId": job_id, "maxResults": page_size}
        if statuses:
            parameters["status"] = str(statuses[listing])
        if page_number and listings[page_number - 1] == listing:
            parameters["nextToken"] = f"page-{page_number + 1}"
        if isinstance(page, IoTJobsError):
            calls.append(_Call(parameters, page))
            continue
        page_number += 1
        has_next_page = page_number < len(listings) and listings[page_number] == listing
        token = f"page-{page_number + 1}" if has_next_page else None
        calls.append(_Call(parameters, make_response(page, token)))
    return calls


def _to_executions_or_error(
    page: StubbedPage, page_size: int
) -> tuple[JobExecutionSummary, ...] | IoTJobsError:
    rule = f"up to {page_size} executions, or an error of this library"
    error = page() if isinstance(page, type) and issubclass(page, IoTJobsError) else page
    if isinstance(error, IoTJobsError):
        # The client cannot raise a user's subclass, because it maps botocore's errors to its own.
        if type(error).__module__ != IoTJobsError.__module__:
            raise wrong_argument("each of pages", rule, page)
        if isinstance(error, ServiceError):
            parse_fault(error)  # Raises an error if the HTTP status is not that of an error.
        return error
    if isinstance(page, str) or not isinstance(page, Iterable):
        raise wrong_argument("each of pages", rule, page)
    executions = tuple(page)
    if len(executions) > page_size:
        raise wrong_argument("each of pages", rule, f"{len(executions)} executions")
    for execution in executions:
        if not isinstance(execution, JobExecutionSummary):
            raise wrong_argument("each of pages", rule, page)
    return executions


def _to_listings(
    pages: Sequence[tuple[JobExecutionSummary, ...]], statuses: Sequence[str], *, is_complete: bool
) -> list[int]:
    """Return, for each page, the position in ``statuses`` of the status that it lists."""
    if not statuses:
        return [0] * len(pages)
    known: list[int | None] = []
    for page in pages:
        found = {str(execution.status) for execution in page}
        if len(found) > 1 or not found.issubset(statuses):
            rule = f"executions of one of the statuses {', '.join(statuses)}"
            raise wrong_argument("each of pages", rule, ", ".join(sorted(found)))
        known.append(statuses.index(found.pop()) if found else None)
    listings = [-1]
    last = len(statuses) - 1
    for number, listing in enumerate(known):
        if listing is None:
            # An empty page lists the next status, unless a later page still lists the current one.
            upcoming = next((other for other in known[number:] if other is not None), last)
            listing = min(listings[-1] + 1, upcoming)  # noqa: PLW2901
        listings.append(listing)
    if pages and is_complete:
        listings.append(len(statuses))
    for before, after in pairwise(listings):
        if not 0 <= after - before <= 1:
            rule = (
                f"one or more pages for each of {', '.join(statuses)}, in this order "
                "([] for a status without executions)"
            )
            found_order = (statuses[listing] for listing in listings[1 : len(pages) + 1])
            raise wrong_argument("pages", rule, f"pages for {', '.join(found_order)}")
    return listings[1 : len(pages) + 1]


@contextmanager
def _stubbed(calls: Sequence[_Call]) -> Generator[IoTJobsClient]:
    from botocore.stub import Stubber

    with closing(TestingSession().client("iot")) as boto3_client:
        stubber = Stubber(boto3_client)
        # It is never deactivated, because a request after the block would then go to AWS.
        stubber.activate()
        script = _Script(stubber, calls)
        try:
            yield IoTJobsClient(boto3_client)
        except BaseException as error:
            script.add_swallowed_failure(error)
            raise
        script.check_all_requested()


class _Script:
    """Checks each request, and stubs the response to it."""

    def __init__(self, stubber: Stubber, calls: Sequence[_Call]) -> None:
        self._stubber = stubber
        self._calls = calls
        self._request_count = 0
        self._failure: AssertionError | None = None
        events = stubber.client.meta.events
        # This event comes before the stubber's own check, which fails without a stubbed response.
        events.register(f"provide-client-params.iot.{ServiceError.operation}", self._check_and_stub)

    def _check_and_stub(self, params: Mapping[str, object], **_: object) -> None:
        self._request_count += 1
        request = f"request {self._request_count} of {ServiceError.operation}"
        if self._request_count > len(self._calls):
            self._fail(
                f"{request} is one too many: expected {len(self._calls)}, "
                f"and this one has {_to_text(params)}"
            )
        call = self._calls[self._request_count - 1]
        if params != call.parameters:
            differences = (
                f"{name} is {_value(params, name)}, expected {_value(call.parameters, name)}"
                for name in {**call.parameters, **params}
                if _value(params, name) != _value(call.parameters, name)
            )
            self._fail(f"{request} is not as expected: {'; '.join(differences)}")
        if not isinstance(call.response, IoTJobsError):
            self._stubber.add_response(_METHOD, call.response)
        elif isinstance(call.response, ServiceError):
            self._stub_error(call.response)
        else:
            raise copy(call.response)  # The script may have the same instance twice.

    def _stub_error(self, error: ServiceError) -> None:
        status, code = to_status_and_code(error)
        retries = None if error.attempts is None else error.attempts - 1
        metadata = {"RequestId": error.request_id, "RetryAttempts": retries}
        self._stubber.add_client_error(_METHOD, code, error.message, status, response_meta=metadata)

    def _fail(self, text: str) -> None:
        failure = AssertionError(text)
        self._failure = self._failure or failure
        raise failure

    def add_swallowed_failure(self, error: BaseException) -> None:
        """Add a failure that the block swallowed to the end of the context of ``error``."""
        if self._failure is None:
            return
        while error is not self._failure:
            if error.__context__ is None:
                error.__context__ = self._failure
                return
            error = error.__context__

    def check_all_requested(self) -> None:
        """Raise a failure that the block swallowed, or one for a page that it did not request."""
        if self._failure is not None:
            raise self._failure
        if self._request_count < len(self._calls):
            text = _to_text(self._calls[self._request_count].parameters)
            raise AssertionError(
                f"request {self._request_count + 1} of {len(self._calls)} was not made: "
                f"expected {ServiceError.operation} with {text}"
            )


def _value(parameters: Mapping[str, object], name: str) -> str:
    return repr(parameters[name]) if name in parameters else "absent"


def _to_text(parameters: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in parameters.items())
