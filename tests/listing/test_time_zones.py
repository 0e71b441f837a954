"""Times are the same in a process whose local zone is not UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from support import JOB_ID, ScriptedClient, boto3_client, owning_client

from iotjobs_client import IoTJobsClient, JobExecutionSummary, MalformedResponseError
from iotjobs_client.rollout import summarize
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

ARN = "arn:aws:iot:eu-west-1:123456789012:thing/pump-7"
NOON = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)
FOLD = datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)  # 2:30 comes twice in central Europe.


@pytest.fixture(
    autouse=True,
    params=["IST-5:30", "CET-1CEST,M3.5.0,M10.5.0/3", "PST8PDT,M3.2.0,M11.1.0"],
    ids=["Kolkata", "Berlin", "Los Angeles"],
)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test in a process with another local zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def queued_at(value: object) -> datetime | None:
    """Return ``queued_at`` of a listed execution if the service sends ``value``."""
    item = {"thingArn": ARN, "jobExecutionSummary": {"status": "QUEUED", "queuedAt": value}}
    client = IoTJobsClient(ScriptedClient({"executionSummaries": [item]}))
    (execution,) = client.list_job_executions_for_job(JOB_ID)
    return execution.queued_at


@pytest.mark.parametrize("moment", [NOON, FOLD, FOLD - timedelta(hours=1)])
def test_a_naive_time_is_in_utc(moment: datetime) -> None:
    """A naive datetime or text is taken as UTC, not as a time of the local zone."""
    naive = moment.replace(tzinfo=None)
    execution = JobExecutionSummary(
        thing_arn=ARN, status="QUEUED", queued_at=naive, started_at=naive, last_updated_at=naive
    )
    times = (execution.queued_at, execution.started_at, execution.last_updated_at)
    for found in (*times, queued_at(naive), queued_at(naive.isoformat())):
        assert found == moment
        assert found is not None
        assert found.tzinfo is timezone.utc


@pytest.mark.parametrize("moment", [NOON, FOLD, FOLD - timedelta(hours=1)])
def test_an_aware_time_is_converted(moment: datetime) -> None:
    """A time of the local zone, a number and ISO 8601 with an offset are the same moment."""
    local = moment.astimezone()
    assert local.utcoffset() != timedelta(0)
    seconds = moment.timestamp()
    for value in (local, local.isoformat(), seconds, int(seconds), moment.isoformat()):
        found = queued_at(value)
        assert found == moment
        assert found is not None
        assert (found.hour, found.tzinfo) == (moment.hour, timezone.utc)


def test_a_listing_is_the_same_in_each_zone() -> None:
    """Times over HTTP are the service's, whether we or botocore parse the response."""
    fleet = make_fleet(20)
    with LocalEndpoint({JOB_ID: fleet}) as endpoint:
        with owning_client(endpoint.url) as client:
            assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
        parsed_by_botocore: Any = boto3_client(endpoint.url)
        method = parsed_by_botocore.list_job_executions_for_job
        parsed_by_botocore.list_job_executions_for_job = partial(method)
        client = IoTJobsClient(parsed_by_botocore)
        assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
        parsed_by_botocore.close()


def test_a_summary_is_the_same_in_each_zone() -> None:
    """The moments of the curve are in UTC."""
    ended = make_execution(queued_at=FOLD, started_at=FOLD, last_updated_at=NOON)
    curve = summarize([ended]).curve
    assert [point.at for point in curve] == [FOLD]
    assert curve[0].at.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "seconds", [1e12, 1e17, 1e19, -1e17, 10**17, 10**30], ids=lambda seconds: f"{seconds:.0e}"
)
def test_a_number_beyond_all_years_is_malformed(seconds: float) -> None:
    """``datetime`` raises ValueError, OSError or OverflowError, which depends on the size."""
    with pytest.raises(MalformedResponseError, match=r"executionSummaries\[0\]: .") as caught:
        queued_at(seconds)
    assert caught.value.job_id == JOB_ID
