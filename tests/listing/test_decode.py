"""Responses of the service, of stubs and of mocks become models or raise an error."""

from __future__ import annotations

import json
from collections import UserDict
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support import JOB_ID, RawServer, ScriptedClient, boto3_client, to_item

from iotjobs_client import (
    AccessDeniedError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionPage,
    JobExecutionStatus,
    JobExecutionSummary,
    MalformedResponseError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
)
from iotjobs_client.testing import make_fleet, make_response

ARN = "arn:aws:iot:eu-west-1:123456789012:thing/pump-7"
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def item(**members: object) -> dict[str, Any]:
    """Return an execution in the form of boto3, with the given members."""
    return {"thingArn": ARN, "jobExecutionSummary": {"status": "FAILED", **members}}


def decode(response: object) -> JobExecutionPage:
    """Return the first page of a listing whose client returns ``response``."""
    client = IoTJobsClient(ScriptedClient(response))
    return next(client.list_job_executions_for_job(JOB_ID).pages())


def decode_one(response_item: dict[str, Any]) -> JobExecutionSummary:
    """Return the execution that ``response_item`` is decoded to."""
    (execution,) = decode({"executionSummaries": [response_item]}).executions
    return execution


def list_pages(url: str) -> list[JobExecutionPage]:
    """Return all pages of a listing over HTTP."""
    client = boto3_client(url)
    try:
        return list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID).pages())
    finally:
        client.close()


def error_of(*responses: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> IoTJobsError:
    """Return the error of a listing over HTTP whose responses are ``responses``."""
    with RawServer(*responses) as server, pytest.raises(IoTJobsError) as caught:
        list_pages(server.url)
    return caught.value


@pytest.mark.parametrize("as_numbers", [True, False], ids=["wire", "stub"])
def test_stubs_and_the_wire_decode_to_equal_executions(as_numbers: bool) -> None:  # noqa: FBT001
    """The numbers of the wire and a stub's datetimes become the same times."""
    fleet = make_fleet(500)
    response = {"executionSummaries": [to_item(e, as_numbers=as_numbers) for e in fleet]}
    page = decode(response)
    assert list(page.executions) == fleet
    assert all(type(e) is JobExecutionSummary for e in page.executions)
    assert all(type(e.status) is JobExecutionStatus for e in page.executions)
    assert hash(page.executions) == hash(tuple(fleet))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(1767268800.5, NOON + timedelta(seconds=0.5), id="fraction"),
        pytest.param(1767268800, NOON, id="integer"),
        pytest.param(0, datetime(1970, 1, 1, tzinfo=timezone.utc), id="epoch"),
        pytest.param("2026-01-01T12:00:00Z", NOON, id="iso-z"),
        pytest.param("2026-01-01T12:00:00", NOON, id="iso-naive"),
        pytest.param("2026-01-01 14:00:00+02:00", NOON, id="iso-offset"),
        pytest.param("2026-01-01T12:00:00.500Z", NOON + timedelta(seconds=0.5), id="iso-ms"),
        pytest.param(NOON.replace(tzinfo=None), NOON, id="naive-datetime"),
        pytest.param(NOON.astimezone(timezone(timedelta(hours=-8))), NOON, id="other-zone"),
        pytest.param(None, None, id="null"),
    ],
)
def test_times_in_all_forms_are_converted_to_utc(value: object, expected: datetime | None) -> None:
    """Each form becomes the same instant, as an aware datetime in UTC."""
    execution = decode_one(item(queuedAt=value, startedAt=value, lastUpdatedAt=value))
    for time in (execution.queued_at, execution.started_at, execution.last_updated_at):
        assert time == expected
        assert time is None or time.tzinfo is timezone.utc


