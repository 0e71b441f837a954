"""``stubbed_client`` serves each page once, and fails a test whose requests differ."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, UnStubbedResponseError
from support import JOB_ID

from iotjobs_client import (
    ConfigurationError,
    InvalidArgumentError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionStatus,
    JobExecutionSummary,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ServiceError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import make_execution, make_fleet, stubbed_client

FLEET = make_fleet(5)
FAILED, TIMED_OUT = (make_execution(f"pump-{s}", s) for s in ("FAILED", "TIMED_OUT"))
BOTH = ["TIMED_OUT", "FAILED"]


def list_all(client: IoTJobsClient, **options: Any) -> list[JobExecutionSummary]:
    """List the job with these options."""
    return list(client.list_job_executions_for_job(JOB_ID, **options))


@pytest.mark.parametrize("prefetch", [False, True])
def test_the_pages_are_listed_in_their_order(*, prefetch: bool) -> None:
    """Each page but the last has a token, and a page may be empty."""
    pages = [FLEET[:2], [], iter(FLEET[2:])]
    with stubbed_client(JOB_ID, pages, page_size=3) as client:
        listing = client.list_job_executions_for_job(JOB_ID, page_size=3, prefetch=prefetch)
        found = list(listing.pages())
    assert [page.next_token for page in found] == ["page-2", "page-3", None]
    assert [e for page in found for e in page.executions] == FLEET


def test_raw_boto3_gets_the_same_pages() -> None:
    """``boto3_client`` is a real boto3 client, for code that uses both."""
    with stubbed_client(JOB_ID, [[FAILED], TransportError, [TIMED_OUT]], page_size=1) as client:
        ask = client.boto3_client.list_job_executions_for_job
        page = ask(jobId=JOB_ID, maxResults=1)
        with pytest.raises(TransportError):
            ask(jobId=JOB_ID, maxResults=1, nextToken=page["nextToken"])
        last = ask(jobId=JOB_ID, maxResults=1, nextToken=page["nextToken"])
    assert "nextToken" not in last
    assert page["executionSummaries"][0]["thingArn"] == FAILED.thing_arn
    assert page["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"] == FAILED.queued_at


@pytest.mark.parametrize(
    ("status", "pages"),
    [
        (None, [[FAILED, TIMED_OUT]]),
        ("FAILED", [[FAILED], [FAILED]]),
        ("FAILED", [[]]),
        (JobExecutionStatus.FAILED, [[FAILED]]),
        (BOTH, [[FAILED], [TIMED_OUT]]),
        (BOTH, [[FAILED], [FAILED], [TIMED_OUT], [TIMED_OUT]]),
        (BOTH, [[], []]),
        (BOTH, [[], [TIMED_OUT]]),
        (BOTH, [[FAILED], []]),
        (BOTH, [[], [], [FAILED], [TIMED_OUT]]),
        (BOTH, [[], [], [], [TIMED_OUT]]),
        (BOTH, [[], [FAILED], [], [TIMED_OUT], []]),
    ],
)
def test_pages_are_assigned_to_the_statuses(status: Any, pages: Any) -> None:
    """Empty pages are assigned to statuses so that each status has at least one page."""
    with stubbed_client(JOB_ID, pages, status=status) as client:
        assert list_all(client, status=status) == [e for page in pages for e in page]


@pytest.mark.parametrize(
    "error",
    [
        ThrottlingError,
        ThrottlingError("slow down", code="SlowDown", http_status=503, request_id="r", attempts=3),
        InvalidRequestError("no"),
        ServiceError("odd", code="Odd", http_status=418),
        TransportError("gone"),
        RequestTimeoutError,
        MalformedResponseError("what", request_id="r"),
        PaginationError("again"),
        ConfigurationError("no region"),
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [None, BOTH])
def test_an_error_keeps_its_attributes_and_the_listing_continues(error: Any, status: Any) -> None:
    """An error is raised before the page that follows it, with its attributes, each time."""
    pages = [error, [FAILED], error, error, [TIMED_OUT]]
    with stubbed_client(JOB_ID, pages, status=status) as client:
        executions = iter(client.list_job_executions_for_job(JOB_ID, status=status))
        found: list[Any] = []
        for _ in range(5):
            try:
                found.append(next(executions))
            except IoTJobsError as caught:
                found.append(caught)
        assert next(executions, None) is None
    errors: list[Any] = [found[0], found[2], found[3]]
    assert [found[1], found[4]] == [FAILED, TIMED_OUT]
    assert len({id(e) for e in errors}) == 3
    kind = error if isinstance(error, type) else type(error)
    assert [type(e) for e in errors] == [kind] * 3
    for raised in errors:
        assert raised.job_id == JOB_ID
        assert raised.resume_token is not None
        assert isinstance(raised.__cause__, ClientError) == isinstance(raised, ServiceError)
        if isinstance(error, IoTJobsError):
            given = {n: v for n, v in vars(error).items() if v is not None}
            assert vars(raised).items() >= given.items()
            assert raised.args == error.args
    if error is ThrottlingError:
        assert (found[0].code, found[0].http_status) == ("ThrottlingException", 429)


@pytest.mark.parametrize("status", [None, "FAILED", BOTH])
@pytest.mark.parametrize("pages", [[ThrottlingError], [[FAILED], ThrottlingError]])
def test_the_last_page_can_be_an_error(pages: Any, status: Any) -> None:
    """No request needs to follow, as for code that does not retry."""
    with stubbed_client(JOB_ID, pages, status=status) as client:
        executions = iter(client.list_job_executions_for_job(JOB_ID, status=status))
        for _ in pages[1:]:
            next(executions)
        with pytest.raises(ThrottlingError):
            next(executions)


def test_a_client_without_pages_allows_no_request() -> None:
    """The first request fails the test."""
    with stubbed_client(JOB_ID, []) as client:
        client.list_job_executions_for_job(JOB_ID)
    with (
        pytest.raises(AssertionError, match=r"request 1 of .* is one too many: expected 0"),
        stubbed_client(JOB_ID, []) as client,
    ):
        list_all(client)


def test_a_listing_can_be_resumed() -> None:
    """A listing resumes at the start of a page."""
    with stubbed_client(JOB_ID, [FLEET[:2], TransportError, FLEET[2:]]) as client:
        found: list[JobExecutionSummary] = []
        with pytest.raises(TransportError) as caught:
            found.extend(client.list_job_executions_for_job(JOB_ID))
        rest = list_all(client, resume_token=caught.value.resume_token)
    assert rest == FLEET[2:]


class TestFailures:
    """The messages about unexpected requests, and how they reach the test."""

    def test_a_surplus_request(self) -> None:
        """The message has the request's number and parameters, and the expected count."""
        text = "request 2 of ListJobExecutionsForJob is one too many: expected 1, and this one has"
        with stubbed_client(JOB_ID, [FLEET]) as client:
            list_all(client)
        with pytest.raises(AssertionError) as caught:
            list_all(client)
        assert str(caught.value) == f"{text} jobId 'firmware-42', maxResults 250"

    def test_a_missing_request(self) -> None:
        """The message has the number of the missing request and its expected parameters."""
        text = (
            "request 2 of 3 was not made: expected ListJobExecutionsForJob with "
            "jobId 'firmware-42', maxResults 250, status 'FAILED', nextToken 'page-2'"
        )
        with (
            pytest.raises(AssertionError, match=f"^{re.escape(text)}$"),
            stubbed_client(JOB_ID, [[FAILED]] * 3, status="FAILED") as client,
        ):
            next(iter(client.list_job_executions_for_job(JOB_ID, status="FAILED")))

    @pytest.mark.parametrize(
        ("expected", "options", "complaint"),
        [
            ({}, {"page_size": 100}, "maxResults is 100, expected 250"),
            ({}, {"status": "FAILED"}, "status is 'FAILED', expected absent"),
            (
                {},
                {"status": "FAILED", "page_size": 1},
                "maxResults is 1, expected 250; status is 'FAILED', expected absent",
            ),
            (
                {"status": "FAILED"},
                {"job_id": "other"},
                "jobId is 'other', expected 'firmware-42'; status is absent, expected 'FAILED'",
            ),
        ],
    )
    def test_different_parameters(self, expected: Any, options: Any, complaint: str) -> None:
        """The message has the request's number, and each parameter that differs."""
        with (
            pytest.raises(AssertionError) as caught,
            stubbed_client(JOB_ID, [[FAILED]], **expected) as client,
        ):
            list(client.list_job_executions_for_job(**{"job_id": JOB_ID, **options}))
        text = "request 1 of ListJobExecutionsForJob is not as expected: "
        assert str(caught.value) == text + complaint

    def swallow(self, client: IoTJobsClient) -> None:
        """Make two unexpected requests, and suppress their errors."""
        for page_size in (7, 8):
            with suppress(AssertionError):
                list_all(client, page_size=page_size)

    def test_a_swallowed_failure_is_raised_at_the_end(self) -> None:
        """The end of the block raises the first failure that the code swallowed."""
        with (
            pytest.raises(AssertionError, match="maxResults is 7"),
            stubbed_client(JOB_ID, [FLEET]) as client,
        ):
            self.swallow(client)

    def test_a_swallowed_failure_is_the_context_of_a_later_error(self) -> None:
        """An error of the block has the swallowed failure as its context."""

        def swallow_and_fail(client: IoTJobsClient) -> None:
            self.swallow(client)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught, stubbed_client(JOB_ID, []) as client:
            swallow_and_fail(client)
        assert "one too many" in str(caught.value.__context__)

    def test_a_swallowed_failure_is_last_in_the_context_chain(self) -> None:
        """An error that has a context already gets the failure at the end of the chain."""

        def swallow_and_fail(client: IoTJobsClient) -> None:
            self.swallow(client)
            try:
                _ = dict[str, int]()["x"]
            except KeyError:
                raise ZeroDivisionError from None

        with pytest.raises(ZeroDivisionError) as caught, stubbed_client(JOB_ID, []) as client:
            swallow_and_fail(client)
        assert isinstance(caught.value.__context__, KeyError)
        assert "one too many" in str(caught.value.__context__.__context__)

    def test_an_error_of_the_block_is_not_replaced(self) -> None:
        """An error of the block passes through, although a page was not requested."""
        with pytest.raises(ZeroDivisionError), stubbed_client(JOB_ID, [FLEET]):
            raise ZeroDivisionError


