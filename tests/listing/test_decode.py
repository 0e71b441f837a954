"""Responses of the service, of stubs and of mocks become models or raise an error."""

from __future__ import annotations

from collections import UserDict
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support import JOB_ID, ScriptedClient, to_item

from iotjobs_client import (
    IoTJobsClient,
    IoTJobsError,
    JobExecutionPage,
    JobExecutionStatus,
    JobExecutionSummary,
    MalformedResponseError,
)
from iotjobs_client.testing import make_fleet, make_response

ARN = "arn:aws:iot:eu-west-1:123456789012:thing/pump-7"


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


@pytest.mark.parametrize("as_numbers", [True, False], ids=["wire", "stub"])
def test_stubs_and_the_wire_decode_to_equal_executions(*, as_numbers: bool) -> None:
    """The numbers of the wire and a stub's datetimes become the same times."""
    fleet = make_fleet(500)
    response = {"executionSummaries": [to_item(e, as_numbers=as_numbers) for e in fleet]}
    page = decode(response)
    assert list(page.executions) == fleet
    assert all(type(e) is JobExecutionSummary for e in page.executions)
    assert all(type(e.status) is JobExecutionStatus for e in page.executions)
    assert hash(page.executions) == hash(tuple(fleet))


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
        {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": 5}},
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


@pytest.mark.parametrize("base", [Exception, ArithmeticError, LookupError, OSError, ValueError])
def test_an_error_of_a_signal_handler_passes_through(base: type[Exception]) -> None:
    """The errors of a malformed execution have these base classes, too."""
    deadline = type("Deadline", (base,), {})

    class Late(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise deadline("deadline")

    with pytest.raises(deadline, match="deadline") as caught:
        decode({"executionSummaries": [{"jobExecutionSummary": Late()}]})
    assert not isinstance(caught.value, IoTJobsError)
