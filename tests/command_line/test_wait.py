"""``iotjobs wait``: its requests, its exit codes, and its retries."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from commands import FLEET, Clock, interrupt, requested_statuses, run
from support import JOB_ID, PAUSED

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionPaginator,
    JobExecutionSummary,
    ServiceUnavailableError,
    ThrottlingError,
)
from iotjobs_client.testing import make_execution, make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint

UNSUCCESSFUL = ["FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED"]


def test_it_waits_until_all_things_succeeded(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check makes one request while something is QUEUED, and two while it is IN_PROGRESS."""
    fleet = [make_execution("a", "QUEUED"), make_execution("b", "SUCCEEDED")]
    endpoint = local_endpoint({JOB_ID: fleet})
    clock = Clock(
        monkeypatch,
        lambda: endpoint.move(JOB_ID, "a", "IN_PROGRESS"),
        lambda: endpoint.move(JOB_ID, "a", "SUCCEEDED"),
    )
    outcome = run("wait", JOB_ID)
    assert (outcome.code, outcome.out) == (0, f"job '{JOB_ID}' is done: all things succeeded\n")
    assert clock.now == 20
    assert requested_statuses(endpoint) == [
        *["QUEUED"],
        *["QUEUED", "IN_PROGRESS"],
        *["QUEUED", "IN_PROGRESS", "SUCCEEDED", "QUEUED", *UNSUCCESSFUL],
    ]


def test_one_page_is_enough_while_something_is_queued(local_endpoint: StartLocalEndpoint) -> None:
    """A check of a large job does not list it."""
    endpoint = local_endpoint({JOB_ID: make_fleet(1000, statuses=["QUEUED"])})
    assert run("wait", JOB_ID, "--timeout=0").code == 4
    assert len(endpoint.requests) == 1


def test_an_empty_page_is_not_the_end(local_endpoint: StartLocalEndpoint) -> None:
    """An execution that is QUEUED may be on a later page."""
    endpoint = local_endpoint({JOB_ID: FLEET}, faults={1: "empty"})
    assert run("wait", JOB_ID, "--timeout=0").code == 4
    assert requested_statuses(endpoint) == ["QUEUED", "QUEUED"]


def test_things_that_did_not_succeed_are_counted(local_endpoint: StartLocalEndpoint) -> None:
    """The exit code is 3, and the message has the number of things by status."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    endpoint.move(JOB_ID, "thing-19", "REJECTED")
    outcome = run("wait", JOB_ID)
    assert outcome.code == 3
    counts = "2 FAILED, 2 TIMED_OUT, 1 REJECTED, 1 CANCELED"
    assert outcome.lines[0] == f"job '{JOB_ID}' is done: not all things succeeded ({counts})"


@pytest.mark.parametrize(
    ("fleet", "code", "text"),
    [
        ([("a", "FAILED", 1), ("a", "SUCCEEDED", 2), ("b", "SUCCEEDED", 1)], 0, "all things"),
        ([("a", "REMOVED", 1), ("a", "SUCCEEDED", 2)], 0, "all things succeeded"),
        ([("a", "SUCCEEDED", 1), ("a", "TIMED_OUT", 2)], 3, "(1 TIMED_OUT)"),
        ([("a", "FAILED", 1), ("a", "TIMED_OUT", 2)], 3, "(1 TIMED_OUT)"),
        ([("a", "FAILED", 1), ("b", "SUCCEEDED", 1)], 3, "(1 FAILED)"),
    ],
    ids=["retried", "added again", "failed again", "failed twice", "one failed"],
)
def test_the_last_execution_of_a_thing_counts(
    fleet: list[tuple[str, str, int]], code: int, text: str, local_endpoint: StartLocalEndpoint
) -> None:
    """A thing that failed and then succeeded in a retry has succeeded."""
    executions = [
        make_execution(name, status, execution_number=number) for name, status, number in fleet
    ]
    local_endpoint({JOB_ID: executions})
    outcome = run("wait", JOB_ID)
    assert outcome.code == code
    assert text in outcome.out


def test_a_retry_that_is_queued_between_requests_counts(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QUEUED is requested once more after IN_PROGRESS has no executions."""
    endpoint = local_endpoint({JOB_ID: [make_execution("a", "IN_PROGRESS")]})
    list_executions = IoTJobsClient.list_job_executions_for_job

    def list_after_retry(*arguments: Any, **options: Any) -> JobExecutionPaginator:
        if options.get("status") == "IN_PROGRESS":
            endpoint.move(JOB_ID, "a", "FAILED")
            endpoint.move(JOB_ID, "a", "QUEUED")
        return list_executions(*arguments, **options)

    monkeypatch.setattr(IoTJobsClient, "list_job_executions_for_job", list_after_retry)
    assert run("wait", JOB_ID, "--timeout=0").code == 4
    expected = ["QUEUED", "IN_PROGRESS", "SUCCEEDED", None, "QUEUED"]
    assert requested_statuses(endpoint) == expected


