"""The summary of a rollout: the latest execution of a thing, counts, durations, the curve."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PAUSED, OtherInt, SmallInt

from iotjobs_client import InvalidArgumentError, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.rollout import Durations, latest_per_thing, summarize
from iotjobs_client.testing import make_execution, make_fleet

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def after(seconds: float) -> datetime:
    """Return the time so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def attempt(
    status: str, number: int | None, queued: float | None, thing: str = "pump-7"
) -> JobExecutionSummary:
    """Make an execution with this number, queued so many seconds after the start."""
    queued_at = None if queued is None else after(queued)
    return make_execution(thing, status, execution_number=number, queued_at=queued_at)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(attempt("FAILED", 1, 9), attempt("SUCCEEDED", 2, 0), id="the higher number"),
        pytest.param(attempt("FAILED", None, 0), attempt("SUCCEEDED", 1, 9), id="one without"),
        pytest.param(attempt("FAILED", None, 0), attempt("SUCCEEDED", None, 9), id="both without"),
    ],
)
def test_the_latest_execution_is_found_in_any_order(
    earlier: JobExecutionSummary, later: JobExecutionSummary
) -> None:
    """The higher number is later, or the later time of queueing if a number is missing."""
    assert list(latest_per_thing([earlier, later]).values()) == [later]
    assert list(latest_per_thing([later, earlier]).values()) == [later]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(attempt("QUEUED", 1, 0), attempt("FAILED", 1, 0), id="the same execution"),
        pytest.param(attempt("FAILED", None, None), attempt("QUEUED", 1, None), id="unknown order"),
        pytest.param(attempt("QUEUED", None, None), attempt("FAILED", None, None), id="unknown"),
        pytest.param(attempt("FAILED", None, 0), attempt("SUCCEEDED", 7, 0), id="queued at once"),
        pytest.param(attempt("SUCCEEDED", 7, 0), attempt("FAILED", None, 0), id="at once, too"),
    ],
)
def test_without_number_and_time_the_last_listed_is_the_latest(
    first: JobExecutionSummary, second: JobExecutionSummary
) -> None:
    """A listing yields the later state of an execution last."""
    assert list(latest_per_thing(iter([first, second])).values()) == [second]


def test_things_keep_the_order_of_their_first_execution() -> None:
    """The result has the things' ARNs in the order of the listing."""
    fleet = make_fleet(5)
    found = latest_per_thing([*fleet, attempt("QUEUED", 2, 0, "thing-0")])
    assert list(found) == [execution.thing_arn for execution in fleet]


def test_each_execution_and_each_thing_counts_once() -> None:
    """An execution counts in its latest state, and a thing by its latest execution."""
    summary = summarize(
        [
            attempt("IN_PROGRESS", 1, 0, "a"),
            attempt("FAILED", 1, 0, "a"),
            attempt("SUCCEEDED", 2, 9, "a"),
            attempt("FAILED", 1, 0, "a"),
            attempt("TIMED_OUT", 1, 0, "b"),
            attempt("CANCELED", 1, 0, "c"),
            attempt("QUEUED", 1, 0, "d"),
        ]
    )
    assert list(summary.executions.items()) == [
        ("QUEUED", 1),
        ("SUCCEEDED", 1),
        ("FAILED", 1),
        ("TIMED_OUT", 1),
        ("CANCELED", 1),
    ]
    assert summary.things == {"QUEUED": 1, "SUCCEEDED": 1, "TIMED_OUT": 1, "CANCELED": 1}
    assert (summary.execution_count, summary.thing_count) == (5, 4)
    assert (summary.things_succeeded, summary.things_failed) == (1, 1)
    assert (summary.things_withdrawn, summary.things_unfinished) == (1, 1)


