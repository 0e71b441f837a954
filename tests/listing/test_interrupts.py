"""Interrupts, early exits and forks leave the iterator consistent and its token exact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from support import JOB_ID, FleetClient, held_response, list_rest, posix_only, wait_until

from iotjobs_client import IoTJobsClient, JobExecutionSummary
from iotjobs_client.testing import Fault, LocalEndpoint, make_fleet

SCRIPT = Path(__file__).with_name("interrupted.py")
FLEET = make_fleet(200)
NAMES = [execution.thing_name for execution in FLEET]
PAGE_SIZE = 6


def start(scenario: str, endpoint: LocalEndpoint, *flags: str) -> subprocess.Popen[str]:
    """Start a scenario of interrupted.py in another process."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, scenario, endpoint.url, *flags],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},  # the folder of support.py
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[list[str], str | None, list[str]]:
    """Close the process's input, and return the report in its last line of output."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        # communicate() would lose what readline() has already read into its buffer.
        output = process.stdout.read()
        assert process.wait() == 0
    finally:
        process.kill()
        process.stdout.close()
    found, resume_token, rest = json.loads(output.splitlines()[-1])
    return found, resume_token, rest


with_and_without_prefetch = pytest.mark.parametrize("flags", [[], ["prefetch"]], ids=str)
needs_fork = posix_only("Windows has no fork()")


def wait_for_requests(endpoint: LocalEndpoint, number: int) -> None:
    """Wait until the endpoint has received a number of requests."""
    wait_until(lambda: len(endpoint.requests) >= number)


@contextmanager
def repeated_signal(process: subprocess.Popen[str], number: int) -> Iterator[None]:
    """Send a signal each second, because a Python without the GIL may miss one."""
    is_over = Event()

    def send() -> None:
        process.send_signal(number)
        while not is_over.wait(1):
            process.send_signal(number)

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def wait_for_line(process: subprocess.Popen[str], line: str) -> None:
    """Read the output of a process up to a line."""
    assert process.stdout is not None
    assert f"{line}\n" in iter(process.stdout.readline, "")


@posix_only("Windows cannot send a signal to one process")
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.one_python)],
    ids=["SIGINT", "SIGTERM"],
)
@pytest.mark.parametrize("moment", ["in a request", "in a page", "in empty pages"])
@with_and_without_prefetch
def test_a_signal_that_raises_leaves_the_iterator_consistent(
    number: signal.Signals, moment: str, flags: list[str]
) -> None:
    """After Ctrl-C or SIGTERM, the same iterator continues exactly, as does its token."""
    faults: dict[int, Fault] = {}
    if moment == "in empty pages":
        faults = dict.fromkeys(range(3, 20_000), "empty")
    is_held = moment == "in a request"
    with (
        LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint,
        held_response(endpoint, 3) if is_held else nullcontext(Event()) as may_respond,
    ):
        if moment == "in a page":
            flags = [*flags, "pause"]
        process = start("wait_for_signal", endpoint, *flags)
        if moment == "in a page":
            wait_for_line(process, "9")
        else:
            wait_for_requests(endpoint, 3 if is_held else 30)
        with repeated_signal(process, number):
            wait_for_line(process, "interrupted")
        # The listing must end. An endpoint has no public way to drop its faults.
        endpoint._faults.clear()
        may_respond.set()
        found, resume_token, rest = finish(process)
        assert 0 < len(found) < len(NAMES)
        assert found + rest == NAMES
        assert found + [e.thing_name for e in list_rest(endpoint.url, resume_token)] == NAMES


@posix_only("Windows has no alarms that interrupt at any instruction")
@with_and_without_prefetch
def test_interrupts_at_any_instruction_lose_no_execution(flags: list[str]) -> None:
    """A thousand alarms that raise at random moments lose and repeat no execution."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        found, resume_token, _ = finish(start("interrupts", endpoint, *flags))
    assert found == NAMES
    assert resume_token is None


@needs_fork
@with_and_without_prefetch
def test_after_a_fork_both_processes_continue(flags: list[str]) -> None:
    """Each process has its own connections, so neither reads the other's responses."""
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        found, resume_token, rest = finish(start("fork", endpoint, *flags))
        assert found + rest == NAMES
        assert found + [e.thing_name for e in list_rest(endpoint.url, resume_token)] == NAMES


@needs_fork
@with_and_without_prefetch
def test_a_forked_process_does_not_wait_for_a_request(flags: list[str]) -> None:
    """The thread that made the request does not exist in the forked process."""
    with LocalEndpoint({JOB_ID: FLEET}, faults={2: "hang"}) as endpoint:
        process = start("fork_beside_a_request", endpoint, *flags)
        wait_for_requests(endpoint, 2)
        found, _, rest = finish(process)
    assert found + rest == NAMES


def test_a_process_exits_without_waiting_for_a_prefetch() -> None:
    """A service that does not respond does not keep the process alive."""
    with LocalEndpoint({JOB_ID: FLEET}, faults={2: "hang"}) as endpoint:
        process = start("leave", endpoint, "prefetch")
        wait_for_requests(endpoint, 2)
        found, resume_token, _ = finish(process)
        assert found == NAMES[:PAGE_SIZE]
        assert found + [e.thing_name for e in list_rest(endpoint.url, resume_token)] == NAMES


def test_next_within_next_does_not_hang() -> None:
    """If a signal handler calls it during a request, each execution is still yielded once."""
    service = FleetClient(FLEET)
    inner: list[JobExecutionSummary] = []
    executions: Iterator[JobExecutionSummary]

    class Reentrant:
        def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
            if len(service.calls) in (0, 3):
                service.calls.append({})
                inner.append(next(executions))
            return service.list_job_executions_for_job(**arguments)

    listing = IoTJobsClient(Reentrant()).list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE)
    executions = iter(listing)
    outer = list(executions)
    assert len(inner) == 2
    assert [e for e in FLEET if e not in inner] == outer
