"""A client over botocore's ``Stubber``: a script of pages, each of which must be asked for."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from copy import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Union

import attrs

from iotjobs_client.client import IoTJobsClient
from iotjobs_client.exceptions import OPERATION, IoTJobsError, ServiceError, wrong_argument
from iotjobs_client.models import JobExecutionSummary
from iotjobs_client.paginator import LARGEST_PAGE, check_job_id, to_page_size, to_statuses
from iotjobs_client.testing._factories import make_response
from iotjobs_client.testing._faults import to_answer_or_mishap, to_status_and_code
from iotjobs_client.testing._session import TestingSession

if TYPE_CHECKING:
    from botocore.stub import Stubber

StubbedPage = Union[Iterable[JobExecutionSummary], IoTJobsError, type[IoTJobsError]]  # noqa: UP007  (for Python 3.10)
"""What answers a request to a stubbed client: the executions of a page, or an error."""

_METHOD = "list_job_executions_for_job"


def stubbed_client(
    job_id: str,
    pages: Iterable[StubbedPage],
    *,
    status: str | Iterable[str] | None = None,
    page_size: int = LARGEST_PAGE,
) -> AbstractContextManager[IoTJobsClient]:
    """A client that gets ``pages``, over a real boto3 client under botocore's ``Stubber``.

    It expects one listing of the job, whose requests have the parameters that the other arguments
    lead to. A request too many, or one with other parameters, raises an ``AssertionError`` when
    it is made. Leaving the ``with`` block raises one that was swallowed on the way, or one for the
    first page that was not requested. If the block itself raises, that comes out, with a swallowed
    one at the end of its context.

    It is for one listing that is read to its end, or to an error. Use a :class:`LocalEndpoint` for
    a listing with ``prefetch`` that is left early, since it requests one page more at some moment,
    and to resume in the middle of a page, which requests that page again.

    Args:
        job_id: The job that is listed.
        pages: What answers the requests, in their order. An error answers the request for the
            page after it, which a caller that continues makes again. It is one of this library's,
            as a class or as an instance with the details that the service is to send. There is
            no retry by botocore in between.
        status: The status or the statuses that are asked for. With several, each is a listing of
            its own in the order of an execution's life, so a page holds executions of one
            status, and one without any is an empty page.
        page_size: The page size that is asked for, 1 to 250; no page may hold more.

    Returns:
        A context manager that gives the client.

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
    answer: dict[str, Any] | IoTJobsError


def _to_calls(
    job_id: str, pages: Iterable[StubbedPage], statuses: Sequence[str], page_size: int
) -> list[_Call]:
    script = [_to_executions_or_error(page, page_size) for page in pages]
    answered = [page for page in script if not isinstance(page, IoTJobsError)]
    is_cut = bool(script) and isinstance(script[-1], IoTJobsError)
    # The listing that each page is of; behind an error at the end, another page would have come.
    listings = _to_listings([*answered, ()] if is_cut else answered, statuses, is_cut=is_cut)
    calls: list[_Call] = []
    page_number = 0
    for answer in script:
        listing = listings[page_number]
        parameters: dict[str, object] = {"jobId": job_id, "maxResults": page_size}
        if statuses:
            parameters["status"] = str(statuses[listing])
        if page_number and listings[page_number - 1] == listing:
            parameters["nextToken"] = f"page-{page_number + 1}"
        if isinstance(answer, IoTJobsError):
            calls.append(_Call(parameters, answer))
            continue
        page_number += 1
        goes_on = page_number < len(listings) and listings[page_number] == listing
        token = f"page-{page_number + 1}" if goes_on else None
        calls.append(_Call(parameters, make_response(answer, token)))
    return calls