def test_absent_null_and_unknown_members_are_accepted() -> None:
    """The service requires no member, and may add members."""
    bare = JobExecutionSummary(thing_arn=ARN, status="FAILED")
    assert decode_one(item()) == bare
    assert decode_one(item(queuedAt=None, executionNumber=None, retryAttempt=None)) == bare
    assert decode_one({**item(colour="red"), "shape": {"round": True}}) == bare
    unknown = decode_one(item(status="PAUSED")).status
    assert unknown == "PAUSED"
    assert not unknown.is_known


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"executionSummaries": None, "nextToken": None},
        {"executionSummaries": [], "nextToken": ""},
        {"executionSummaries": ()},
        UserDict(),
        {"ResponseMetadata": None},
        {"ResponseMetadata": {"RequestId": 5}},
    ],
)
def test_an_empty_response_is_an_empty_last_page(response: object) -> None:
    """A response without executions and without a token is valid."""
    assert decode(response) == JobExecutionPage(())


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (item(status=None), "status must be a string that is not empty, not None"),
        (item(status=""), "status must be a string that is not empty, not ''"),
        (item(status=7), "status must be a string that is not empty, not 7"),
        (item(status=["FAILED"]), "not as in the API reference"),
        ({**item(), "thingArn": None}, "thing_arn must be a string that is not empty, not None"),
        ({**item(), "thingArn": 7}, "thing_arn must be a string that is not empty, not 7"),
        ({"jobExecutionSummary": {"status": "FAILED"}}, "thing_arn must be"),
        ({**item(), "thingArn": ""}, "thing_arn must be a string that is not empty, not ''"),
        ({"thingArn": ARN}, "not as in the API reference"),
        ({"thingArn": ARN, "jobExecutionSummary": None}, "not as in the API reference"),
        ({"thingArn": ARN, "jobExecutionSummary": "FAILED"}, "not as in the API reference"),
        ("FAILED", "not as in the API reference"),
        (None, "not as in the API reference"),
        ([], "not as in the API reference"),
        (item(executionNumber="1"), "execution_number or retry_attempt must be"),
        (item(retryAttempt=1.5), "execution_number or retry_attempt must be"),
        (item(executionNumber=True), "execution_number or retry_attempt must be"),
        (item(queuedAt="yesterday"), "Invalid isoformat string: 'yesterday'"),
        (item(queuedAt="2026-13-01T00:00:00Z"), "month must be in 1..12"),
        (item(queuedAt="٢٠٢٦-01-01T00:00:00Z"), "Invalid isoformat string"),
        (item(startedAt=True), "queued_at, started_at and last_updated_at must be"),
        (item(startedAt={}), "queued_at, started_at and last_updated_at must be"),
        (item(lastUpdatedAt=1767268800000.5), "out of range|1..9999"),
        (item(lastUpdatedAt=10**30), "out of range|too large"),
        (item(lastUpdatedAt=float("nan")), "NaN"),
        (item(lastUpdatedAt=float("inf")), "infinity|out of range"),
        (item(lastUpdatedAt=datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))), "9999"),
    ],
)
def test_the_error_names_the_malformed_execution(broken: object, complaint: str) -> None:
    """The error contains its position, the request ID and the reason."""
    response = {
        "executionSummaries": [item(), item(), broken, item()],
        "ResponseMetadata": {"RequestId": "request-1"},
    }
    with pytest.raises(MalformedResponseError, match=complaint) as caught:
        decode(response)
    assert "executionSummaries[2]: " in str(caught.value)
    assert caught.value.request_id == "request-1"


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (None, "the response is not a dict but of type NoneType"),
        ([], "the response is not a dict but of type list"),
        ({"executionSummaries": {}}, "executionSummaries is not a list but of type dict"),
        ({"executionSummaries": "x"}, "executionSummaries is not a list but of type str"),
        ({"nextToken": 5}, "nextToken is not text that can be sent back"),
        ({"nextToken": {"a": 1}}, "nextToken is not text that can be sent back"),
        ({"nextToken": "\ud800"}, "nextToken is not text that can be sent back"),
    ],
)
def test_a_response_of_another_shape_is_rejected(response: object, complaint: str) -> None:
    """The error names the malformed member and its type."""
    with pytest.raises(MalformedResponseError, match=complaint):
        decode(response)


def test_no_execution_of_a_malformed_page_is_yielded() -> None:
    """An error in the last execution is raised before the first is yielded."""
    good = make_fleet(3)
    broken = make_response(good)
    broken["executionSummaries"].append(item(status=None))
    client = IoTJobsClient(ScriptedClient(broken, make_response(good)))
    executions = iter(client.list_job_executions_for_job(JOB_ID))
    with pytest.raises(MalformedResponseError, match=r"job 'firmware-42'.*executionSummaries\[3\]"):
        next(executions)
    assert list(executions) == good


