"""Lists a large job under the quota of 10 requests per second, which other clients use as well.

Four listings run at the same time, each against a service with a quota of its own. On three of
them, another client sends requests at a constant rate and never retries. The table has the elapsed
time, also relative to the least possible (pages / quota); how many requests were throttled; how
many ThrottlingErrors the listing got after botocore's retries, and continued after a second; and
how many requests of the other client were throttled.
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

from iotjobs_client import JobExecutionSummary, ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_fleet

JOB_ID = "firmware-42"
QUOTA = 10.0  # requests a second
PAGE_SIZE = 250


class Scenario(NamedTuple):
    """The listing's retry mode and rate, and the rate of the other client."""

    mode: Literal["standard", "adaptive"]
    requests_per_second: float | None
    other_rate: float


SCENARIOS = (
    Scenario("standard", None, 5.0),
    Scenario("adaptive", None, 5.0),
    Scenario("standard", 8.0, 0.0),
    Scenario("standard", 8.0, 1.5),
)


def send_requests(url: str, rate: float, stop: Event, outcomes: list[bool]) -> None:
    """Send ``rate`` requests per second, and note whether each succeeded."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    client = session.client("iot", endpoint_url=url, config=config)
    while not stop.wait(1 / rate):
        try:
            client.list_job_executions_for_job(jobId=JOB_ID, maxResults=1)
            outcomes.append(True)
        except ClientError:
            outcomes.append(False)


def run(scenario: Scenario, fleet: list[JobExecutionSummary]) -> str:
    """List the fleet once, and return a row of the table."""
    stop, outcomes = Event(), list[bool]()
    own_rate = scenario.requests_per_second
    config = Config(retries={"mode": scenario.mode})
    with (
        LocalEndpoint({JOB_ID: fleet}, requests_per_second=QUOTA) as endpoint,
        endpoint.client(config=config, requests_per_second=own_rate) as client,
    ):
        other = Thread(
            target=send_requests, args=(endpoint.url, scenario.other_rate, stop, outcomes)
        )
        if scenario.other_rate:
            other.start()
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=PAGE_SIZE))
        found: list[str] = []
        errors = 0
        start = time.monotonic()
        while True:
            try:
                for execution in executions:
                    found.append(execution.thing_name)
                break
            except ThrottlingError:
                errors += 1
                time.sleep(1)
        seconds = time.monotonic() - start
        stop.set()
        if scenario.other_rate:
            other.join()
        ours = sum("iotjobs-client" in request.user_agent for request in endpoint.requests)
    if found != [execution.thing_name for execution in fleet]:
        raise SystemExit(f"{scenario}: the listing is not exact")
    pages = -(-len(fleet) // PAGE_SIZE)
    if own_rate is not None and ours > pages:
        raise SystemExit(f"{scenario}: {ours - pages} requests were throttled")
    rate = "no limit" if own_rate is None else f"{own_rate:g}/s"
    lost = f"{outcomes.count(False)} of {len(outcomes)}" if outcomes else "-"
    return (
        f"{scenario.mode:<10}{rate:<13}{f'{scenario.other_rate:g}/s':<11}{seconds:>7.1f} s"
        f"{seconds / (pages / QUOTA):>12.2f}{ours - pages:>11}{errors:>10}{lost:>18}"
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
        f"{'mode':<10}{'requests':<13}{'others':<11}{'time':>9}{'time/least':>12}"
        f"{'throttled':>11}{'errors':>10}{'others throttled':>18}"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
