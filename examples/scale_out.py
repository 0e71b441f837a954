"""List 200 jobs of 5 accounts and 4 regions with Dask, into one Parquet table, on this machine.

``LocalEndpoint`` stands in for AWS: one for each account and region, each with a quota of its
own. One request is denied, and one worker process is killed in the middle.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from distributed import Client, LocalCluster

from iotjobs_client import AccessDeniedError, IoTJobsClient, IoTJobsError, JobExecutionPage
from iotjobs_client.testing import LocalEndpoint, make_fleet

PAGES = 3  # pages of each job

SCHEMA = pa.schema(
    {
        "job_id": pa.string(),
        "thing_name": pa.string(),
        "status": pa.string(),
        "execution_number": pa.int64(),
        "last_updated_at": pa.timestamp("us", tz="UTC"),
    }
)


class Partition(NamedTuple):
    """Jobs that share a quota: those of one account in one region."""

    account: str
    region: str
    job_ids: Sequence[str]


def client_of(partition: Partition) -> IoTJobsClient:
    """Return a client that assumes the account's role, and assumes it again when it expires."""
    return IoTJobsClient(
        profile_name=f"fleet-{partition.account}",
        region_name=partition.region,
        requests_per_second=8,
    )


def list_partition(client: IoTJobsClient, partition: Partition, folder: str) -> dict[str, str]:
    """Write a file for each job that has none yet, and return the errors by job."""
    errors = {}
    place = Path(folder, f"account={partition.account}", f"region={partition.region}")
    place.mkdir(parents=True, exist_ok=True)
    for job_id in partition.job_ids:
        if not (place / f"{job_id}.parquet").exists():
            try:
                write_job(client, job_id, place)
            except (IoTJobsError, OSError) as error:
                errors[job_id] = str(error)
    return errors


def write_job(client: IoTJobsClient, job_id: str, place: Path) -> None:
    """Write the file of a job atomically."""
    part = place / f".{job_id}.{uuid4()}"  # readers of a data set ignore dotted names
    try:
        with pq.ParquetWriter(part, SCHEMA) as writer:
            for page in client.list_job_executions_for_job(job_id).pages():
                writer.write_batch(to_batch(job_id, page))
        part.replace(place / f"{job_id}.parquet")
    finally:
        part.unlink(missing_ok=True)


def to_batch(job_id: str, page: JobExecutionPage) -> Any:
    """Convert the executions of a page to rows."""
    columns = {
        "job_id": [job_id] * len(page.executions),
        "thing_name": [e.thing_name for e in page.executions],
        "status": [e.status.value for e in page.executions],
        "execution_number": [e.execution_number for e in page.executions],
        "last_updated_at": [e.last_updated_at for e in page.executions],
    }
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)


def list_all(
    scheduler: Client, work: Sequence[tuple[IoTJobsClient, Partition]], folder: str, rounds: int = 3
) -> list[dict[str, str]]:
    """List each partition as a task of its own, then list the jobs that failed again."""
    failures: list[dict[str, str]] = []
    for _ in range(rounds):
        tasks = [scheduler.submit(list_partition, *each, folder, pure=False) for each in work]
        failures = scheduler.gather(tasks)
        work = [
            (client, partition._replace(job_ids=list(failed)))
            for (client, partition), failed in zip(work, failures, strict=True)
            if failed
        ]
        if not work:
            break
    return [failed for failed in failures if failed]


def kill_a_worker(cluster: LocalCluster, folder: str, killed: list[int]) -> None:
    """Kill a worker once some jobs are done and others are being listed."""
    while sum(1 for _ in Path(folder).rglob("*.parquet")) < 20:  # noqa: PLR2004
        sleep(0.01)
    pid = next(iter(cluster.workers.values())).pid
    os.kill(pid, signal.SIGKILL)
    killed.append(pid)


def run(options: argparse.Namespace, folder: str) -> None:
    """List all jobs, check that the result is exact, and print how long it took."""
    job_ids = [f"firmware-{number}" for number in range(10)]
    fleet = make_fleet(PAGES * 250 - 50)
    partitions = [
        Partition(str(account), region, job_ids)
        for account, region in product(
            range(111111111111, 111111111116),
            ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2"),
        )
    ]
    at_once = options.workers * options.threads
    rate = options.quota * 0.8 / (at_once if options.one_quota else 1)
    with ExitStack() as stack:
        endpoints = [
            stack.enter_context(
                LocalEndpoint(
                    dict.fromkeys(job_ids, fleet),
                    requests_per_second=options.quota,
                    faults={5: AccessDeniedError} if options.trouble and number == 0 else None,
                )
            )
            for number in range(1 if options.one_quota else len(partitions))
        ]
        work = [
            # A real program would call client_of(partition) here.
            (
                IoTJobsClient(
                    region_name=partition.region,
                    endpoint_url=endpoints[number % len(endpoints)].url,
                    requests_per_second=rate,
                ),
                partition,
            )
            for number, partition in enumerate(partitions)
        ]
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=options.workers,
                threads_per_worker=options.threads,
                dashboard_address=None,
            )
        )
        scheduler = stack.enter_context(Client(cluster))
        killed: list[int] = []
        killer = Thread(target=kill_a_worker, args=(cluster, folder, killed), daemon=True)
        if options.trouble:
            killer.start()
        start = monotonic()
        failures = list_all(scheduler, work, folder)
        seconds = monotonic() - start
        requests = sum(len(endpoint.requests) for endpoint in endpoints)

    table = ds.dataset(folder, format="parquet", partitioning="hive").to_table()
    names = ("account", "region", "job_id", "thing_name")
    rows = set(zip(*(table[name].to_pylist() for name in names), strict=True))
    jobs = len(partitions) * len(job_ids)
    print(f"{jobs} jobs, {len(table):,} executions, in {seconds:.1f} s")
    if failures or not len(rows) == len(table) == jobs * len(fleet):
        raise SystemExit(f"executions are missing or repeated: {failures}")
    again = requests - jobs * PAGES
    print(f"{requests} requests, of which {again} were repeated")
    # The denied request is repeated, and the pages of one job for each running task: on a busy
    # machine, the scheduler may also restart tasks of the other workers.
    if not options.trouble <= again <= options.trouble * (1 + at_once * PAGES):
        raise SystemExit("more requests were repeated than failed")
    if options.trouble and not killed:
        raise SystemExit("no worker was killed")


def main() -> None:
    """List with the cluster that the options describe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--threads", type=int, default=4, help="tasks at a time in each")
    parser.add_argument("--quota", type=float, default=40, help="requests a second, each")
    parser.add_argument("--no-trouble", dest="trouble", action="store_false")
    parser.add_argument("--one-quota", action="store_true", help="for all partitions together")
    os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "testing"
    with tempfile.TemporaryDirectory() as folder:
        run(parser.parse_args(), folder)


if __name__ == "__main__":
    main()
