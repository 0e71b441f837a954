"""Each fault of the network or the service raises its error, and loses no execution."""

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
# The common errors of AWS about the caller, its credentials or its signature.
CALLER_ERRORS = {
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
    """The error that a fault causes.

    Several kinds are possible if it depends on botocore's version or on the kernel's timing.
    """

    kinds: tuple[type[IoTJobsError], ...]
    is_retryable: bool


def expect(*kinds: type[IoTJobsError], is_retryable: bool) -> Expected:
    """Return the expectation of an error of one of these kinds."""
    return Expected(kinds, is_retryable)


def response_of(status: int, body: bytes, content_type: str) -> RawResponse:
    """Return a response with this status, body and content type."""
    return RawResponse(status, body, {"Content-Type": content_type})


MODELLED: dict[str, tuple[Fault, Expected]] = {
    "InvalidRequestException": (
        InvalidRequestError,
        expect(InvalidRequestError, is_retryable=False),
    ),
    "ResourceNotFoundException": (
        ResourceNotFoundError,
        expect(ResourceNotFoundError, is_retryable=False),
    ),
    "ThrottlingException-429": (ThrottlingError, expect(ThrottlingError, is_retryable=True)),
    "ThrottlingException-400": (
        ThrottlingError("slower", http_status=400),
        expect(ThrottlingError, is_retryable=True),
    ),
    "ServiceUnavailableException": (
        ServiceUnavailableError,
        expect(ServiceUnavailableError, is_retryable=True),
    ),
}
BY_STATUS: dict[str, tuple[Fault, Expected]] = {
    f"{status}-{name}": (response_of(status, body, content_type), expect(kind, is_retryable=True))
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
BY_CALLER_ERROR: dict[str, tuple[Fault, Expected]] = {
    f"{status}-{code}": (
        ServiceError("no", code=code, http_status=status),
        expect(AccessDeniedError, is_retryable=False),
    )
    for code, status in CALLER_ERRORS.items()
}
OTHERS: dict[str, tuple[Fault, Expected]] = {
    "unknown-code": (
        ServiceError("odd", code="OddException", http_status=418),
        expect(ServiceError, is_retryable=False),
    ),
    "unknown-code-5xx": (
        ServiceError("odd", code="OddException", http_status=599),
        expect(InternalServiceError, is_retryable=True),
    ),
    "429-html": (response_of(429, HTML, "text/html"), expect(ThrottlingError, is_retryable=True)),
    "redirect": (
        RawResponse(301, b"", {"Location": "http://127.0.0.1:9/"}),
        expect(ServiceError, is_retryable=False),
    ),
}
# If truncated headers still contain the status 200, botocore reads a response without a body.
NO_RESPONSE: dict[str, tuple[Fault, Expected]] = {
    "disconnect": ("disconnect", expect(TransportError, is_retryable=True)),
    "reset": ("reset", expect(TransportError, is_retryable=True)),
    "disconnect-in-headers": (
        "disconnect-in-headers",
        expect(MalformedResponseError, is_retryable=True),
    ),
    "reset-in-headers": (
        "reset-in-headers",
        expect(MalformedResponseError, TransportError, is_retryable=True),
    ),
    "truncate": ("truncate", expect(MalformedResponseError, TransportError, is_retryable=True)),
    "stall": ("stall", expect(RequestTimeoutError, is_retryable=True)),
    "hang": ("hang", expect(RequestTimeoutError, is_retryable=True)),
    "not-http": (
        RawResponse(200, b"", {"Content-Length": "x" * 70_000}),
        expect(TransportError, is_retryable=True),
    ),
}
NO_PAGES: dict[str, Fault] = {
    "bytes": "garbage",
    "empty": RawResponse(),
    # botocore requests no encoding, and decodes none.
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
    f"garbage-{name}": (fault, expect(MalformedResponseError, is_retryable=True))
    for name, fault in NO_PAGES.items()
}
FAULTS = MODELLED | BY_STATUS | BY_CALLER_ERROR | OTHERS | NO_RESPONSE | GARBAGE
# With prefetch, one fault of each kind suffices, because the same code maps the errors.
WITH_PREFETCH = MODELLED | OTHERS | NO_RESPONSE | GARBAGE
# On an event loop, a few faults suffice, because both forms share one iterator.
ON_A_LOOP = ("ThrottlingException-429", "502-html", "disconnect", "truncate", "garbage-html")
CASES = [
    *((name, *FAULTS[name], "for") for name in FAULTS),
    *((f"{name}-prefetch", *WITH_PREFETCH[name], "prefetch") for name in WITH_PREFETCH),
    *((f"{name}-async", *FAULTS[name], "async for") for name in ON_A_LOOP),
]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ListRest]:
    """Start a process that lists the rest of a listing, from its token on."""
    with other_process() as list_elsewhere:
        yield list_elsewhere


def take_until_error(
    executions: JobExecutionIterator,
) -> tuple[list[JobExecutionSummary], IoTJobsError]:
    """Return the executions up to the next error, and that error."""
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
def test_each_fault_raises_an_error_and_can_be_resumed(
    elsewhere: ListRest,
    fault: Fault,
    expected: Expected,
    form: str,
) -> None:
    """The iterator continues exactly, and so does its token in another process."""
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
    """Return the body of the last page, with more members."""
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
def test_an_unusual_but_complete_response_is_accepted(faults: dict[int, Fault]) -> None:
    """Slow responses, other content types and empty pages are not faults."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)) == FLEET


@pytest.mark.parametrize("body", [b"{}", b'{"executionSummaries": []}'])
def test_a_response_without_a_token_ends_the_listing(body: bytes) -> None:
    """The API reference requires no member, so such a response is a last page."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults={3: RawResponse(200, body)}) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        assert list(executions) == FLEET[: 2 * PAGE_SIZE]
        assert executions.resume_token is None


def test_a_repeated_token_is_an_error_before_its_page(elsewhere: ListRest) -> None:
    """The page is not yielded, and the next response continues the listing exactly."""
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


def test_a_refused_connection_is_an_error_until_it_works(elsewhere: ListRest) -> None:
    """Each attempt raises an error, and once the service is back, the listing continues."""
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


def test_tls_on_a_plain_port_is_an_error(elsewhere: ListRest) -> None:
    """The token of the error resumes the listing at the right address."""
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
    """The service responds to 110 requests with an empty page and a token."""

    @pytest.fixture
    def client(self) -> Iterator[IoTJobsClient]:
        """Return a client whose first 110 responses are empty."""
        faults: dict[int, Fault] = dict.fromkeys(range(1, 351), "empty")
        with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint, endpoint.client() as client:
            yield client

    def test_they_do_not_end_the_listing(self, client: IoTJobsClient) -> None:
        """The listing yields every execution."""
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)) == FLEET

    def test_pages_lets_the_caller_decide(self, client: IoTJobsClient) -> None:
        """``pages()`` yields each empty page, so that the caller can stop and resume later."""
        pages = client.list_job_executions_for_job(JOB_ID).pages()
        assert [len(next(pages).executions) for _ in range(20)] == [0] * 20
        listing = client.list_job_executions_for_job(JOB_ID, resume_token=pages.resume_token)
        assert list(listing) == FLEET
