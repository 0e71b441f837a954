"""Errors keep the arguments of their constructors, and their text has the facts of a response."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from support import JOB_ID, RawServer, owning_client

import iotjobs_client
from iotjobs_client import IoTJobsError, MalformedResponseError, PaginationError, ServiceError

KINDS = [
    value
    for value in vars(iotjobs_client).values()
    if inspect.isclass(value) and issubclass(value, IoTJobsError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_constructed_error_keeps_its_arguments(kind: type[IoTJobsError]) -> None:
    """Each keyword argument of the constructor is an attribute of the error."""
    options: dict[str, Any] = {"job_id": "firmware-42", "resume_token": "token-1"}
    if issubclass(kind, (MalformedResponseError, ServiceError)):
        options |= {"request_id": "request-1"}
    if issubclass(kind, ServiceError):
        options |= {"code": "Code", "http_status": 418, "attempts": 3}
    error = kind("what happened", **options)
    assert {name: getattr(error, name) for name in options} == options
    assert error.args == ("what happened",)


@pytest.mark.parametrize("kind", [MalformedResponseError, PaginationError])
def test_a_malformed_response_names_operation_and_request(
    kind: type[MalformedResponseError],
) -> None:
    """The text names the operation, and the request if the service sent its id."""
    start = "ListJobExecutionsForJob returned a malformed response"
    assert str(kind("no JSON")) == f"{start}: no JSON"
    assert str(kind("no JSON", request_id="r-1")) == f"{start} (request id r-1): no JSON"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, "4 bytes of no content type", id="none"),
        pytest.param({"Content-Type": "text/html"}, "4 bytes of text/html", id="html"),
    ],
)
def test_a_malformed_body_is_described(headers: dict[str, str], expected: str) -> None:
    """The text has the size and the content type of a body that is not JSON."""
    with RawServer((200, b"busy", headers)) as server, owning_client(server.url) as client:
        with pytest.raises(MalformedResponseError, match="the body is not JSON") as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert str(caught.value).endswith(f"; {expected}")