@pytest.mark.parametrize(
    ("attempts", "count"),
    [
        # An execution without a number may be the same as the numbered one.
        ([("QUEUED", None, None), ("FAILED", 1, None), ("IN_PROGRESS", None, None)], 2),
        ([("IN_PROGRESS", 1, 0), ("QUEUED", None, 5), ("FAILED", 1, None)], 2),
        ([("QUEUED", 1, 0), ("QUEUED", 2, 1), ("FAILED", 1, 0)], 2),
    ],
)
def test_an_execution_that_is_listed_again_counts_once(
    attempts: list[tuple[str, int | None, float | None]], count: int
) -> None:
    """It counts in its later state, even if another execution of its thing is in between."""
    summary = summarize(attempt(*each) for each in attempts)
    assert (summary.execution_count, summary.thing_count) == (count, 1)
    assert summary.executions[JobExecutionStatus(attempts[-1][0])] == 1


@pytest.mark.parametrize("number", [1, 3], ids=["earlier", "last"])
def test_the_newest_state_of_an_execution_counts_in_any_order(number: int) -> None:
    """Rows of two days may be read in any order."""
    states = [
        make_execution("a", status, execution_number=number, last_updated_at=updated_at)
        for status, updated_at in (("IN_PROGRESS", START), ("FAILED", START + timedelta(days=1)))
    ]
    other = make_execution("a", "SUCCEEDED", execution_number=2)
    for executions in permutations([*states, other]):
        assert summarize(executions).executions == {"SUCCEEDED": 1, "FAILED": 1}
        (last,) = latest_per_thing(executions).values()
        assert last.status == ("FAILED" if number > 2 else "SUCCEEDED")


def test_the_newest_state_counts_if_times_or_numbers_are_missing() -> None:
    """An execution without a number is another one than one with a number."""
    numbered = make_execution("a", "SUCCEEDED", execution_number=1, queued_at=None)
    states = [
        make_execution("a", status, execution_number=None, last_updated_at=updated_at)
        for status, updated_at in (("IN_PROGRESS", START), ("FAILED", START + timedelta(days=1)))
    ]
    for executions in permutations([*states, numbered]):
        assert summarize(executions).executions == {"SUCCEEDED": 1, "FAILED": 1}


def test_only_the_latest_executions_stay_in_memory() -> None:
    """Memory does not grow with the number of executions of a thing."""
    alive: weakref.WeakSet[JobExecutionSummary] = weakref.WeakSet()

    def listed() -> Iterator[JobExecutionSummary]:
        for number in range(50):
            assert len(alive) <= 2
            execution = attempt("FAILED", number, 0)
            alive.add(execution)
            yield execution
            del execution

    (last,) = latest_per_thing(listed()).values()
    assert last.execution_number == 49


def test_the_latest_possible_time_is_accepted() -> None:
    """A time that cannot be rounded up does not raise."""
    summary = summarize([make_execution(last_updated_at=datetime.max.replace(tzinfo=timezone.utc))])
    assert summary.curve[-1].at.year == 9999


def of_job(job_id: str | None, status: str, **times: Any) -> JobExecutionSummary:
    """Make an execution of a job on the same thing, with no other times than these."""
    none = dict.fromkeys(("queued_at", "started_at", "last_updated_at"))
    return make_execution("pump-7", status, job_id=job_id, **{**none, **times})


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"queued_at": START}, {"queued_at": after(1)}),
        ({"queued_at": START, "started_at": after(9)}, {"queued_at": after(1)}),
        ({"queued_at": START}, {"started_at": after(1)}),
        ({"started_at": START}, {"last_updated_at": after(1)}),
        ({}, {"queued_at": START}),
    ],
    ids=["queued", "queued first", "started", "updated", "no time"],
)
def test_the_last_execution_of_several_jobs_was_queued_last(
    earlier: dict[str, Any], later: dict[str, Any]
) -> None:
    """A repair job's execution is later than the failure, in any order, whatever its number."""
    failed = of_job("rollout", "FAILED", execution_number=2, **earlier)
    repaired = of_job("repair", "SUCCEEDED", execution_number=1, **later)
    for executions in ([failed, repaired], [repaired, failed]):
        assert list(latest_per_thing(executions).values()) == [repaired]
        summary = summarize(executions)
        assert summary.things == {"SUCCEEDED": 1}
        assert summary.executions == {"SUCCEEDED": 1, "FAILED": 1}


