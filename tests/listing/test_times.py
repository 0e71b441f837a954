"""Times are plain, aware datetimes in UTC, whatever their form and the local time zone are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Any

import pytest
from support import JOB_ID, ScriptedClient, boto3_client, owning_client

from iotjobs_client import IoTJobsClient, JobExecutionSummary, MalformedResponseError
from iotjobs_client.rollout import summarize
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

NOON = datetime(2026, 7, 1, 12, 0, 0, 60_000, tzinfo=timezone.utc)
FOLD = datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)  # 2:30 comes twice in central Europe.
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
EAST = timezone(timedelta(hours=5.5))
for_each_moment = pytest.mark.parametrize(
    "moment", [NOON, FOLD, FOLD - timedelta(hours=1), EPOCH], ids=str
)


ZONES = {
    "Kolkata": "IST-5:30",
    "Berlin": "CET-1CEST,M3.5.0,M10.5.0/3",
    "Los Angeles": "PST8PDT,M3.2.0,M11.1.0",
}
if os.name == "nt":  # Windows cannot change the zone of a process.
    ZONES = {"zone of the machine": ""}


@pytest.fixture(autouse=True, params=ZONES.values(), ids=list(ZONES))
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test in a process with another local zone than UTC."""
    if os.name == "nt":
        yield
        return
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


class Timestamp(datetime):
    """A datetime of another class, such as the Timestamp of pandas."""


class NotATime(Timestamp):
    """A datetime that does not equal itself, such as the NaT of pandas."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = Timestamp.__hash__


class Zoneless(tzinfo):
    """A time zone without an offset."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


def times_of(execution: JobExecutionSummary) -> list[datetime | None]:
    """Return the three times of an execution."""
    return [execution.queued_at, execution.started_at, execution.last_updated_at]


def listed_times(value: object) -> list[datetime | None]:
    """Return the times of a listed execution if each is ``value`` in the response."""
    members = dict.fromkeys(("queuedAt", "startedAt", "lastUpdatedAt"), value)
    item = {"thingArn": "arn", "jobExecutionSummary": {"status": "QUEUED", **members}}
    client = IoTJobsClient(ScriptedClient({"executionSummaries": [item]}))
    (execution,) = client.list_job_executions_for_job(JOB_ID)
    return times_of(execution)


def made_times(value: Any) -> list[datetime | None]:
    """Return the times of an execution that was made with ``value`` for each."""
    made = make_execution(queued_at=value, started_at=value, last_updated_at=value)
    return times_of(made)


def check_times(found: list[datetime | None], moment: datetime) -> None:
    """Check that all three times are plain datetimes in UTC."""
    assert found == [moment] * 3
    for each in found:
        assert each is not None
        assert type(each) is datetime
        assert each.tzinfo is timezone.utc
        assert each.hour == moment.hour


@for_each_moment
def test_a_response_may_have_times_in_any_form(moment: datetime) -> None:
    """A naive datetime or text is in UTC, and any other form is converted."""
    naive, local, seconds = moment.replace(tzinfo=None), moment.astimezone(), moment.timestamp()
    assert os.name == "nt" or local.utcoffset() != timedelta(0)
    forms: list[object] = [moment, naive, local, moment.astimezone(EAST), seconds]
    forms += [naive.isoformat(), local.isoformat(" "), f"{naive.isoformat(' ', 'milliseconds')}Z"]
    for form in forms:
        check_times(listed_times(form), moment)
    check_times(listed_times(int(seconds)), moment.replace(microsecond=0))


@for_each_moment
def test_an_execution_may_be_made_with_any_datetime(moment: datetime) -> None:
    """A naive time is in UTC. A datetime of a subclass could print or pickle in another way."""
    naive = moment.replace(tzinfo=None)
    for value in (moment, naive, moment.astimezone(), moment.astimezone(EAST)):
        check_times(made_times(value), moment)
        check_times(made_times(Timestamp.fromisoformat(value.isoformat())), moment)
    for zone in (Zoneless(), timezone(timedelta(0), "GMT")):
        check_times(made_times(moment.replace(tzinfo=zone)), moment)


def test_a_time_that_is_missing_is_absent() -> None:
    """A missing time of pandas, which does not equal itself, becomes None, as None itself does."""
    assert made_times(NotATime(2026, 1, 1)) == [None] * 3
    assert made_times(None) == listed_times(None) == [None] * 3


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
        listed_times(seconds)
    assert caught.value.job_id == JOB_ID
