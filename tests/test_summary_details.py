"""Details of a summary: the order of statuses, the moments of the curve, equal times."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

import pytest

from iotjobs_client import JobExecutionStatus
from iotjobs_client.rollout import latest_per_thing, summarize
from iotjobs_client.testing import make_execution

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize("seed", range(3))
def test_statuses_come_in_the_order_of_an_execution(seed: int) -> None:
    """Known statuses come in the order of an execution's life, then unknown ones by name."""
    words = [*JobExecutionStatus.__members__, "ARCHIVED", "PAUSED", "WAITING"]
    shuffled = Random(seed).sample(words, len(words))
    summary = summarize(
        make_execution(f"thing-{word}", JobExecutionStatus(word)) for word in shuffled
    )
    assert list(summary.executions) == words
    assert list(summary.things) == words
    assert list(summary.curve[-1].ended) == list(JobExecutionStatus)[2:]


def test_the_curve_has_241_evenly_spaced_moments() -> None:
    """The moments go from the first queued_at to the last update, and count up to each."""
    members: list[tuple[str, float, float | None, float | None]] = [
        ("SUCCEEDED", 0, 60, 120),
        ("FAILED", 30, 90, 240),
        ("QUEUED", 200, None, None),
    ]
    executions = [
        make_execution(
            f"thing-{status}",
            status,
            queued_at=after(queued),
            started_at=None if started is None else after(started),
            last_updated_at=None if updated is None else after(updated),
        )
        for status, queued, started, updated in members
    ]
    curve = summarize(executions).curve
    assert [point.at for point in curve] == [after(n) for n in range(241)]
    assert [point.queued for point in curve] == [1 + (n >= 30) + (n >= 200) for n in range(241)]
    assert [point.started for point in curve] == [(n >= 60) + (n >= 90) for n in range(241)]
    assert [point.ended for point in curve] == [
        {"SUCCEEDED": int(n >= 120), "FAILED": int(n >= 240)} for n in range(241)
    ]


@pytest.mark.parametrize(
    ("started", "updated", "last"), [(None, None, 5), (9, None, 9), (9, 7, 9), (None, 8, 8)]
)
def test_the_curve_ends_with_the_last_time(
    started: float | None, updated: float | None, last: float
) -> None:
    """The last moment is the latest of all times, whichever kind it is."""
    executions = [
        make_execution("a", "QUEUED", queued_at=START, started_at=None, last_updated_at=None),
        make_execution(
            "b",
            "IN_PROGRESS",
            queued_at=after(5),
            started_at=None if started is None else after(started),
            last_updated_at=None if updated is None else after(updated),
        ),
    ]
    curve = summarize(executions).curve
    assert (curve[0].at, curve[-1].at) == (START, after(last))
    assert curve[-1].started == (started is not None)


def test_of_two_executions_queued_at_once_the_later_counts() -> None:
    """If neither number nor time decides, the one that is listed later is the last."""
    first = make_execution("a", "FAILED", execution_number=None, queued_at=START)
    second = make_execution("a", "SUCCEEDED", execution_number=7, queued_at=START)
    assert list(latest_per_thing([first, second]).values()) == [second]
    assert list(latest_per_thing([second, first]).values()) == [first]


def test_ten_failures_are_the_default() -> None:
    """``failed_last`` has the ten latest failures, the latest first."""
    failed = [make_execution(f"thing-{n}", "FAILED", last_updated_at=after(n)) for n in range(12)]
    assert summarize(failed).failed_last == tuple(failed[:1:-1])