@pytest.mark.parametrize(
    "fleet",
    [[], [make_execution("a", PAUSED)]],
    ids=["no executions", "unknown status"],
)
def test_a_job_that_only_looks_done_is_waited_for(
    fleet: list[JobExecutionSummary],
    local_endpoint: StartLocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job without executions may be new, and an unknown status may be unfinished."""
    clock = Clock(monkeypatch)
    endpoint = local_endpoint({JOB_ID: fleet})
    outcome = run("wait", JOB_ID, "--timeout=25")
    assert (outcome.code, clock.now) == (4, 25)
    if not fleet:
        assert requested_statuses(endpoint) == ["QUEUED", "IN_PROGRESS", "SUCCEEDED", None] * 4


@pytest.mark.parametrize(
    ("interval", "timeout", "seconds", "checks"),
    [("4", "10.5", 10.5, 4), ("20s", "1m", 60, 4), ("30m", "1h", 3600, 3), ("12h", "1d", 86400, 3)],
)
def test_the_timeout_cuts_the_last_pause(
    *,
    interval: str,
    timeout: str,
    seconds: float,
    checks: int,
    local_endpoint: StartLocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command checks once more at the timeout, and exits with 4."""
    clock = Clock(monkeypatch)
    endpoint = local_endpoint({JOB_ID: FLEET})
    outcome = run("wait", JOB_ID, f"--interval={interval}", f"--timeout={timeout}")
    assert (outcome.code, outcome.out) == (4, "")
    text = f"iotjobs: not done after {seconds:g} s: {JOB_ID}: 1 QUEUED"
    assert outcome.err.splitlines()[-2:] == [text, "  thing-19  QUEUED"]
    assert clock.now == seconds
    assert requested_statuses(endpoint) == ["QUEUED"] * checks


def test_the_timeout_ends_retries(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors until the timeout end the command with 4; no request follows it."""
    Clock(monkeypatch)
    faults = dict.fromkeys(range(1, 9), ServiceUnavailableError)
    endpoint = local_endpoint({JOB_ID: FLEET}, faults=faults)
    outcome = run("wait", JOB_ID, "--timeout=20")
    assert (outcome.code, len(endpoint.requests)) == (4, 3)
    assert outcome.err.splitlines()[-1] == "iotjobs: not done after 20 s: no response"


def test_ctrl_c_ends_a_pause(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 130, and one line says so."""
    Clock(monkeypatch, interrupt)
    local_endpoint({JOB_ID: FLEET})
    outcome = run("wait", JOB_ID)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.splitlines() == [f"{JOB_ID}: 1 QUEUED", "iotjobs: interrupted"]


@pytest.mark.parametrize("job_id", [JOB_ID, "QUEUED-IN_PROGRESS"])
def test_a_log_has_a_line_for_each_phase(
    job_id: str, local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new count is no news without a terminal; the end of the job is on standard output."""
    endpoint = local_endpoint({job_id: make_fleet(3, statuses=["QUEUED"])})
    moves = [
        ("thing-0", "SUCCEEDED"),
        ("thing-1", "IN_PROGRESS"),
        ("thing-2", "IN_PROGRESS"),
        ("thing-1", "SUCCEEDED"),
        ("thing-2", "SUCCEEDED"),
    ]
    Clock(monkeypatch, *(partial(endpoint.move, job_id, *move) for move in moves))
    outcome = run("wait", job_id)
    assert outcome.err.splitlines() == [f"{job_id}: 3 QUEUED", f"{job_id}: 2 IN_PROGRESS"]
    assert outcome.out == f"job '{job_id}' is done: all things succeeded\n"


@pytest.mark.parametrize(
    ("interval", "line_count"), [("10s", 4), ("150s", 4), ("299s", 3), ("10m", 3)]
)
def test_a_log_has_a_line_every_five_minutes(
    interval: str,
    line_count: int,
    local_endpoint: StartLocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first check after five minutes without a line prints one."""
    Clock(monkeypatch)
    local_endpoint({JOB_ID: FLEET})
    outcome = run("wait", JOB_ID, f"--interval={interval}", "--timeout=1199")
    *lines, last, _ = outcome.err.splitlines()
    assert lines == [f"{JOB_ID}: 1 QUEUED"] * line_count
    assert last.startswith("iotjobs: not done after 1199 s: ")


@pytest.mark.parametrize("status", ["FAILED", "QUEUED"])
def test_the_first_ten_things_are_named(status: str, local_endpoint: StartLocalEndpoint) -> None:
    """After the end of the job these failed, and after the timeout these are unfinished."""
    local_endpoint({JOB_ID: make_fleet(11, statuses=[status])})
    outcome = run("wait", JOB_ID, "--timeout=0")
    text = {"FAILED": outcome.out, "QUEUED": outcome.err}[status]
    assert f"11 {status}" in text
    things = [line for line in text.splitlines() if line.startswith("  ")]
    assert things == [f"  thing-{number}  {status}" for number in range(10)]


def test_things_after_the_timeout_are_from_the_last_check(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the last check that had responses."""
    Clock(monkeypatch)
    endpoint = local_endpoint({JOB_ID: FLEET}, faults={2: ThrottlingError})
    outcome = run("wait", JOB_ID, "--timeout=10")
    assert (outcome.code, len(endpoint.requests)) == (4, 2)
    assert outcome.err.splitlines()[-1] == "  thing-19  QUEUED"


@pytest.mark.parametrize(
    ("fleet", "text"),
    [
        ([("a", "QUEUED", 1), ("b", "FAILED", 1)], "failing (1 FAILED)"),
        ([("a", "QUEUED", 1), ("b", "TIMED_OUT", 1)], "failing (1 TIMED_OUT)"),
        ([("a", "QUEUED", 1), ("b", "REJECTED", 1)], "failing (1 REJECTED)"),
        ([("a", "SUCCEEDED", 2), ("a", "FAILED", 1)], "failing (1 FAILED)"),
        ([("a", "REMOVED", 1)], "done: not all things succeeded (1 REMOVED)"),
    ],
    ids=["failed", "timed out", "rejected", "retried", "removed"],
)
def test_fail_fast_ends_at_the_first_failure(
    fleet: list[tuple[str, str, int]], text: str, local_endpoint: StartLocalEndpoint
) -> None:
    """The exit code is 3, although something is unfinished or a retry succeeded."""
    executions = [
        make_execution(name, status, execution_number=number) for name, status, number in fleet
    ]
    local_endpoint({JOB_ID: executions})
    outcome = run("wait", JOB_ID, "--fail-fast")
    assert (outcome.code, outcome.lines[0]) == (3, f"job '{JOB_ID}' is {text}")
    assert outcome.err == ""


def test_fail_fast_waits_while_nothing_failed(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It adds three requests to each check, at most."""
    endpoint = local_endpoint({JOB_ID: [make_execution("a", "QUEUED")]})
    clock = Clock(monkeypatch, lambda: endpoint.move(JOB_ID, "a", "REJECTED"))
    outcome = run("wait", JOB_ID, "--fail-fast")
    assert (outcome.code, clock.now) == (3, 10)
    assert outcome.lines == [f"job '{JOB_ID}' is failing (1 REJECTED)", "  a  REJECTED"]
    failed = UNSUCCESSFUL[:3]
    assert requested_statuses(endpoint) == [*failed, "QUEUED", *failed]