def test_the_boto3_client_is_closed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the block closes the boto3 client, even after an error."""
    closed: list[bool] = []
    with suppress(ZeroDivisionError), stubbed_client(JOB_ID, []) as client:
        monkeypatch.setattr(client.boto3_client, "close", lambda: closed.append(True))
        raise ZeroDivisionError
    assert closed == [True]


def test_nothing_is_ever_sent() -> None:
    """Other operations, and requests after the block, are errors and send nothing."""
    with stubbed_client(JOB_ID, []) as client, pytest.raises(UnStubbedResponseError):
        client.boto3_client.describe_job(jobId=JOB_ID)
    with pytest.raises(AssertionError, match="one too many"):
        list_all(client)


def test_the_users_configuration_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid variables, profiles and files of the user have no effect."""
    for name in ("AWS_RETRY_MODE", "AWS_DEFAULTS_MODE", "AWS_MAX_ATTEMPTS"):
        monkeypatch.setenv(name, "nonsense")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", __file__)
    with stubbed_client(JOB_ID, [FLEET]) as client:
        assert list_all(client) == FLEET


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"job_id": "a b"}, "job_id must be"),
        ({"page_size": 251}, "page_size must be"),
        ({"status": "failed"}, "status must be"),
        ({"pages": [FLEET], "page_size": 3}, "pages must be up to 3 executions.*'5 executions'"),
        ({"pages": ["FAILED"]}, "each of pages must be .*, not 'FAILED'"),
        ({"pages": [7]}, "each of pages must be .*, not 7"),
        ({"pages": ThrottlingError}, "pages must be a list of pages, not"),
        ({"pages": None}, "pages must be a list of pages, not None"),
        ({"pages": [ServiceError(http_status=200)]}, "the HTTP status of a fault must be"),
        ({"pages": [type("Mine", (ThrottlingError,), {})]}, "each of pages must be .*Mine"),
        ({"pages": [ValueError]}, "each of pages must be"),
        ({"pages": [ThrottlingError(code="AccessDenied")]}, "the code .* not to AccessDeniedE"),
        ({"pages": [[{"thingArn": "x"}]]}, "each of pages must be"),
        (
            {"pages": [[FAILED, TIMED_OUT]], "status": BOTH},
            "each of pages must be executions of one of .*, not 'FAILED, TIMED_OUT'",
        ),
        ({"pages": [[FAILED]], "status": "REJECTED"}, "each of pages must be .* REJECTED, not"),
        (
            {"pages": [[FAILED]], "status": BOTH},
            "pages must be one or more pages for each of FAILED, T.*, not 'pages for FAILED'",
        ),
        (
            {"pages": [[TIMED_OUT]], "status": BOTH},
            "pages must be one .*, not 'pages for TIMED_OUT'",
        ),
        (
            {"pages": [[TIMED_OUT], [FAILED]], "status": BOTH},
            "pages must be one .*, not 'pages for TIMED_OUT, FAILED'",
        ),
    ],
)
def test_pages_that_no_listing_could_get_are_refused(arguments: Any, complaint: str) -> None:
    """The call raises an error that names the argument."""
    with pytest.raises(InvalidArgumentError, match=complaint):
        stubbed_client(**{"job_id": JOB_ID, "pages": [[]], **arguments})
