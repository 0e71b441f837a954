"""Runs services in another process, so that their CPU time is not counted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from iotjobs_client import JobExecutionStatus
from iotjobs_client.testing import LocalEndpoint, make_fleet


def serve(
    sizes: Collection[int], services: Collection[dict[str, Any]], connection: Connection
) -> None:
    """Serve jobs whose executions are all terminal, until a message arrives on ``connection``."""
    statuses = [status for status in JobExecutionStatus if status.is_terminal]
    fleet = make_fleet(max(sizes), statuses=statuses)
    jobs = {str(size): fleet[:size] for size in sizes}
    with ExitStack() as stack:
        endpoints = [stack.enter_context(LocalEndpoint(jobs, **options)) for options in services]
        del fleet, jobs
        connection.send([endpoint.url for endpoint in endpoints])
        connection.recv()


@contextmanager
def served(sizes: Collection[int], *services: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the URL of a ``LocalEndpoint`` for each of ``services``, which are its options.

    Args:
        sizes: The sizes of the jobs. The ID of a job is its size, and its things are called
            ``thing-0``, ``thing-1`` and so on.
        services: The options of each endpoint.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(sizes, services, there))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()
