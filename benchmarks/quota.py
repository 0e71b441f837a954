"""A long listing under the service's quota of 10 requests a second, which others use as well.

Four listings at the same time, each against a service with a quota of its own. On three of them
a neighbour asks now and then, never waits and never asks again: what of its requests is
throttled, it has lost. Printed are the time against the least possible (pages / rate), how often
the listing was throttled, how many of these throttles botocore's attempts did not outlast (the
listing then waited a second and went on in place), and how the neighbour fared.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Literal, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from service import JOB_ID

from iotjobs_client import JobExecutionSummary, ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_fleet

QUOTA = 10.0  # requests a second
PAGE_SIZE = 250


class Scenario(NamedTuple):
    """How the listing asks, and how often the neighbour does."""

    mode: Literal["standard", "adaptive"]
    requests_per_second: float | None
    neighbour: float


SCENARIOS = (
    Scenario("standard", None, 5.0),
    Scenario("adaptive", None, 5.0),
    Scenario("standard", 8.0, 0.0),
    Scenario("standard", 8.0, 1.5),
)


def disturb(url: str, rate: float, stop: Event, fates: list[bool]) -> None:
    """Ask ``rate`` times a second, and note each time whether there was an answer."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    client = session.client("iot", endpoint_url=url, config=config)
    while not stop.wait(1 / rate):
        try:
            client.list_job_executions_for_job(jobId=JOB_ID, maxResults=1)
            fates.append(True)
        except ClientError:
            fates.append(False)


def run(scenario: Scenario, fleet: list[JobExecutionSummary]) -> str:
    """List the fleet once, and say how it went."""
    stop, fates = Event(), list[bool]()
    own_rate = scenario.requests_per_second
    config = Config(retries={"mode": scenario.mode})
    with (
        LocalEndpoint({JOB_ID: fleet}, requests_per_second=QUOTA) as endpoint,
        endpoint.client(config=config, requests_per_second=own_rate) as client,
    ):
        neighbour = Thread(target=disturb, args=(endpoint.url, scenario.neighbour, stop, fates))
        if scenario.neighbour:
            neighbour.start()
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        found: list[str] = []
        given_up = 0
        start = time.monotonic()
        while True:
            try:
                for execution in executions:
                    found.append(execution.thing_name)
                break
            except ThrottlingError:
                given_up += 1
                time.sleep(1)
        seconds = time.monotonic() - start
        stop.set()
        if scenario.neighbour:
            neighbour.join()
        ours = sum("iotjobs-client" in request.user_agent for request in endpoint.requests)
    if found != [execution.thing_name for execution in fleet]:
        raise SystemExit(f"{scenario}: the listing is not exact")
    pages = -(-len(fleet) // PAGE_SIZE)
    if own_rate is not None and ours > pages:
        raise SystemExit(f"{scenario}: {ours - pages} requests were throttled")
    rate = "as it comes" if own_rate is None else f"{own_rate:g}/s"
    lost = f"{fates.count(False)} of {len(fates)}" if fates else "-"
    return (
        f"{scenario.mode:<10}{rate:<13}{f'{scenario.neighbour:g}/s':<11}{seconds:>7.1f} s"
        f"{seconds / (pages / QUOTA):>12.2f}{ours - pages:>11}{given_up:>10}{lost:>17}"
    )


def main() -> None:
    """Run the scenarios side by side, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=100_000, help="the size of the job")
    options = parser.parse_args()

    fleet = make_fleet(options.executions)
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        lines = list(pool.map(lambda scenario: run(scenario, fleet), SCENARIOS))
    print(
        f"{options.executions:,} executions, {QUOTA:g} requests a second; least possible time "
        f"{options.executions / PAGE_SIZE / QUOTA:g} s\n"
    )
    print(
        f"{'mode':<10}{'requests':<13}{'neighbour':<11}{'time':>9}{'time/least':>12}"
        f"{'throttled':>11}{'given up':>10}{'neighbour lost':>17}"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