def test_a_timeout_error_of_a_signal_handler_passes_through() -> None:
    """A TimeoutError is an OSError, which datetime raises for some times out of range."""

    class Late(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise TimeoutError("deadline")

    with pytest.raises(TimeoutError, match="deadline") as caught:
        decode({"executionSummaries": [{"jobExecutionSummary": Late()}]})
    assert not isinstance(caught.value, IoTJobsError)


class TestOverHTTP:
    """The event handler of this library reads the body instead of botocore's parser."""

    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            pytest.param(b"", "the body is not JSON", id="empty"),
            pytest.param(b"<html>busy</html>", "the body is not JSON", id="html"),
            pytest.param(b'{"executionSummaries": [', "the body is not JSON", id="cut"),
            pytest.param(b'{"nextToken": "\xff"}', "not JSON in UTF-8", id="latin-1"),
            pytest.param('{"nextToken": "é"}'.encode("utf-16"), "not JSON in UTF-8", id="utf-16"),
            pytest.param(b"[]", "the body is not an object but of type list", id="list"),
            pytest.param(b"null", "the body is not an object but of type NoneType", id="null"),
            pytest.param(b'"x"', "the body is not an object but of type str", id="string"),
            pytest.param(b"[" * 200_000, "nested too deeply", id="deep-list"),
            pytest.param(b'{"a":' * 200_000, "nested too deeply", id="deep-object"),
            pytest.param(
                b'{"executionSummaries": {}}', "is not a list but of type dict", id="no-list"
            ),
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
        ],
    )
    def test_a_malformed_body_is_not_an_empty_page(self, body: bytes, complaint: str) -> None:
        """Botocore reads most of these bodies as an empty last page."""
        error = error_of((200, body))
        assert type(error) is MalformedResponseError
        assert error.request_id == "request-1"
        assert error.is_retryable
        text = str(error)
        assert text.startswith(
            "job 'firmware-42': ListJobExecutionsForJob returned a malformed response ("
        )
        assert "request-1" in text
        with pytest.raises(MalformedResponseError, match=complaint):
            raise error

    @pytest.mark.parametrize("body", [b"{}", b'{"nextToken": null}', b'{"executionSummaries": []}'])
    def test_an_empty_response_ends_the_listing(self, body: bytes) -> None:
        """The API reference requires no member."""
        with RawServer((200, body)) as server:
            (page,) = list_pages(server.url)
        assert page == JobExecutionPage((), request_id="request-1")

    def test_the_error_names_the_content_type_and_the_size(self) -> None:
        """Both help to recognize a proxy's page."""
        error = error_of((200, b"<html>busy</html>", {"Content-Type": "text/html"}))
        assert "17 bytes of text/html" in str(error)

    def test_a_body_in_utf_8_needs_no_content_type(self) -> None:
        """Names outside ASCII arrive unchanged with any content type."""
        arn = "arn:aws:iot:eu-west-1:123456789012:thing/Pumpe-ß"
        body = json.dumps({"executionSummaries": [{**item(), "thingArn": arn}]}, ensure_ascii=False)
        with RawServer((200, body.encode(), {"Content-Type": "text/plain"})) as server:
            (page,) = list_pages(server.url)
        assert page.executions[0].thing_name == "Pumpe-ß"
        assert page.request_id == "request-1"

    @pytest.mark.parametrize(
        ("status", "body", "expected", "message"),
        [
            pytest.param(503, b"", ServiceUnavailableError, "Service Unavailable", id="503-empty"),
            pytest.param(500, b"[]", InternalServiceError, "[]", id="500-list"),
            pytest.param(500, b"\xff\xfe", InternalServiceError, "\ufffd\ufffd", id="500-binary"),
            pytest.param(502, b'"x"', ServiceUnavailableError, '"x"', id="502-string"),
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
        self, status: int, body: bytes, expected: type[ServiceError], message: str | None
    ) -> None:
        """Botocore's own parser raises other exceptions, such as TypeError, for some bodies."""
        error = error_of((status, body))
        assert type(error) is expected
        assert isinstance(error, ServiceError)
        assert error.http_status == status
        assert error.request_id == "request-1"
        if message is not None:
            assert error.message == message

    def test_an_error_with_a_broken_body_is_retried_by_botocore(self) -> None:
        """The HTTP status decides on a retry, not the body."""
        fleet = make_fleet(2)
        good = json.dumps({"executionSummaries": [to_item(e, as_numbers=True) for e in fleet]})
        with RawServer((503, b"\xff"), (500, b'{"code": 5}'), (200, good.encode())) as server:
            client = boto3_client(server.url, retries={"total_max_attempts": 3, "mode": "standard"})
            assert list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID)) == fleet
            client.close()
