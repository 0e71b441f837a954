"""Measures how long a listing blocks the event loop for other tasks.

A task sleeps for a millisecond again and again, and notes how late it wakes up, while a listing
runs on the same loop. An idle loop shows how late the machine itself makes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

import boto3
from service import JOB_ID, served

from iotjobs_client import IoTJobsClient, JobExecutionPaginator

SIZE = 20_000
INTERVAL = 0.001
ROUNDS = 10


async def idle(_: JobExecutionPaginator) -> None:
    """List nothing."""
    await asyncio.sleep(1)


async def blocking(paginator: JobExecutionPaginator) -> None:
    """List synchronously on the loop, and let other tasks run after each page: do not copy this."""
    for _ in paginator.pages():
        await asyncio.sleep(0)


async def by_execution(paginator: JobExecutionPaginator) -> None:
    """List asynchronously."""
    async for _ in paginator:
        pass


async def six_at_once(paginator: JobExecutionPaginator) -> None:
    """Run six asynchronous listings at the same time."""
    await asyncio.gather(*(by_execution(paginator) for _ in range(6)))


async def lateness(work: Awaitable[None]) -> list[float]:
    """Return by how many milliseconds the task was late during ``work``, sorted."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            start = perf_counter()
            await asyncio.sleep(INTERVAL)
            late.append((perf_counter() - start - INTERVAL) * 1_000)

    ticker = asyncio.ensure_future(tick())
    await work
    ticker.cancel()
    return sorted(late)


def main() -> None:
    """Measure each way to list, and print a table."""
    ways: list[Callable[[JobExecutionPaginator], Awaitable[None]]]
    ways = [idle, blocking, by_execution, six_at_once]
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    print(f"{'milliseconds late':<22}{'half':>8}{'1 in 100':>10}{'1 in 1000':>11}{'most':>8}")
    with (
        served(SIZE, {"latency": 0.02}) as (url,),
        IoTJobsClient(session=session, endpoint_url=url) as client,
    ):
        paginator = client.list_job_executions_for_job(JOB_ID)
        list(paginator)
        for way in ways:
            late: list[float] = []
            for _ in range(ROUNDS):
                late += asyncio.run(lateness(way(paginator)))
            late.sort()
            figures = (late[int(len(late) * share)] for share in (0.5, 0.99, 0.999))
            columns = "".join(f"{x:>{w}.1f}" for x, w in zip(figures, (8, 10, 11), strict=True))
            print(f"{way.__name__:<22}{columns}{late[-1]:>8.1f}")


if __name__ == "__main__":
    main()
