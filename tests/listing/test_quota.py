"""Under a quota, listings are exact after throttling, and a rate avoids throttling."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import monotonic
from typing import Any, Literal

import pytest
from botocore.config import Config
from support import JOB_ID, FleetClient, session

from iotjobs_client import IoTJobsClient, JobExecutionSummary, ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_fleet

pytestmark = pytest.mark.one_python

FLEET = make_fleet(27)


def count_surplus_requests(endpoint: LocalEndpoint, pages: int) -> int:
    """Return the number of requests beyond one for each page."""
    return len(endpoint.requests) - pages


@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_a_listing_above_the_quota_is_throttled_and_exact(
    mode: Literal["standard", "adaptive"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Botocore retries throttled requests, and after an error the iterator continues."""
    # The quota admits one request in four, so a retry of botocore may be throttled too.
    # The endpoint has no public option for its clock.
    times = count(step=1 / 8)
    monkeypatch.setattr("iotjobs_client.testing._endpoint._now", lambda: next(times))
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's pauses
    config = Config(retries={"mode": mode, "total_max_attempts": 2})
    found: list[JobExecutionSummary] = []
    errors: list[ThrottlingError] = []
    with (
        LocalEndpoint({JOB_ID: FLEET}, requests_per_second=2) as endpoint,
        IoTJobsClient(session=session(), endpoint_url=endpoint.url, config=config) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=7))
        while executions.resume_token is not None:
            try:
                for execution in executions:
                    found.append(execution)
            except ThrottlingError as error:
                errors.append(error)
        assert found == FLEET
        assert {error.attempts for error in errors} == {2}
        # Some requests were throttled once, and succeeded when botocore retried them.
        assert count_surplus_requests(endpoint, 4) > 2 * len(errors)


def test_below_the_quota_nothing_is_throttled() -> None:
    """Requests below the quota are spaced evenly."""
    with (
        LocalEndpoint({JOB_ID: FLEET}, requests_per_second=20) as endpoint,
        IoTJobsClient(
            session=session(), endpoint_url=endpoint.url, requests_per_second=18
        ) as client,
    ):
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=1)) == FLEET
        assert count_surplus_requests(endpoint, len(FLEET)) == 0


def test_requests_are_spaced_over_threads_and_listings() -> None:
    """The client's n-th request starts at least n intervals after the first one."""
    starts: list[float] = []

    class Clocked(FleetClient):
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            starts.append(monotonic())
            return super().list_job_executions_for_job(**arguments)

    client = IoTJobsClient(Clocked(FLEET), requests_per_second=100)

    def list_all(_: int) -> list[JobExecutionSummary]:
        return list(client.list_job_executions_for_job(JOB_ID, page_size=6))

    began = monotonic()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(list_all, range(4))) == [FLEET] * 4
    assert len(starts) == 20
    # A thread may start its request after its slot, but not before it.
    assert all(start >= began + n / 100 for n, start in enumerate(sorted(starts)))
