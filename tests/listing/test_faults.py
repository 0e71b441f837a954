"""Whatever the network and the service do: what is raised, and that nothing is lost or doubled."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import pytest
from support import (
    JOB_ID,
    ListRest,
    async_form,
    other_process,
    owning_client,
    short_read_timeout,
    to_item,
)

from iotjobs_client import (
    AccessDeniedError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionIterator,
    JobExecutionSummary,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, RawResponse, make_fleet

FLEET = make_fleet(20)
PAGE_SIZE = 6  # four pages
LAST_PAGE = FLEET[18:]
HTML = b"<html><body><h1>It is not you, it is us</h1></body></html>"
# The common errors of AWS that speak of the caller, its credentials or its signature.
OF_THE_CALLER = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "ExpiredToken": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignature": 403,
    "IncompleteSignatureException": 400,
    "InvalidClientTokenId": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationToken": 403,
    "MissingAuthenticationTokenException": 403,
    "NotAuthorized": 401,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "SignatureDoesNotMatch": 403,
    "UnauthorizedException": 401,
    "UnrecognizedClientException": 403,
    "UnheardOfException": 401,
    "UnheardOfEither": 403,
}


class Expected(NamedTuple):
    """What a fault leads to; several where botocore's versions or the kernel's timing differ."""

    kinds: tuple[type[IoTJobsError], ...]
    is_retryable: bool


def ends_in(*kinds: type[IoTJobsError], is_retryable: bool) -> Expected:
    return Expected(kinds, is_retryable)


def of_status(status: int, body: bytes, content_type: str) -> RawResponse:
    return RawResponse(status, body, {"Content-Type": content_type})


MODELLED: dict[str, tuple[Fault, Expected]] = {
    "InvalidRequestException": (
        InvalidRequestError,
        ends_in(InvalidRequestError, is_retryable=False),
    ),
    "ResourceNotFoundException": (
        ResourceNotFoundError,
        ends_in(ResourceNotFoundError, is_retryable=False),
    ),
    "ThrottlingException-429": (ThrottlingError, ends_in(ThrottlingError, is_retryable=True)),
    "ThrottlingException-400": (
        ThrottlingError("slower", http_status=400),
        ends_in(ThrottlingError, is_retryable=True),
    ),
    "ServiceUnavailableException": (
        ServiceUnavailableError,
        ends_in(ServiceUnavailableError, is_retryable=True),
    ),
}
BY_STATUS: dict[str, tuple[Fault, Expected]] = {
    f"{status}-{name}": (of_status(status, body, content_type), ends_in(kind, is_retryable=True))
    for status, kind in {
        500: InternalServiceError,
        502: ServiceUnavailableError,
        503: ServiceUnavailableError,
        504: ServiceUnavailableError,
    }.items()
    for name, body, content_type in (
        ("json", b'{"message": "not now"}', "application/json"),
        ("html", HTML, "text/html"),
        ("empty", b"", "text/plain"),
    )
}
CALLERS: dict[str, tuple[Fault, Expected]] = {
    f"{status}-{code}": (
        ServiceError("no", code=code, http_status=status),
        ends_in(AccessDeniedError, is_retryable=False),
    )
    for code, status in OF_THE_CALLER.items()
}
OTHERS: dict[str, tuple[Fault, Expected]] = {
    "unknown-code": (
        ServiceError("odd", code="OddException", http_status=418),
        ends_in(ServiceError, is_retryable=False),
    ),
    "unknown-code-5xx": (
        ServiceError("odd", code="OddException", http_status=599),
        ends_in(InternalServiceError, is_retryable=True),
    ),
    "429-html": (of_status(429, HTML, "text/html"), ends_in(ThrottlingError, is_retryable=True)),
    "redirect": (
        RawResponse(301, b"", {"Location": "http://127.0.0.1:9/"}),
        ends_in(ServiceError, is_retryable=False),
    ),
}
# Where a head that is cut short leaves a status of 200, it reads as an answer without a body.
NO_ANSWER: dict[str, tuple[Fault, Expected]] = {
    "disconnect": ("disconnect", ends_in(TransportError, is_retryable=True)),
    "reset": ("reset", ends_in(TransportError, is_retryable=True)),
    "disconnect-in-headers": (
        "disconnect-in-headers",
        ends_in(MalformedResponseError, is_retryable=True),
    ),
    "reset-in-headers": (
        "reset-in-headers",
        ends_in(MalformedResponseError, TransportError, is_retryable=True),
    ),
    "truncate": ("truncate", ends_in(MalformedResponseError, TransportError, is_retryable=True)),
    "stall": ("stall", ends_in(RequestTimeoutError, is_retryable=True)),
    "hang": ("hang", ends_in(RequestTimeoutError, is_retryable=True)),
    "not-http": (
        RawResponse(200, b"", {"Content-Length": "x" * 70_000}),
        ends_in(TransportError, is_retryable=True),
    ),
}
NO_PAGES: dict[str, Fault] = {
    "bytes": "garbage",
    "empty": RawResponse(),
    # botocore asks for no encoding, and undoes none.
    "gzip": RawResponse(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}),
    "html": RawResponse(200, HTML),
    "array": RawResponse(200, b"[]"),
    "null": RawResponse(200, b"null"),
    "nested": RawResponse(200, b"[" * 100_000),
    "utf-16": RawResponse(200, "{}".encode("utf-16")),
    "proxy": RawResponse(200, b'{"login": "http://captive.example"}'),
    "items": RawResponse(200, b'{"executionSummaries": {"thingArn": "x"}}'),
    "item": RawResponse(200, b'{"executionSummaries": [{"thingArn": "x"}]}'),
    "token": RawResponse(200, b'{"executionSummaries": [], "nextToken": 7}'),
    "surrogate": RawResponse(200, b'{"executionSummaries": [], "nextToken": "\\ud800"}'),
}
GARBAGE: dict[str, tuple[Fault, Expected]] = {
    f"garbage-{name}": (fault, ends_in(MalformedResponseError, is_retryable=True))
    for name, fault in NO_PAGES.items()
}
FAULTS = MODELLED | BY_STATUS | CALLERS | OTHERS | NO_ANSWER | GARBAGE
# With prefetch one of each kind will do: it is mapped by the same code.
AHEAD = MODELLED | OTHERS | NO_ANSWER | GARBAGE
# And off an event loop some will do: there is one iterator for all.
OFF_LOOP = ("ThrottlingException-429", "502-html", "disconnect", "truncate", "garbage-html")
CASES = [
    *((name, *FAULTS[name], "for") for name in FAULTS),
    *((f"{name}-prefetch", *AHEAD[name], "prefetch") for name in AHEAD),
    *((f"{name}-async", *FAULTS[name], "async for") for name in OFF_LOOP),
]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ListRest]:
    with other_process() as list_elsewhere:
        yield list_elsewhere


def take_until_error(
    executions: JobExecutionIterator,
) -> tuple[list[JobExecutionSummary], IoTJobsError]:
    found: list[JobExecutionSummary] = []
    try:
        for execution in executions:
            found.append(execution)
    except IoTJobsError as error:
        return found, error
    pytest.fail("the listing ended without an error")


@pytest.mark.parametrize(
    ("fault", "expected", "form"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_fault_is_told_and_survived(
    elsewhere: ListRest,
    fault: Fault,
    expected: Expected,
    form: str,
) -> None:
    """Of its kind, in place and in a process that knows only the token, at whatever page."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults={1: fault, 3: fault}) as endpoint,
        owning_client(endpoint.url) as client,
        async_form() if form == "async for" else nullcontext(),
        short_read_timeout(endpoint, 1, 3) if fault in ("stall", "hang") else nullcontext(),
    ):
        listing = client.list_job_executions_for_job(
            JOB_ID, page_size=PAGE_SIZE, prefetch=form == "prefetch"
        )
        executions = iter(listing)
        nothing, first = take_until_error(executions)
        begun, second = take_until_error(executions)
        assert (nothing, begun) == ([], FLEET[:PAGE_SIZE])
        for error in (first, second):
            assert type(error) in expected.kinds
            assert error.is_retryable is expected.is_retryable
            assert error.job_id == JOB_ID
            assert str(error).isprintable()
        assert first.resume_token != second.resume_token == executions.resume_token
        if form != "prefetch":
            assert [*begun, *elsewhere(endpoint.url, second.resume_token)] == FLEET
        assert [*begun, *executions] == FLEET
        assert executions.resume_token is None


