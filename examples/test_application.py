"""Unit tests of an application's function, page by page and without AWS.

Run it: ``python -m nox -s tests-3.11 -- examples/test_application.py``.
"""

from __future__ import annotations

import pytest
from application import NOT_DONE, things_to_visit

from iotjobs_client import ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet, stubbed_client


def test_things_are_grouped_by_status() -> None:
    """One listing requests the needed statuses and no others."""
    pages = [
        [make_execution("pump-1", "FAILED"), make_execution("pump-2", "FAILED")],
        [make_execution("pump-3", "TIMED_OUT")],
        [],
    ]
    with stubbed_client("firmware-42", pages, status=NOT_DONE) as client:
        found = things_to_visit(client, "firmware-42")
    assert found == {"FAILED": ["pump-1", "pump-2"], "TIMED_OUT": ["pump-3"]}


def test_throttling_is_raised_to_the_caller() -> None:
    """The caller handles throttling that botocore's retries do not overcome."""
    with (
        stubbed_client("firmware-42", [ThrottlingError], status=NOT_DONE) as client,
        pytest.raises(ThrottlingError),
    ):
        things_to_visit(client, "firmware-42")


def test_a_large_job_over_http() -> None:
    """No execution is lost or repeated if a connection breaks."""
    fleet = make_fleet(2_000)
    with (
        LocalEndpoint({"firmware-42": fleet}, faults={1: "disconnect"}) as endpoint,
        endpoint.client() as client,
    ):
        found = things_to_visit(client, "firmware-42")
    assert sum(map(len, found.values())) == sum(e.status in NOT_DONE for e in fleet)
