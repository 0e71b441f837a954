"""Executions that move forward during a listing are not missed, but retries can be."""

from __future__ import annotations

import random
from collections import defaultdict
from threading import Event, Thread
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from support import JOB_ID, served, wait_until
from test_random_sequences import ALL, RandomSequences, options

from iotjobs_client import InvalidArgumentError, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing import make_execution, make_fleet

pytestmark = pytest.mark.one_python

# A retry is not a move, because it creates another execution.
FORWARD = {
    "QUEUED": [status for status in ALL if status not in ("QUEUED", "TIMED_OUT")],
    "IN_PROGRESS": ALL[2:],
}

Identity = tuple[str, "int | None"]


def identity(execution: JobExecutionSummary) -> Identity:
    """Return what distinguishes an execution from others, whatever its status."""
    return execution.thing_arn, execution.execution_number


def statuses_seen(found: list[JobExecutionSummary]) -> dict[Identity, list[JobExecutionStatus]]:
    """Return the statuses in which each execution was yielded, in order."""
    seen = defaultdict(list)
    for execution in found:
        seen[identity(execution)].append(execution.status)
    return seen


def is_forward(statuses: list[JobExecutionStatus]) -> bool:
    """Return whether each status comes later in the lifecycle than the one before."""
    ranks = [ALL.index(status) for status in statuses]
    return ranks == sorted(set(ranks))


class MovingSequences(RandomSequences):
    """Random sequences during which executions change their status."""

    @initialize(
        fleet_statuses=st.lists(st.sampled_from(ALL), max_size=25),
        status=st.none() | st.just(set(ALL)) | st.sets(st.sampled_from(ALL), min_size=1),
        options=options,
    )
    def begin(
        self,
        fleet_statuses: list[JobExecutionStatus],
        status: set[JobExecutionStatus] | None,
        options: dict[str, Any],
    ) -> None:
        fleet = [make_execution(f"thing-{n}", value) for n, value in enumerate(fleet_statuses)]
        self.begin_with(fleet, status, options)
        # The executions that have had a listed status all the time.
        self.staying = {identity(e) for e in fleet if status is None or e.status in status}

    @rule(index=st.integers(0, 24), random=st.randoms(use_true_random=False))
    def move(self, index: int, random: random.Random) -> None:
        """Move an execution forward, or add a retry of it at the end of the listing."""
        fleet = self.service.fleet
        if index >= len(fleet):
            return
        before = fleet[index]
        if before.status in FORWARD:
            after = random.choice(FORWARD[before.status])
            fleet[index] = attrs.evolve(before, status=after)
            if self.status is not None and after not in self.status:
                self.staying.discard(identity(before))
        elif before.status in ("FAILED", "TIMED_OUT"):
            number = max(e.execution_number or 0 for e in fleet) + 1
            fleet.append(attrs.evolve(before, status="QUEUED", execution_number=number))

    def check_what_was_found(self) -> None:
        """Each execution comes again only in a later status, and once without a filter."""
        seen = statuses_seen(self.found).values()
        assert all(map(is_forward, seen))
        if self.status is None:
            assert all(len(statuses) == 1 for statuses in seen)

    def check_that_all_was_found(self) -> None:
        """Each execution that had a listed status all the time was found."""
        assert set(statuses_seen(self.found)) >= self.staying


test_no_moving_execution_is_missed = MovingSequences.TestCase


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("statuses", [None, ALL], ids=["unfiltered", "by status"])
def test_forward_moves_over_http_are_not_missed(
    seed: int, statuses: list[JobExecutionStatus] | None
) -> None:
    """Each execution is found, with its latest state last, while another thread moves them."""
    attempts = 0
    weights = {"QUEUED": 8, "IN_PROGRESS": 3, "SUCCEEDED": 1, "FAILED": 1}
    fleet = make_fleet(300, seed=seed, statuses=weights)
    moves = random.Random(seed)
    done = Event()
    with served(fleet) as (endpoint, client):

        def move() -> None:
            nonlocal attempts
            while not done.wait(0.0005):
                attempts += 1
                thing_name = f"thing-{moves.randrange(300)}"
                try:
                    endpoint.move(JOB_ID, thing_name, moves.choice(ALL[1:]))
                except InvalidArgumentError:
                    continue  # The lifecycle does not allow this move.

        thread = Thread(target=move)
        thread.start()
        try:
            listing = client.list_job_executions_for_job(JOB_ID, status=statuses, page_size=10)
            found: list[JobExecutionSummary] = []
            for page in listing.pages():
                found += page.executions
                before = attempts
                wait_until(lambda: attempts > before + 10)  # noqa: B023
            seen = statuses_seen(found)
        finally:
            done.set()
            thread.join()
        moved = {e.thing_name: e for e in client.list_job_executions_for_job(JOB_ID)}
    assert set(seen) == set(map(identity, fleet))
    assert all(map(is_forward, seen.values()))
    assert any(moved[e.thing_name].status != e.status for e in fleet)
    if statuses is None:
        assert all(len(statuses) == 1 for statuses in seen.values())


def test_a_retry_behind_the_listing_is_missed() -> None:
    """A retry is QUEUED after that status was listed. An unfiltered listing finds it."""
    fleet = [make_execution("pump-7", "QUEUED"), make_execution("pump-8", "FAILED")]
    with served(fleet) as (endpoint, client):
        by_status = client.list_job_executions_for_job(JOB_ID, status=ALL, page_size=1)
        executions = iter(by_status)
        unfiltered = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        found, also_found = [next(executions)], [next(unfiltered)]
        failed = next(executions)  # The listing has left the status QUEUED.
        retry = endpoint.move(JOB_ID, "pump-8", "QUEUED")
        found += [failed, *executions]
        also_found += unfiltered
        assert found == fleet
        assert also_found == [*fleet, retry]
        assert set(by_status) == {*fleet, retry}