def test_of_two_jobs_at_the_same_time_the_later_one_in_the_input_counts() -> None:
    """The order of the input decides if the times are equal."""
    first, second = of_job("a", "FAILED"), of_job("b", "SUCCEEDED")
    assert list(latest_per_thing([first, second]).values()) == [second]
    assert list(latest_per_thing([second, first]).values()) == [first]


def test_equal_executions_of_several_jobs_are_not_merged() -> None:
    """Three jobs on the same things have three executions of each thing."""
    fleet = make_fleet(100)
    jobs = [attrs.evolve(e, job_id=job_id) for job_id in ("a", "b", "c") for e in fleet]
    summary = summarize(jobs)
    assert summary.execution_count == 300
    assert summary.thing_count == 100
    assert summary.things == summarize(fleet).things
    assert list(latest_per_thing(jobs).values()) == fleet


def test_an_unknown_status_is_counted() -> None:
    """An unknown status counts as unfinished, after the known ones."""
    summary = summarize([make_execution("a", PAUSED), make_execution("b", "CANCELED")])
    assert list(summary.executions) == ["CANCELED", "PAUSED"]
    assert summary.things_unfinished == 1
    assert summary.running.count == 1


@given(
    st.lists(st.sampled_from([*JobExecutionStatus, PAUSED]), max_size=20),
    st.randoms(),
)
@settings(max_examples=50)
def test_the_order_of_a_listing_does_not_matter(
    statuses: list[str], shuffler: random.Random
) -> None:
    """The summary is the same in any order, and if all is listed again.

    Each thing is in one of the four groups.
    """
    executions = [
        make_execution(
            f"thing-{number % 3}",
            status,
            execution_number=1 + number // 3,
            last_updated_at=after(number),
        )
        for number, status in enumerate(statuses)
    ]
    summary = summarize(executions)
    shuffled = shuffler.sample(executions, len(executions))
    assert summarize(shuffled) == summarize(shuffled * 2) == summary
    assert summary.executions == Counter(statuses)
    assert (
        summary.thing_count
        == min(len(executions), 3)
        == (
            summary.things_succeeded
            + summary.things_failed
            + summary.things_withdrawn
            + summary.things_unfinished
        )
    )


@pytest.mark.parametrize(
    ("seconds", "median", "p90", "maximum"),
    [
        pytest.param([7], 7, 7, 7, id="one"),
        pytest.param([4, 2], 2, 4, 4, id="two"),
        pytest.param(range(10, 0, -1), 5, 9, 10, id="ten"),
        pytest.param(range(11), 5, 9, 10, id="eleven"),
        pytest.param(range(1, 101), 50, 90, 100, id="a hundred"),
    ],
)
def test_percentiles_are_by_nearest_rank(
    seconds: range, median: int, p90: int, maximum: int
) -> None:
    """A percentile is the shortest measured duration that so many percent do not exceed."""
    summary = summarize(
        make_execution(
            f"thing-{each}",
            queued_at=START,
            started_at=after(each),
            last_updated_at=after(3 * each),
        )
        for each in seconds
    )
    expected = (timedelta(seconds=each) for each in (median, p90, maximum))
    assert summary.waiting == Durations(len(seconds), *expected)
    assert summary.running.median == timedelta(seconds=2 * median)


def test_durations_need_both_times_and_a_final_status() -> None:
    """Unfinished executions and absent times do not count, and no duration is negative."""
    summary = summarize(
        [
            make_execution("a", "IN_PROGRESS"),
            make_execution("b", "SUCCEEDED", queued_at=None),
            make_execution("c", "SUCCEEDED", started_at=None),
            make_execution("d", "SUCCEEDED", last_updated_at=None),
        ]
    )
    assert (summary.waiting.count, summary.running.count) == (2, 1)
    assert summarize([]).waiting == Durations(0, None, None, None)
    early = make_execution(started_at=after(-1))  # The clocks of things and of the service differ.
    assert summarize([early]).waiting.maximum == timedelta(0)


