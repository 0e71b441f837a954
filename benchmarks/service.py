"""A service in another process, so that what it costs is not counted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from iotjobs_client import JobExecutionStatus
from iotjobs_client.testing import LocalEndpoint, make_fleet

JOB_ID = "firmware-42"


def serve(size: int, options: dict[str, Any], connection: Connection) -> None:
    """Serve last night's job, over on all its things, until ``connection`` says stop."""
    fleet = make_fleet(size, statuses=[s for s in JobExecutionStatus if s.is_terminal])
    with LocalEndpoint({JOB_ID: fleet}, **options) as endpoint:
        connection.send(endpoint.url)
        connection.recv()


@contextmanager
def served(size: int, **options: Any) -> Iterator[str]:
    """The URL of a ``LocalEndpoint`` with a job of ``size`` executions, ``thing-0`` and so on."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(size, options, there))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()
