"""Services in another process, so that what they cost is not counted."""

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
    """Serve last night's jobs, over on all their things, until ``connection`` says stop."""
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
    """The URLs of a ``LocalEndpoint`` for each of ``services``, which are its options.

    They have jobs of the given sizes, whose things are called ``thing-0`` and so on; a mere
    number is the size of ``JOB_ID``.
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
