"""Mistakes that type checkers find in users' programs; each ignore is needed, or it is an error."""

from __future__ import annotations

from datetime import datetime

from iotjobs_client import IoTJobsClient, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing import make_execution


def arguments(client: IoTJobsClient) -> None:
    IoTJobsClient("eu-west-1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore[invalid-argument-type]  # pyrefly: ignore[bad-argument-type]
    IoTJobsClient(region="eu-west-1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # ty: ignore[unknown-argument]  # pyrefly: ignore[unexpected-keyword]
    client.list_job_executions_for_job()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # ty: ignore[missing-argument]  # pyrefly: ignore[missing-argument]
    client.list_job_executions_for_job("firmware-42", "FAILED")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # ty: ignore[too-many-positional-arguments]  # pyrefly: ignore[bad-argument-count]
    client.list_job_executions_for_job("firmware-42", page_size="10")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore[invalid-argument-type]  # pyrefly: ignore[bad-argument-type]
    make_execution(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # pyrefly: ignore[unexpected-keyword]


def results(client: IoTJobsClient, execution: JobExecutionSummary) -> datetime:
    next(client.list_job_executions_for_job("firmware-42"))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]  # ty: ignore[invalid-argument-type]  # pyrefly: ignore[bad-argument-type]
    execution.status = JobExecutionStatus.FAILED  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # ty: ignore[invalid-assignment]  # pyrefly: ignore[read-only]
    assert execution.thingName  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # ty: ignore[missing-attribute]  # pyrefly: ignore[missing-attribute]
    assert execution["thingArn"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]  # ty: ignore[not-subscriptable]  # pyrefly: ignore[bad-index]
    return execution.queued_at  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # ty: ignore[invalid-explicit-return]  # pyrefly: ignore[bad-return]
