"""Each body of a response over HTTP becomes a page or an error."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any

import pytest
from support import JOB_ID, RawServer, boto3_client, owning_client, response_error, served, to_item

from iotjobs_client import (
    AccessDeniedError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionPage,
    MalformedResponseError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import make_execution, make_fleet

EMPTY_PAGE = b'{"executionSummaries": []}'
CLOSE = {"Connection": "close"}


def list_pages(*responses: Any) -> list[JobExecutionPage]:
    """Return the pages of a listing over HTTP whose responses are ``responses``."""
    with RawServer(*responses) as server, owning_client(server.url) as client:
        return list(client.list_job_executions_for_job(JOB_ID).pages())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        pytest.param(b"", "the body is not JSON", id="empty"),
        pytest.param(b"<html>busy</html>", "the body is not JSON", id="html"),
        pytest.param(
            b'{"a" 1}', r"not JSON in UTF-8 \(Expecting ':' delimiter: line 1 column 6", id="reason"
        ),
        pytest.param(b'{"executionSummaries": [', "the body is not JSON", id="cut"),
        pytest.param(b'{"nextToken": "\xff"}', "not JSON in UTF-8", id="latin-1"),
        pytest.param('{"nextToken": "é"}'.encode("utf-16"), "not JSON in UTF-8", id="utf-16"),
        pytest.param(gzip.compress(b"{}"), "not JSON in UTF-8", id="gzip"),
        pytest.param(b"[]", "the body is not an object but of type list", id="list"),
        pytest.param(b"null", "the body is not an object but of type NoneType", id="null"),
        pytest.param(b'"x"', "the body is not an object but of type str", id="string"),
        pytest.param(b"[" * 200_000, "nested too deeply", id="deep-list"),
        pytest.param(b'{"a":' * 200_000, "nested too deeply", id="deep-object"),
        pytest.param(b'{"executionSummaries": {}}', "is not a list but of type dict", id="no-list"),
        pytest.param(b'{"executionSummaries": 5}', "is not a list but of type int", id="number"),
        pytest.param(
            b'{"nextToken": 5}', "nextToken is not text that can be sent back", id="token"
        ),
        pytest.param(
            b'{"message": "Internal failure"}',
            "the body has neither executionSummaries nor nextToken",
            id="neither",
        ),
        pytest.param(
            b'{"executionSummaries": [{"thingArn": "a", "jobExecutionSummary": {}}]}',
            r"executionSummaries\[0\]: status must be",
            id="no-status",
        ),
        pytest.param(
            b'{"executionSummaries": [{"jobExecutionSummary": {"queuedAt": 1e40}}]}',
            r"executionSummaries\[0\]: ",
            id="time",
        ),
    ],
)
def test_a_malformed_body_is_not_an_empty_page(
    body: bytes, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Botocore reads most of these bodies as an empty last page.

    The error is of the same class if botocore's parser logs the body at debug level.
    """
    error = response_error((200, body))
    assert type(error) is MalformedResponseError
    assert error.request_id == "request-1"
    assert error.is_retryable
    text = str(error)
    assert text.startswith(
        "job 'firmware-42': ListJobExecutionsForJob returned a malformed response: "
    )
    assert text.endswith(" (request id request-1)")
    with pytest.raises(MalformedResponseError, match=complaint):
        raise error
    with caplog.at_level(logging.DEBUG, logger="botocore.parsers"):
        assert type(response_error((200, body))) is MalformedResponseError


@pytest.mark.parametrize("body", [b"{}", b'{"nextToken": null}', EMPTY_PAGE])
def test_an_empty_response_ends_the_listing(body: bytes) -> None:
    """The API reference requires no member."""
    assert list_pages((200, body)) == [JobExecutionPage((), request_id="request-1")]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, "no content type"), ({"Content-Type": "text/html"}, "text/html")],
    ids=["none", "html"],
)
def test_the_error_names_the_content_type_and_the_size(
    headers: dict[str, str], expected: str
) -> None:
    """Both help to recognize a proxy's page."""
    error = response_error((200, b"<html>busy</html>", headers))
    assert str(error).endswith(f"; 17 bytes of {expected} (request id request-1)")


def test_a_body_in_utf_8_needs_no_content_type() -> None:
    """Names outside ASCII arrive unchanged with any content type."""
    item = to_item(make_execution("Pumpe-ß"), as_numbers=True)
    body = json.dumps({"executionSummaries": [item]}, ensure_ascii=False).encode()
    (page,) = list_pages((200, body, {"Content-Type": "text/plain"}))
    assert page.executions[0].thing_name == "Pumpe-ß"
    assert page.request_id == "request-1"