def test_failed_things_are_listed_latest_first() -> None:
    """Things whose latest execution failed are listed, up to the given number or ten."""
    failures = [
        make_execution(f"thing-{n}", status, last_updated_at=after(n))
        for n, status in enumerate(["FAILED", "TIMED_OUT", "REJECTED"])
    ]
    others = [make_execution("x", "CANCELED"), make_execution("y", "FAILED", last_updated_at=None)]
    retried = [attempt("FAILED", 1, 0), attempt("SUCCEEDED", 2, 0)]
    summary = summarize([*failures, *others, *retried])
    assert summary.failed_last == (*reversed(failures), others[1])
    assert summarize(failures, failures=2).failed_last == (failures[2], failures[1])
    assert summarize(failures, failures=0).failed_last == ()
    many = [make_execution(f"thing-{n}", "FAILED", last_updated_at=after(n)) for n in range(12)]
    assert summarize(many).failed_last == tuple(many[:1:-1])


@pytest.mark.parametrize("failures", [SmallInt.ONE, OtherInt(1)], ids=["IntEnum", "__index__"])
def test_failures_may_be_any_integer(failures: Any) -> None:
    """An ``IntEnum`` member and an object with ``__index__`` limit the failures as an int does."""
    fleet = [make_execution(name, "FAILED") for name in ("a", "b")]
    assert len(summarize(fleet, failures=failures).failed_last) == 1


@pytest.mark.parametrize("failures", [-1, True, 1.5, "1", None])
def test_an_invalid_number_of_failures_is_refused(failures: Any) -> None:
    """The error states the rule."""
    with pytest.raises(InvalidArgumentError, match="failures must be an int of at least 0"):
        summarize([], failures=failures)


def test_the_curve_ends_with_all_executions() -> None:
    """Each number grows from the first queued execution to the last update."""
    fleet = make_fleet(2000)
    summary = summarize(fleet)
    first, *_, last = summary.curve
    assert "curve" not in repr(summary)  # It would be long.
    assert first.at == fleet[0].queued_at
    assert last.at == max(execution.last_updated_at or START for execution in fleet)
    assert (first.queued, first.started, sum(first.ended.values())) == (1, 0, 0)
    assert last.queued == 2000
    assert last.started == summary.waiting.count
    assert last.ended == {s: n for s, n in summary.executions.items() if s.is_terminal}
    for one, following in zip(summary.curve, summary.curve[1:], strict=False):
        assert one.at < following.at
        assert one.queued <= following.queued
        assert one.started <= following.started
        assert all(one.ended[status] <= following.ended[status] for status in one.ended)
    halfway = summary.curve[120]
    assert halfway.at == first.at + (last.at - first.at) / 2
    assert halfway.ended[JobExecutionStatus.FAILED] == sum(
        execution.status == "FAILED" and (execution.last_updated_at or START) <= halfway.at
        for execution in fleet
    )


def test_the_curve_of_one_moment_is_one_point() -> None:
    """A curve has one point if all times are equal, and none without times of queueing."""
    bare = make_execution("a", "QUEUED", started_at=None, last_updated_at=None)
    for execution in (make_execution("a", "QUEUED"), bare):
        (point,) = summarize([execution]).curve
        assert (point.at, point.queued, point.started, point.ended) == (START, 1, 0, {})
    assert summarize([make_execution("a", queued_at=None)]).curve == ()


@pytest.mark.parametrize("seed", range(3))
def test_statuses_come_in_the_order_of_an_execution(seed: int) -> None:
    """Known statuses come in the order of an execution's life, then unknown ones by name."""
    words = [*JobExecutionStatus.__members__, "ARCHIVED", "PAUSED", "WAITING"]
    shuffled = random.Random(seed).sample(words, len(words))
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