def _to_executions_or_error(
    page: StubbedPage, page_size: int
) -> tuple[JobExecutionSummary, ...] | IoTJobsError:
    rule = f"up to {page_size} executions, or an error of this library"
    error = page() if isinstance(page, type) and issubclass(page, IoTJobsError) else page
    if isinstance(error, IoTJobsError):
        # A subclass of yours would not come out as itself: only we map what botocore raises.
        if type(error).__module__ != IoTJobsError.__module__:
            raise wrong_argument("each of pages", rule, page)
        if isinstance(error, ServiceError):
            to_answer_or_mishap(error)  # which refuses an HTTP status that is no error
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
    pages: Sequence[tuple[JobExecutionSummary, ...]], statuses: Sequence[str], *, is_cut: bool
) -> list[int]:
    """By page, the position in ``statuses`` of the one whose listing it is of."""
    if not statuses:
        return [0] * len(pages)
    named: list[int | None] = []
    for page in pages:
        found = {str(execution.status) for execution in page}
        if len(found) > 1 or not found.issubset(statuses):
            rule = f"executions of one of the statuses {', '.join(statuses)}"
            raise wrong_argument("each of pages", rule, ", ".join(sorted(found)))
        named.append(statuses.index(found.pop()) if found else None)
    listings = [-1]
    last = len(statuses) - 1
    for number, listing in enumerate(named):
        if listing is None:
            # The next status, unless a page to come is still of the one before.
            to_come = next((other for other in named[number:] if other is not None), last)
            listing = min(listings[-1] + 1, to_come)  # noqa: PLW2901
        listings.append(listing)
    if pages and not is_cut:
        listings.append(len(statuses))
    for before, after in pairwise(listings):
        if not 0 <= after - before <= 1:
            rule = f"one or more of each of {', '.join(statuses)}, in this order, if only []"
            found_order = (statuses[listing] for listing in listings[1 : len(pages) + 1])
            raise wrong_argument("pages", rule, f"of {', '.join(found_order)}")
    return listings[1 : len(pages) + 1]


@contextmanager
def _stubbed(calls: Sequence[_Call]) -> Generator[IoTJobsClient]:
    from botocore.stub import Stubber

    with closing(TestingSession().client("iot")) as boto3_client:
        stubber = Stubber(boto3_client)
        stubber.activate()  # for good: without it, a late request would go to AWS
        script = _Script(stubber, calls)
        try:
            yield IoTJobsClient(boto3_client)
        except BaseException as error:
            script.explain(error)
            raise
        script.finish()


class _Script:
    """Checks each request when it is made, and has the stubber answer it."""

    def __init__(self, stubber: Stubber, calls: Sequence[_Call]) -> None:
        self._stubber = stubber
        self._calls = calls
        self._made = 0
        self._failure: AssertionError | None = None
        events = stubber.client.meta.events
        # Before the stubber's own check, which has nothing to answer until then.
        events.register(f"provide-client-params.iot.{OPERATION}", self._answer)

    def _answer(self, params: Mapping[str, object], **_: object) -> None:
        self._made += 1
        which = f"request {self._made} of {OPERATION}"
        if self._made > len(self._calls):
            self._fail(
                f"{which} is one too many: expected {len(self._calls)}, "
                f"and this one asks for {_to_text(params)}"
            )
        call = self._calls[self._made - 1]
        if params != call.parameters:
            wrong = (
                f"{name} is {_value(params, name)}, expected {_value(call.parameters, name)}"
                for name in {**call.parameters, **params}
                if _value(params, name) != _value(call.parameters, name)
            )
            self._fail(f"{which} is not as expected: {'; '.join(wrong)}")
        if not isinstance(call.answer, IoTJobsError):
            self._stubber.add_response(_METHOD, call.answer)
        elif isinstance(call.answer, ServiceError):
            self._stub_error(call.answer)
        else:
            raise copy(call.answer)  # which may stand in the script twice

    def _stub_error(self, error: ServiceError) -> None:
        status, code = to_status_and_code(error)
        retries = None if error.attempts is None else error.attempts - 1
        metadata = {"RequestId": error.request_id, "RetryAttempts": retries}
        self._stubber.add_client_error(_METHOD, code, error.message, status, response_meta=metadata)

    def _fail(self, text: str) -> None:
        failure = AssertionError(text)
        self._failure = self._failure or failure
        raise failure

    def explain(self, error: BaseException) -> None:
        """Add to what the block raises a failure that came before it and was swallowed."""
        if self._failure is None:
            return
        while error is not self._failure:
            if error.__context__ is None:
                error.__context__ = self._failure
                return
            error = error.__context__

    def finish(self) -> None:
        """Raise what the code under test did not let through, or what it did not ask for."""
        if self._failure is not None:
            raise self._failure
        if self._made < len(self._calls):
            text = _to_text(self._calls[self._made].parameters)
            raise AssertionError(
                f"request {self._made + 1} of {len(self._calls)} was not made: "
                f"expected one of {OPERATION} that asks for {text}"
            )


def _value(parameters: Mapping[str, object], name: str) -> str:
    return repr(parameters[name]) if name in parameters else "absent"


def _to_text(parameters: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in parameters.items())