@pytest.mark.parametrize("body", [EMPTY_PAGE, b'{"executionSummaries": ['], ids=["valid", "cut"])
@pytest.mark.parametrize(
    ("length", "expected"),
    [("5000", "5,000"), ("9" * 5000, "999,999,999,999,999,999")],
    ids=["5000", "5000 digits"],
)
def test_a_body_shorter_than_its_content_length(body: bytes, length: str, expected: str) -> None:
    """A lost connection is an error although the part that came may be valid JSON.

    Without the error, an empty page without a token would end the listing too early.
    """
    page = json.dumps({"executionSummaries": [to_item(make_execution(), as_numbers=True)]})
    cut = (200, body, {"Content-Length": length, **CLOSE})
    with RawServer(cut, (200, page.encode())) as server, owning_client(server.url) as client:
        executions = iter(client.list_job_executions_for_job(JOB_ID))
        with pytest.raises(TransportError) as caught:
            next(executions)
        assert type(caught.value) is TransportError
        assert (
            f"the connection was lost after {len(body)} of {expected} bytes (request id request-1)"
        ) in str(caught.value)
        assert list(executions) == [make_execution()]


@pytest.mark.parametrize(
    ("status", "body", "expected", "message"),
    [
        pytest.param(503, b"", ServiceUnavailableError, "Service Unavailable", id="503-empty"),
        pytest.param(500, b"[]", InternalServiceError, "[]", id="500-list"),
        pytest.param(500, b"\xff\xfe", InternalServiceError, "\ufffd\ufffd", id="500-binary"),
        pytest.param(502, b'"x"', ServiceUnavailableError, '"x"', id="502-string"),
        pytest.param(502, b"\x1f\x8b\xff", ServiceUnavailableError, None, id="502-compressed"),
        pytest.param(503, b"[" * 200_000, ServiceUnavailableError, "[" * 1000, id="503-deep"),
        pytest.param(400, b'{"__type": {"a": 1}}', ServiceError, None, id="400-type-object"),
        pytest.param(400, b'{"code": ["a"]}', ServiceError, None, id="400-code-list"),
        pytest.param(400, b'{"message": {"a": 1}}', ServiceError, None, id="400-message"),
        pytest.param(403, b"<html>no</html>", AccessDeniedError, "<html>no</html>", id="html"),
        pytest.param(
            400,
            b'{"__type": "com.amazonaws.iot#InvalidRequestException", "message": "no"}',
            InvalidRequestError,
            "no",
            id="qualified-type",
        ),
        pytest.param(
            429, b'{"code": "ThrottlingException", "Message": "slow"}',
            ThrottlingError, "slow", id="code-in-body",
        ),
        pytest.param(300, b"choose", ServiceError, None, id="300"),
        pytest.param(301, b"", ServiceError, None, id="301"),
    ],
)  # fmt: skip
def test_an_error_with_any_body_is_mapped(
    status: int, body: bytes, expected: type[ServiceError], message: str | None
) -> None:
    """Botocore's own parser raises other exceptions, such as TypeError, for some bodies."""
    error = response_error((status, body))
    assert type(error) is expected
    assert isinstance(error, ServiceError)
    assert error.http_status == status
    assert error.request_id == "request-1"
    if message is not None:
        assert error.message == message


def test_an_error_with_a_broken_body_is_retried_by_botocore() -> None:
    """The HTTP status decides on a retry, not the body."""
    faults = (503, b"\xff"), (500, b'{"code": 5}')
    with RawServer(*faults, (200, EMPTY_PAGE)) as server:
        client = boto3_client(server.url, retries={"total_max_attempts": 3, "mode": "standard"})
        assert list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID)) == []
        client.close()


# 204 and 304 are left out: they have no body, so the client would misread the connection.
STATUSES = [
    *(200, 201, 202, 203, 205, 206, *range(299, 304), *range(305, 309)),
    *(400, 404, 429, 500, 503),
]
BODIES = [
    *(b"", b"choose", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"__type": {"a": 1}}'),
    *(b'{"code": ["a"], "message": {"a": 1}}', b'{"executionSummaries": "x"}'),
    b'{"executionSummaries": [[]], "nextToken": []}',
]


@pytest.mark.parametrize("status", STATUSES)
def test_any_status_with_an_invalid_body_is_an_error(status: int) -> None:
    """Each of the responses is an IoTJobsError, and the same iterator continues after it."""
    faults = [(status, body) for body in BODIES]
    with RawServer(*faults, (200, EMPTY_PAGE)) as server, owning_client(server.url) as client:
        executions = iter(client.list_job_executions_for_job(JOB_ID))
        for _ in BODIES:
            with pytest.raises(IoTJobsError):
                next(executions)
        assert list(executions) == []


def test_the_debug_log_holds_the_body_of_a_response(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the body, and the listing is the same as without the log."""
    fleet = make_fleet(20)
    with (
        caplog.at_level(logging.DEBUG, logger="botocore.parsers"),
        served(fleet) as (_, client),
    ):
        assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
    assert "thing/thing-19" in caplog.text
