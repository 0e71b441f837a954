"""Scenarios with interrupts and forks, which test_interrupts runs in processes of their own.

Run as ``python interrupted.py SCENARIO URL [prefetch]``. The last line of the output is JSON: the
executions up to the first interrupt, the resume token at that point, and the executions that the
same iterator yielded afterwards.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from support import JOB_ID, FleetClient, boto3_client, owning_client

from iotjobs_client import IoTJobsClient, JobExecutionIterator, JobExecutionSummary
from iotjobs_client.testing import make_fleet

PAGE_SIZE = 6
INTERRUPTS = 1000


def start(client: IoTJobsClient, **options: Any) -> JobExecutionIterator:
    """Return an iterator over the job, with prefetch if the command line says so."""
    listing = client.list_job_executions_for_job(
        JOB_ID, page_size=PAGE_SIZE, prefetch="prefetch" in sys.argv, **options
    )
    return iter(listing)


def names(executions: JobExecutionIterator) -> list[str]:
    """Return the names of the remaining things."""
    return [execution.thing_name for execution in executions]


def report(found: list[str], resume_token: str | None, rest: list[str]) -> None:
    """Print the result of a scenario."""
    print(json.dumps([found, resume_token, rest]), flush=True)


def wait_for_signal(client: IoTJobsClient) -> None:
    """Print the number of executions so far after each of them, until a signal comes."""

    def exit_(*_: object) -> None:
        sys.exit()

    signal.signal(signal.SIGTERM, exit_)
    # A shell makes its background processes ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    executions = start(client)
    found = []
    try:
        for execution in executions:
            found.append(execution.thing_name)
            print(len(found), flush=True)
            while "pause" in sys.argv and len(found) == 9:
                time.sleep(0.01)
    except (KeyboardInterrupt, SystemExit):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print("interrupted", flush=True)
        report(found, executions.resume_token, names(executions))


class Interrupt(KeyboardInterrupt):
    """The exception of the alarm."""


def interrupts(_: IoTJobsClient) -> None:
    """Continue by the iterator or by the token after interrupts at any instruction.

    The client is a stand-in, because an exception may leave a lock of urllib3's pool locked.
    """
    client = IoTJobsClient(FleetClient(make_fleet(200)))
    moments = random.Random(os.getpid())

    is_armed = False

    def interrupt(*_: object) -> None:
        nonlocal is_armed
        # The kernel may send the alarm to a busy thread, so that the handler runs too late.
        if is_armed:
            is_armed = False
            raise Interrupt

    signal.signal(signal.SIGALRM, interrupt)
    count = 0
    while count < INTERRUPTS:
        found: list[JobExecutionSummary] = []
        executions = start(client)
        is_done = False
        while not is_done:
            try:
                try:
                    is_armed = True
                    signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.00002, 0.0005))
                    for execution in executions:
                        # Reading the name here would be a call, in which an interrupt loses it.
                        found.append(execution)
                    is_done = True
                finally:
                    is_armed = False
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                count += 1
                if count % 3 == 0 and executions.resume_token is not None:
                    executions = start(client, resume_token=executions.resume_token)
        assert found == list(start(client)), f"after {count} interrupts"
    report([execution.thing_name for execution in found], executions.resume_token, [])


def fork(client: IoTJobsClient) -> None:
    """Continue in a forked process and in this one at the same time, with the same client."""
    executions = start(client)
    found = [next(executions).thing_name for _ in range(PAGE_SIZE + 2)]
    token = executions.resume_token
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps(names(executions)).encode())
        os._exit(0)
    os.close(writer)
    rest = names(executions)
    with os.fdopen(reader) as pipe:
        assert json.load(pipe) == rest, "the processes found different things"
    os.wait()
    report(found, token, rest)


def fork_beside_a_request(client: IoTJobsClient) -> None:
    """Fork while another thread waits for a response."""
    executions = start(client)
    found = [next(executions).thing_name for _ in range(PAGE_SIZE)]
    token = executions.resume_token
    threading.Thread(target=next, args=(executions,), daemon=True).start()
    sys.stdin.readline()  # The test closes the input when the request has arrived.
    if os.fork() == 0:
        report(found, token, names(executions))
        os._exit(0)
    os.wait()
    os._exit(0)  # The thread still waits.


def leave(_: IoTJobsClient) -> None:
    """End during the request of the second page, for which the client would wait a minute."""
    patient = IoTJobsClient(boto3_client(sys.argv[2]))
    executions = start(patient)
    found = [next(executions).thing_name for _ in range(PAGE_SIZE)]
    sys.stdin.readline()  # The test closes the input when the request has arrived.
    report(found, executions.resume_token, [])


SCENARIOS: dict[str, Callable[[IoTJobsClient], None]] = {
    "wait_for_signal": wait_for_signal,
    "interrupts": interrupts,
    "fork": fork,
    "fork_beside_a_request": fork_beside_a_request,
    "leave": leave,
}


if __name__ == "__main__":
    with owning_client(sys.argv[2]) as the_client:
        SCENARIOS[sys.argv[1]](the_client)
