"""Runs services in another process, so that their CPU time is not counted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from iotjobs_client import JobExecutionStatus
from iotjobs_client.testing import LocalEndpoint, make_fleet

JOB_ID = "firmware-42"


def serve(sizes: Mapping[str, int], services: list[dict[str, Any]], connection: Connection) -> None:
    """Serve jobs whose executions are all terminal, until a message arrives on ``connection``."""
    statuses = [status for status in JobExecutionStatus if status.is_terminal]
    fleet = make_fleet(max(sizes.values()), statuses=statuses)
    jobs = {job_id: fleet[:size] for job_id, size in sizes.items()}
    with ExitStack() as stack:
        endpoints = [stack.enter_context(LocalEndpoint(jobs, **options)) for options in services]
        del fleet, jobs
        connection.send([endpoint.url for endpoint in endpoints])
        connection.recv()


@contextmanager
def served(sizes: int | Mapping[str, int], *services: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the URL of a ``LocalEndpoint`` for each of ``services``, which are its options.

    Args:
        sizes: The job IDs and the sizes of the jobs, or the size of ``JOB_ID`` alone. The things
            are called ``thing-0``, ``thing-1`` and so on.
        services: The options of each endpoint.
    """
    if isinstance(sizes, int):
        sizes = {JOB_ID: sizes}
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(sizes, list(services), there))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()
