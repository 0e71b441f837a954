"""Listings that are interrupted or forked, each in a process of its own; for test_interrupts.

Run as ``python interrupted.py SCENARIO URL [prefetch]``. Prints, as JSON, what was found until
the first interrupt, the resume token there, and what the same iterator gave from then on.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from support import JOB_ID, FleetClient, boto3_client, owning_client

import iotjobs_client
from iotjobs_client import (
    IoTJobsClient,
    JobExecutionIterator,
    JobExecutionSummary,
)
from iotjobs_client.testing import make_fleet

PAGE_SIZE = 6
INTERRUPTS = 1000


def start(client: IoTJobsClient, **options: Any) -> JobExecutionIterator:
    listing = client.list_job_executions_for_job(
        JOB_ID, page_size=PAGE_SIZE, prefetch="prefetch" in sys.argv, **options
    )
    return iter(listing)


def names(executions: JobExecutionIterator) -> list[str]:
    """Return the names of the things that are left."""
    return [execution.thing_name for execution in executions]


def report(found: list[str], resume_token: str | None, rest: list[str]) -> None:
    print(json.dumps([found, resume_token, rest]), flush=True)


def wait_for_signal(client: IoTJobsClient) -> None:
    """Print the number of executions so far after each of them, until a signal comes."""

    def exit_(*_: object) -> None:
        sys.exit()

    signal.signal(signal.SIGTERM, exit_)
    # A shell has it ignored by what it starts in the background.
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
        print("interrupted", flush=True)
        report(found, executions.resume_token, names(executions))


class Interrupt(KeyboardInterrupt):
    """Raised by the alarm; an event loop stops for it, as for Ctrl-C."""


def interrupts(_: IoTJobsClient) -> None:
    """Be interrupted at any instruction, hundreds of times, and go on in place or by the token.

    Without HTTP, for an exception at any instruction may leave a lock of urllib3's pool locked.
    """
    client = IoTJobsClient(FleetClient(make_fleet(200)))
    moments = random.Random(os.getpid())

    is_armed = False

    def interrupt(*_: object) -> None:
        nonlocal is_armed
        if is_armed:  # else the kernel gave it to a busy thread, and it comes when all is over
            is_armed = False
            raise Interrupt

    signal.signal(signal.SIGALRM, interrupt)
    met = 0
    while met < INTERRUPTS:
        found: list[JobExecutionSummary] = []
        executions = start(client)
        is_done = False
        while not is_done:
            try:
                try:
                    is_armed = True
                    signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.00002, 0.0005))
                    for execution in executions:
                        # Not even the name, which is a call where an interrupt would lose it.
                        found.append(execution)
                    is_done = True
                finally:
                    is_armed = False
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                met += 1
                if met % 3 == 0 and executions.resume_token is not None:
                    executions = start(client, resume_token=executions.resume_token)
        assert found == list(start(client)), f"after {met} interrupts"
    report([execution.thing_name for execution in found], executions.resume_token, [])


def interrupt_in_package(_: int, frame: FrameType | None) -> None:
    """Raise if a function of this library runs on an event loop, or one that it calls.

    Otherwise the alarm comes again later, as long as a loop runs.
    """
    if asyncio._get_running_loop() is None:
        return
    package = str(Path(iotjobs_client.__file__).parent)
    while frame is not None:
        if frame.f_code.co_filename.startswith(package):
            raise Interrupt
        frame = frame.f_back
    signal.setitimer(signal.ITIMER_REAL, 0.0002)


def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> bool:
    """Cancel them; false if the loop lost one, because it was interrupted while it woke it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task], timeout=0.1))
    return all(task.done() for task in tasks)


def interrupts_on_a_loop(_: IoTJobsClient) -> None:
    """Do the same with ``async for``, at any instruction of this library and what it calls.

    The iterator continues on the same loop, on a new one or with ``next()``.
    """
    client = IoTJobsClient(FleetClient(make_fleet(60)))
    moments = random.Random(os.getpid())

    async def collect() -> None:
        signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.00002, 0.001))
        async for execution in executions:
            found.append(execution)

    signal.signal(signal.SIGALRM, interrupt_in_package)
    loop = asyncio.new_event_loop()
    met = 0
    while met < INTERRUPTS // 10:
        found: list[JobExecutionSummary] = []
        executions = start(client)
        is_done = False
        while not is_done:
            try:
                loop.run_until_complete(collect())
                signal.setitimer(signal.ITIMER_REAL, 0)
                is_done = True
            except Interrupt:
                met += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
                if not cancel_all_tasks(loop) or met % 3 == 1:
                    loop.close()
                    loop = asyncio.new_event_loop()
                elif met % 3 == 2:
                    found += islice(executions, 2)
        assert found == list(start(client)), f"after {met} interrupts"
    loop.close()
    report([execution.thing_name for execution in found], executions.resume_token, [])


def fork(client: IoTJobsClient, *, borrow: bool = False) -> None:
    """Go on in a forked process and in this one, at the same time on one inherited client."""
    executions = start(client)
    found = [next(executions).thing_name for _ in range(PAGE_SIZE + 2)]
    token = executions.resume_token
    boto3_client = client.boto3_client
    reader, writer = os.pipe()
    if os.fork() == 0:
        if borrow:
            executions = start(IoTJobsClient(boto3_client), resume_token=token)
        os.write(writer, json.dumps(names(executions)).encode())
        os._exit(0)
    os.close(writer)
    rest = names(executions)
    with os.fdopen(reader) as pipe:
        assert json.load(pipe) == rest, "the processes found different things"
    os.wait()
    report(found, token, rest)


def fork_beside_a_request(client: IoTJobsClient) -> None:
    """Fork while another thread has the iterator wait for an answer."""
    executions = start(client)
    found = [next(executions).thing_name for _ in range(PAGE_SIZE)]
    token = executions.resume_token
    threading.Thread(target=next, args=(executions,), daemon=True).start()
    sys.stdin.readline()  # until the request is known to have come
    if os.fork() == 0:
        report(found, token, names(executions))
        os._exit(0)
    os.wait()
    os._exit(0)  # without the thread, which still waits


def leave(_: IoTJobsClient) -> None:
    """End while the second page is requested ahead, by a client that would wait a minute."""
    patient = IoTJobsClient(boto3_client(sys.argv[2]))
    executions = start(patient)
    found = [next(executions).thing_name for _ in range(PAGE_SIZE)]
    sys.stdin.readline()  # until the request is known to have come
    report(found, executions.resume_token, [])


SCENARIOS: dict[str, Callable[[IoTJobsClient], None]] = {
    "wait_for_signal": wait_for_signal,
    "interrupts": interrupts,
    "interrupts_on_a_loop": interrupts_on_a_loop,
    "fork": fork,
    "fork_and_borrow": lambda client: fork(client, borrow=True),
    "fork_beside_a_request": fork_beside_a_request,
    "leave": leave,
}


if __name__ == "__main__":
    with owning_client(sys.argv[2]) as the_client:
        SCENARIOS[sys.argv[1]](the_client)
