"""Listings stay exact if botocore no longer emits the event that this library handles.

This library sets no upper bound for botocore, and the event ``before-parse`` is the only part of
botocore that it could lose. These tests remove the event from real boto3 clients that talk to a
real HTTP endpoint.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
from botocore.hooks import HierarchicalEmitter
from support import JOB_ID, ScriptedClient, served

from iotjobs_client import (
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    ResourceNotFoundError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import Fault, NamedFault, RawResponse, make_fleet, make_response

FLEET = make_fleet(600)  # three pages
HTML = RawResponse(200, b"<html>log in</html>", {"Content-Type": "text/html"})


@pytest.fixture(autouse=True)
def parsed_by_botocore(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make botocore emit everything but ``before-parse``.

    Returns:
        The names of the events that botocore emitted.
    """
    emitted: list[str] = []
    emit: Any = HierarchicalEmitter.emit

    def emit_others(self: HierarchicalEmitter, event_name: str, **arguments: Any) -> Any:
        if event_name.startswith("before-parse"):
            return []
        emitted.append(event_name)
        return emit(self, event_name, **arguments)

    monkeypatch.setattr(HierarchicalEmitter, "emit", emit_others)
    return emitted


def test_a_listing_is_the_same(parsed_by_botocore: list[str]) -> None:
    """Each member of each execution equals that of a listing with the event."""
    with served(FLEET) as (_, client):
        assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET
        some = list(client.list_job_executions_for_job(JOB_ID, status=["FAILED", "REJECTED"]))
        pages = list(client.list_job_executions_for_job(JOB_ID, page_size=100).pages())
    assert some == [e for s in ("FAILED", "REJECTED") for e in FLEET if e.status == s]
    assert [len(page.executions) for page in pages] == [100] * 6
    assert all(page.request_id for page in pages)
    assert "after-call.iot.ListJobExecutionsForJob" in parsed_by_botocore


FAULTS: list[Fault] = [
    *(fault for fault in get_args(NamedFault) if fault not in ("hang", "stall", "repeat")),
    HTML,
    ThrottlingError,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: getattr(fault, "__name__", str(fault)))
def test_after_a_fault_the_iterator_continues(fault: Fault) -> None:
    """No fault ends the listing early, loses an execution or repeats one."""
    found = []
    with served(FLEET, faults={2: fault, 4: fault}) as (_, client):
        executions = iter(client.list_job_executions_for_job(JOB_ID))
        while executions.resume_token is not None:
            try:
                for execution in executions:
                    found.append(execution)
            except IoTJobsError as error:
                assert error.is_retryable
                assert error.resume_token == executions.resume_token
    assert found == FLEET


@pytest.mark.parametrize("fault", ["truncate", "garbage", HTML], ids=str)
def test_a_response_without_members_is_an_error(fault: Fault) -> None:
    """The boto3 of today returns an empty last page for these responses."""
    with (
        served(FLEET, faults={3: fault}) as (_, client),
        # The lowest botocore raises an error of its own after a truncated response.
        pytest.raises((MalformedResponseError, TransportError)),
    ):
        list(client.list_job_executions_for_job(JOB_ID))


@pytest.mark.parametrize(
    "response",
    [{"error": "x"}, {"statusCode": 429}, {"data": {"executionSummaries": []}}, {"executions": []}],
    ids=lambda response: next(iter(response)),
)
def test_a_response_that_is_no_page_is_an_error(response: dict[str, Any]) -> None:
    """A wrapper around a client may return anything; the listing does not end silently."""
    page = make_response(FLEET[:250], "token")
    client = IoTJobsClient(ScriptedClient(page, response, make_response(FLEET[250:])))
    executions = iter(client.list_job_executions_for_job(JOB_ID))
    found = [next(executions) for _ in range(250)]
    with pytest.raises(MalformedResponseError, match="neither executionSummaries nor nextToken"):
        next(executions)
    assert [*found, *executions] == FLEET


def test_errors_are_mapped() -> None:
    """An unknown job and a repeated token raise the same errors as with the event."""
    with served(FLEET, faults={3: "repeat"}) as (_, client):
        with pytest.raises(ResourceNotFoundError):
            list(client.list_job_executions_for_job("firmware-24"))
        with pytest.raises(PaginationError):
            list(client.list_job_executions_for_job(JOB_ID))
