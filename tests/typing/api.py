"""The whole public API as users write it; type checkers read it, and nothing executes it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.config import Config
from typing_extensions import assert_type

from iotjobs_client import (
    InvalidArgumentError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionIterator,
    JobExecutionPage,
    JobExecutionPageIterator,
    JobExecutionPaginator,
    JobExecutionStatus,
    JobExecutionSummary,
    RequestTimeoutError,
    ServiceError,
    ThrottlingError,
    __version__,
)
from iotjobs_client.testing import (
    Fault,
    ListRequest,
    LocalEndpoint,
    NamedFault,
    RawResponse,
    StubbedPage,
    make_execution,
    make_fleet,
    make_response,
    stubbed_client,
)
from iotjobs_client.testing.fixtures import MakeStubbedClient, StartLocalEndpoint

version: str = __version__


def listings(client: IoTJobsClient, statuses: Iterator[JobExecutionStatus]) -> None:
    paginator = client.list_job_executions_for_job("firmware-42")
    assert_type(client.list_job_executions_for_job("x", prefetch=True).prefetch, bool)
    assert_type(paginator, JobExecutionPaginator)
    client.list_job_executions_for_job("firmware-42", status="FAILED")
    client.list_job_executions_for_job("firmware-42", status=JobExecutionStatus.FAILED)
    client.list_job_executions_for_job("firmware-42", status=["FAILED", JobExecutionStatus("X")])
    client.list_job_executions_for_job("firmware-42", status=statuses)
    client.list_job_executions_for_job(
        job_id="firmware-42", status=None, page_size=10, max_items=5, resume_token=None
    )
    assert_type(paginator.job_id, str)
    assert_type(paginator.status, tuple[JobExecutionStatus, ...])
    assert_type(paginator.page_size, int)
    assert_type(paginator.max_items, int | None)
    assert_type(paginator.resume_token, str | None)

    executions = iter(paginator)
    assert_type(executions, JobExecutionIterator)
    assert_type(executions.resume_token, str | None)
    assert_type(next(executions), JobExecutionSummary)
    for execution in paginator:
        assert_type(execution, JobExecutionSummary)
    assert_type(list(paginator), list[JobExecutionSummary])

    pages = paginator.pages()
    assert_type(pages, JobExecutionPageIterator)
    assert_type(pages.resume_token, str | None)
    for page in pages:
        assert_type(page, JobExecutionPage)
        assert_type(page.executions, tuple[JobExecutionSummary, ...])
        assert_type(page.next_token, str | None)
        assert_type(page.resume_token, str | None)
        assert_type(page.request_id, str | None)


async def asynchronous(client: IoTJobsClient) -> None:
    async with client as same:
        assert_type(same, IoTJobsClient)
    paginator = client.list_job_executions_for_job("firmware-42")
    executions = aiter(paginator)
    assert_type(executions, JobExecutionIterator)
    assert_type(await anext(executions), JobExecutionSummary)
    async for execution in paginator:
        assert_type(execution, JobExecutionSummary)
    assert_type([e async for e in executions], list[JobExecutionSummary])
    async for page in paginator.pages():
        assert_type(page, JobExecutionPage)
    for_either: tuple[Iterable[JobExecutionSummary], AsyncIterable[JobExecutionSummary]]
    for_either = (paginator, paginator)
    for_either = (executions, executions)
    _ = for_either


def models(execution: JobExecutionSummary) -> None:
    assert_type(execution.thing_arn, str)
    assert_type(execution.thing_name, str)
    assert_type(execution.status, JobExecutionStatus)
    assert_type(execution.execution_number, int | None)
    assert_type(execution.queued_at, datetime | None)
    assert_type(execution.started_at, datetime | None)
    assert_type(execution.last_updated_at, datetime | None)
    assert_type(execution.retry_attempt, int | None)
    assert_type(execution.status.is_known, bool)
    assert_type(execution.status.is_terminal, bool)
    word: str = execution.status
    assert_type(f"{word}", str)
    JobExecutionSummary(thing_arn="arn", status="FAILED")
    JobExecutionSummary("arn", JobExecutionStatus.FAILED, 1, queued_at=datetime.now().astimezone())


def errors(error: IoTJobsError) -> None:
    assert_type(error.job_id, str | None)
    assert_type(error.resume_token, str | None)
    assert_type(error.request_id, str | None)
    assert_type(error.is_retryable, bool)
    if isinstance(error, ServiceError):
        assert_type(error.code, str | None)
        assert_type(error.message, str)
        assert_type(error.operation, str)
        assert_type(error.http_status, int | None)
        assert_type(error.attempts, int | None)
    as_value_error: ValueError = InvalidArgumentError("x")
    as_timeout: TimeoutError = RequestTimeoutError("x")
    raise as_value_error from as_timeout


def testing() -> None:
    assert_type(make_execution("pump-7", "FAILED", retry_attempt=2), JobExecutionSummary)
    assert_type(make_fleet(10, seed=3, statuses=["FAILED"]), list[JobExecutionSummary])
    make_fleet(10, statuses={"FAILED": 0.5, "SUCCEEDED": 2})
    named_fault: NamedFault = "stall"
    faults: Mapping[int, Fault] = {
        1: ThrottlingError,
        2: ThrottlingError("x"),
        3: "hang",
        4: named_fault,
        5: RawResponse(502, b"<html>", {"Content-Type": "text/html"}),
    }
    with LocalEndpoint({"firmware-42": make_fleet(10)}, latency=0.1, faults=faults) as endpoint:
        assert_type(endpoint.move("firmware-42", "thing-0", "FAILED"), JobExecutionSummary)
        assert_type(endpoint.url, str)
        assert_type(endpoint.requests, list[ListRequest])
        assert_type(endpoint.environment, dict[str, str])
        assert_type(endpoint.client(config=Config()), IoTJobsClient)
    assert_type(make_response(make_fleet(10), next_token="t"), dict[str, Any])
    pages: list[StubbedPage] = [make_fleet(10), ThrottlingError, ThrottlingError("x"), []]
    with stubbed_client("firmware-42", pages, status="FAILED", page_size=10) as client:
        assert_type(client, IoTJobsClient)


def fixtures(stubbed_client: MakeStubbedClient, local_endpoint: StartLocalEndpoint) -> None:
    assert_type(stubbed_client("firmware-42", [[], ThrottlingError], page_size=1), IoTJobsClient)
    assert_type(local_endpoint({"firmware-42": []}, faults={1: "hang"}), LocalEndpoint)
