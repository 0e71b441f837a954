"""Executions that move while they are listed: what is never missed, and what can be."""

from __future__ import annotations

import random
from collections import defaultdict
from threading import Event, Thread
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from support import JOB_ID, owning_client, wait_until
from test_random_sequences import ALL, RandomSequences, options

from iotjobs_client import InvalidArgumentError, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

pytestmark = pytest.mark.one_python

# Retries left out, which make another execution.
FORWARD = {
    "QUEUED": [status for status in ALL if status not in ("QUEUED", "TIMED_OUT")],
    "IN_PROGRESS": ALL[2:],
}

Identity = tuple[str, "int | None"]


def identity(execution: JobExecutionSummary) -> Identity:
    return execution.thing_arn, execution.execution_number


def statuses_seen(
    found: list[JobExecutionSummary],
) -> dict[Identity, list[JobExecutionStatus]]:
    seen = defaultdict(list)
    for execution in found:
        seen[identity(execution)].append(execution.status)
    return seen


def is_forward(statuses: list[JobExecutionStatus]) -> bool:
    """Whether each comes once, and later than the one before."""
    ranks = [ALL.index(status) for status in statuses]
    return ranks == sorted(set(ranks))


class MovingSequences(RandomSequences):
    """The same random sequences, while executions change their status."""

    @initialize(
        lives=st.lists(st.sampled_from(ALL), max_size=25),
        status=st.none() | st.just(set(ALL)) | st.sets(st.sampled_from(ALL), min_size=1),
        options=options,
    )
    def begin(
        self,
        lives: list[JobExecutionStatus],
        status: set[JobExecutionStatus] | None,
        options: dict[str, Any],
    ) -> None:
        fleet = [make_execution(f"thing-{n}", word) for n, word in enumerate(lives)]
        self.begin_with(fleet, status, options)
        # Those that have one of the listed statuses all the time.
        self.staying = {identity(e) for e in fleet if status is None or e.status in status}

    @rule(index=st.integers(0, 24), random=st.randoms(use_true_random=False))
    def move(self, index: int, random: random.Random) -> None:
        """One step forward, or a retry: another execution, behind all others."""
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
        """Twice only in a later status, and once where no statuses were asked for."""
        seen = statuses_seen(self.found).values()
        assert all(map(is_forward, seen))
        if self.status is None:
            assert all(len(statuses) == 1 for statuses in seen)

    def check_that_all_was_found(self) -> None:
        """Whatever had a listed status all the time."""
        assert set(statuses_seen(self.found)) >= self.staying


test_no_moving_execution_is_missed = MovingSequences.TestCase


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("statuses", [None, ALL], ids=["unfiltered", "by status"])
def test_forward_moves_meanwhile_are_never_missed(
    seed: int, statuses: list[JobExecutionStatus] | None
) -> None:
    """Over real HTTP, while another thread moves them: each is there, its last state last."""
    attempts = 0
    weights = {"QUEUED": 8, "IN_PROGRESS": 3, "SUCCEEDED": 1, "FAILED": 1}
    fleet = make_fleet(300, seed=seed, statuses=weights)
    moves = random.Random(seed)
    done = Event()
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, owning_client(endpoint.url) as client:

        def move() -> None:
            nonlocal attempts
            while not done.wait(0.0005):
                attempts += 1
                thing_name = f"thing-{moves.randrange(300)}"
                try:
                    endpoint.move(JOB_ID, thing_name, moves.choice(ALL[1:]))
                except InvalidArgumentError:
                    continue  # it cannot go there from where it is

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


def test_what_moves_forward_between_statuses_is_seen_twice() -> None:
    """As QUEUED and, once that is listed to its end, as what it has become."""
    fleet = [make_execution("pump-7", "QUEUED"), make_execution("pump-8", "QUEUED")]
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, owning_client(endpoint.url) as client:
        executions = iter(client.list_job_executions_for_job(JOB_ID, status=ALL, page_size=1))
        found = [next(executions)]
        endpoint.move(JOB_ID, "pump-7", "IN_PROGRESS")
        endpoint.move(JOB_ID, "pump-8", "SUCCEEDED")
        found += executions
    assert [(e.thing_name, e.status) for e in found] == [
        ("pump-7", "QUEUED"),
        ("pump-7", "IN_PROGRESS"),
        ("pump-8", "SUCCEEDED"),
    ]


def test_a_retry_behind_the_listing_is_missed() -> None:
    """It is QUEUED after those were listed; a later or unfiltered listing has it."""
    fleet = [make_execution("pump-7", "QUEUED"), make_execution("pump-8", "FAILED")]
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, owning_client(endpoint.url) as client:
        by_status = client.list_job_executions_for_job(JOB_ID, status=ALL, page_size=1)
        executions = iter(by_status)
        unfiltered = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        found, also_found = [next(executions)], [next(unfiltered)]
        executions_of_failed = next(executions)  # QUEUED is listed to its end
        retry = endpoint.move(JOB_ID, "pump-8", "QUEUED")
        found += [executions_of_failed, *executions]
        also_found += unfiltered
        assert found == fleet
        assert also_found == [*fleet, retry]
        assert set(by_status) == {*fleet, retry}


def test_what_leaves_the_listed_statuses_is_not_looked_for() -> None:
    """One that has succeeded before its page comes is no failure and none that is queued."""
    fleet = [make_execution(f"pump-{n}", "QUEUED") for n in range(3)]
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, owning_client(endpoint.url) as client:
        listing = client.list_job_executions_for_job(
            JOB_ID, status=["QUEUED", "FAILED"], page_size=1
        )
        executions = iter(listing)
        found = [next(executions)]
        endpoint.move(JOB_ID, "pump-1", "SUCCEEDED")
        failed = endpoint.move(JOB_ID, "pump-2", "FAILED")
        found += executions
    assert found == [fleet[0], failed]
