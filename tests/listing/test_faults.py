"""Each fault of the network or the service raises its error, and loses no execution."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from support import (
    JOB_ID,
    UNUSED_URL,
    ListRest,
    async_form,
    other_process,
    owning_client,
    served,
    short_read_timeout,
    to_item,
)

from iotjobs_client import (
    AccessDeniedError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsError,
    JobExecutionIterator,
    JobExecutionSummary,
    MalformedResponseError,
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
# The classes of the error that a fault causes. There are several if that depends on the version of
# botocore or on the timing of the kernel.
Expected = tuple[type[IoTJobsError], ...]


def response_of(status: int, body: bytes, content_type: str) -> RawResponse:
    """Return a response with this status, body and content type."""
    return RawResponse(status, body, {"Content-Type": content_type})


BY_STATUS: dict[str, tuple[Fault, Expected]] = {
    f"{status}-{name}": (response_of(status, body, content_type), (kind,))
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
# With prefetch, one fault of each kind suffices, because the same code maps the errors.
WITH_PREFETCH: dict[str, tuple[Fault, Expected]] = {
    **{
        kind.__name__: (kind, (kind,))
        for kind in (
            *(AccessDeniedError, InvalidRequestError, ResourceNotFoundError),
            *(ServiceUnavailableError, ThrottlingError),
        )
    },
    "ThrottlingError-400": (ThrottlingError("slower", http_status=400), (ThrottlingError,)),
    "429-html": (response_of(429, HTML, "text/html"), (ThrottlingError,)),
    "401-unknown-code": (ServiceError(code="Odd", http_status=401), (AccessDeniedError,)),
    "418-unknown-code": (ServiceError(code="Odd", http_status=418), (ServiceError,)),
    "599-unknown-code": (ServiceError(code="Odd", http_status=599), (InternalServiceError,)),
    "redirect": (RawResponse(301, b"", {"Location": UNUSED_URL}), (ServiceError,)),
    "disconnect": ("disconnect", (TransportError,)),
    "reset": ("reset", (TransportError,)),
    # If truncated headers still contain the status 200, botocore reads a response without a body.
    "disconnect-in-headers": ("disconnect-in-headers", (MalformedResponseError,)),
    "reset-in-headers": ("reset-in-headers", (MalformedResponseError, TransportError)),
    "truncate": ("truncate", (TransportError,)),
    "stall": ("stall", (RequestTimeoutError,)),
    "hang": ("hang", (RequestTimeoutError,)),
    "not-http": (RawResponse(200, b"", {"Content-Length": "x" * 70_000}), (TransportError,)),
    "garbage": ("garbage", (MalformedResponseError,)),
    "html": (RawResponse(200, HTML), (MalformedResponseError,)),
    "bad-item": (
        RawResponse(200, b'{"executionSummaries": [{"thingArn": "x"}]}'),
        (MalformedResponseError,),
    ),
}
FAULTS = WITH_PREFETCH | BY_STATUS
# On an event loop, a few faults suffice, because both forms share one iterator.
ON_A_LOOP = ("ThrottlingError", "502-html", "disconnect", "truncate", "html")
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
    elsewhere: ListRest, fault: Fault, expected: Expected, form: str
) -> None:
    """The iterator continues exactly, and so does its token in another process."""
    with (
        served(FLEET, faults={1: fault, 3: fault}) as (endpoint, client),
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
            assert type(error) in expected
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
    with served(FLEET, faults=faults) as (_, client):
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)) == FLEET


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