def last_page(**members: object) -> bytes:
    items = [to_item(execution, as_numbers=True) for execution in LAST_PAGE]
    return json.dumps({"executionSummaries": items, **members}).encode()


@pytest.mark.parametrize(
    "faults",
    [
        {1: "slow", 4: "slow"},
        {1: "empty", 2: "empty", 4: "empty", 7: "empty"},
        {4: RawResponse(200, last_page(), {"Content-Type": "text/html; charset=utf-16"})},
        {4: RawResponse(200, last_page(), {"Content-Type": ""})},
        {4: RawResponse(203, last_page())},
        {4: RawResponse(200, last_page(nextToken=None))},
        {4: RawResponse(200, last_page(nextToken=""))},
        {4: RawResponse(200, last_page(NextToken="not ours", more={"a": [1]}))},
    ],
    ids=str,
)
def test_what_is_odd_but_whole_is_no_fault(faults: dict[int, Fault]) -> None:
    """Slow, of another type, empty pages, with or without a member for no token."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)) == FLEET


@pytest.mark.parametrize("body", [b"{}", b'{"executionSummaries": []}'])
def test_an_answer_without_a_token_is_the_end(body: bytes) -> None:
    """The reference requires no member, so nothing tells it from a last page."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults={3: RawResponse(200, body)}) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        assert list(executions) == FLEET[: 2 * PAGE_SIZE]
        assert executions.resume_token is None


