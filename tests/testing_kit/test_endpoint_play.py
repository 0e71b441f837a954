"""``LocalEndpoint(play=...)`` plays a rollout from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from endpoint_requests import ask
from support import JOB_ID

from iotjobs_client import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

PATH = f"/jobs/{JOB_ID}/things"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
RANKS = {status: min(rank, 2) for rank, status in enumerate(JobExecutionStatus)}
# These are played in 10 seconds, so a second stands for a minute.
PUMPS = [
    make_execution("pump-7", "FAILED", last_updated_at=START + timedelta(minutes=4)),
    make_execution(
        "pump-8",
        queued_at=START + timedelta(minutes=3),
        started_at=START + timedelta(minutes=5),
        last_updated_at=START + timedelta(minutes=10),
    ),
]


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the endpoint's clock forward."""
    now = [50.0]

    def advance(seconds: float) -> None:
        now[0] += seconds

    # The endpoint has no public clock, and a real one would make the tests depend on speed.
    monkeypatch.setattr("iotjobs_client.testing._endpoint._now", lambda: now[0])
    return advance


def listed(endpoint: LocalEndpoint, status: str | None = None) -> list[JobExecutionSummary]:
    with endpoint.client() as client:
        return list(client.list_job_executions_for_job(JOB_ID, status=status))


def test_executions_are_queued_start_and_end(advance: Callable[[float], None]) -> None:
    """Each execution passes through its times, and has only those that have passed."""
    with LocalEndpoint({JOB_ID: PUMPS, "empty": []}, play=10) as endpoint:
        seen = []
        for _ in range(11):
            seen.append(listed(endpoint))
            advance(1)
    queued, running = (
        [make_execution(pump.thing_name, status, queued_at=pump.queued_at) for pump in PUMPS]
        for status in ("QUEUED", "IN_PROGRESS")
    )
    running[1] = make_execution(
        "pump-8",
        "IN_PROGRESS",
        queued_at=PUMPS[1].queued_at,
        started_at=PUMPS[1].started_at,
        last_updated_at=PUMPS[1].started_at,
    )
    assert seen == [
        queued[:1],
        *[running[:1]] * 2,
        [running[0], queued[1]],
        [PUMPS[0], queued[1]],
        *[[PUMPS[0], running[1]]] * 5,
        PUMPS,
    ]


def test_the_first_request_starts_the_rollout(advance: Callable[[float], None]) -> None:
    """The time that a test takes to start has no effect, and the end lasts."""
    with LocalEndpoint({JOB_ID: PUMPS}, play=10) as endpoint:
        advance(1000)
        assert [e.status for e in listed(endpoint)] == ["QUEUED"]
        advance(1000)
        assert listed(endpoint) == PUMPS


def test_a_fleet_only_moves_forward(advance: Callable[[float], None]) -> None:
    """At each moment, statuses and times fit together, and the filter finds each status."""
    fleet = make_fleet(600, seed=3)
    with LocalEndpoint({JOB_ID: fleet}, play=20) as endpoint:
        before: dict[str, int] = {}
        for _ in range(20):
            now = listed(endpoint)
            ranks = {e.thing_name: RANKS[e.status] for e in now}
            assert all(ranks[name] >= rank for name, rank in before.items())
            for e in now:
                assert (e.started_at is None) is (e.status == "QUEUED")
                times = [e.queued_at or START, e.started_at or e.queued_at, e.last_updated_at]
                assert times == sorted(times, key=lambda time: time or START)
            for status in ("QUEUED", "IN_PROGRESS", "SUCCEEDED"):
                assert listed(endpoint, status) == [e for e in now if e.status == status]
            before = ranks
            advance(1)
        assert listed(endpoint) == fleet


def test_a_listing_continues_while_the_rollout_does(advance: Callable[[float], None]) -> None:
    """A token stays valid, and leads to executions that were queued after it was given."""
    with LocalEndpoint({JOB_ID: [*PUMPS, make_execution("pump-9")]}, play=10) as endpoint:
        token = ask(endpoint, PATH, maxResults=1)[2]["nextToken"]
        assert ask(endpoint, PATH, maxResults=1, nextToken=token)[2]["nextToken"] is None
        advance(3)
        _, _, page = ask(endpoint, PATH, maxResults=1, nextToken=token)
        assert page["executionSummaries"][0]["thingArn"].endswith("pump-9")


def test_absent_times_are_skipped(advance: Callable[[float], None]) -> None:
    """An execution ends at its last time; one without times has ended."""
    minutes = [START + timedelta(minutes=number) for number in range(3)]
    executions = [
        make_execution("pump-1", "QUEUED", queued_at=None, last_updated_at=None),
        make_execution("pump-2", queued_at=minutes[1], started_at=None, last_updated_at=None),
        make_execution("pump-3", queued_at=None, started_at=minutes[1], last_updated_at=None),
        make_execution("pump-4", queued_at=None, started_at=None, last_updated_at=minutes[2]),
        make_execution("pump-5", "CANCELED", started_at=None, last_updated_at=minutes[2]),
    ]
    with LocalEndpoint({JOB_ID: executions}, play=2) as endpoint:
        seen = []
        for _ in range(3):
            seen.append({e.thing_name[-1]: str(e.status) for e in listed(endpoint)})
            advance(1)
    first = {"1": "QUEUED", "5": "QUEUED"}
    second = {**first, "2": "SUCCEEDED", "3": "SUCCEEDED"}
    assert seen == [first, second, {**second, "4": "SUCCEEDED", "5": "CANCELED"}]
    with LocalEndpoint({JOB_ID: executions[:1]}, play=2) as endpoint:
        assert listed(endpoint) == executions[:1]
    started = [make_execution(started_at=at, last_updated_at=None) for at in minutes[1:]]
    with LocalEndpoint({JOB_ID: started}, play=2) as endpoint:
        assert [e.status for e in listed(endpoint)] == ["QUEUED", "QUEUED"]
        advance(1)
        assert [e.status for e in listed(endpoint)] == ["SUCCEEDED", "QUEUED"]


def test_a_move_changes_the_end(advance: Callable[[float], None]) -> None:
    """A retry is played with the other executions, or is queued at the end."""
    for executions, statuses in ((PUMPS, "FAILED IN_PROGRESS QUEUED"), (PUMPS[:1], "IN_PROGRESS")):
        with LocalEndpoint({JOB_ID: executions}, play=10) as endpoint:
            retry = endpoint.move(JOB_ID, "pump-7", "QUEUED")
            assert [e.status for e in listed(endpoint)] == ["QUEUED"]
            advance(5)
            assert [e.status for e in listed(endpoint)] == statuses.split()
            advance(5)
            assert listed(endpoint) == [*executions, retry]