def test_a_repeated_token_is_an_error_before_its_page(elsewhere: ListRest) -> None:
    """The next response is a good one, and the listing ends exactly."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults={3: PaginationError}) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        found, error = take_until_error(executions)
        assert type(error) is PaginationError
        assert not error.is_retryable
        assert found == FLEET[: 2 * PAGE_SIZE]
        assert error.resume_token == executions.resume_token
        assert [*found, *elsewhere(endpoint.url, error.resume_token)] == FLEET
        assert [*found, *executions] == FLEET


def test_a_service_that_goes_away_and_comes_back(elsewhere: ListRest) -> None:
    """A refused connection is an error as long as it lasts, and no longer."""
    endpoint = LocalEndpoint({JOB_ID: FLEET})
    url = endpoint.url
    with owning_client(url) as client:
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        found = [next(executions) for _ in range(PAGE_SIZE + 1)]
        endpoint.close()
        rest, _ = take_until_error(executions)
        found += rest
        for _ in range(2):
            nothing, error = take_until_error(executions)
            assert nothing == []
            assert type(error) is TransportError
            assert error.is_retryable
            assert error.resume_token == executions.resume_token
        with LocalEndpoint({JOB_ID: FLEET}, port=int(url.rpartition(":")[2])):
            assert [*found, *elsewhere(url, error.resume_token)] == FLEET
            assert [*found, *executions] == FLEET


def test_tls_to_a_plain_port(elsewhere: ListRest) -> None:
    """No answer that could be trusted, so none is; at the right address it resumes."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        url = endpoint.url.replace("http:", "https:")
        with owning_client(url) as client:
            executions = iter(client.list_job_executions_for_job(JOB_ID))
            nothing, error = take_until_error(executions)
        assert nothing == []
        assert type(error) is TransportError
        assert error.is_retryable
        assert elsewhere(endpoint.url, error.resume_token) == FLEET


class TestEndlessEmptyPages:
    """A service that has nothing to give, and always a token."""

    @pytest.fixture
    def client(self) -> Iterator[IoTJobsClient]:
        faults: dict[int, Fault] = dict.fromkeys(range(1, 351), "empty")
        with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint, endpoint.client() as client:
            yield client

    def test_they_do_not_end_the_listing(self, client: IoTJobsClient) -> None:
        """It is complete in the end."""
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)) == FLEET

    def test_pages_lets_the_caller_decide(self, client: IoTJobsClient) -> None:
        """Each empty page is given, so that one can stop, and go on later."""
        pages = client.list_job_executions_for_job(JOB_ID).pages()
        assert [len(next(pages).executions) for _ in range(20)] == [0] * 20
        listing = client.list_job_executions_for_job(JOB_ID, resume_token=pages.resume_token)
        assert list(listing) == FLEET
