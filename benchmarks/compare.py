"""Compares this library with other ways to list a job, side by side in one run.

All contenders list the same jobs over HTTP on loopback, from a service in another process, one
after another in each round. Machines are noisy, so the ratios within a round count. The results are
the tables and the chart of docs/benchmarks.md. ``nox -s benchmark`` runs this.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path

from contenders import (
    AIOBOTOCORE,
    AWS_CLI,
    BOTO3,
    CAPO,
    JSON,
    OUR_CLI,
    OURS,
    PAGE_SIZE,
    PREFETCH,
    Measured,
)
from report import compared, draw_cpu, figures, spread, table, write_page
from service import served
from workers import UTC, Worker, interleave

DOCS = Path(__file__).parents[1] / "docs"
MIB = 2**20
ZONES = {"UTC": UTC, "with daylight saving": "CET-1CEST,M3.5.0,M10.5.0/3"}
PAGES = 5  # pages per listing with latency
# Each pair has the seconds of a request and of the consumer's work on a page.
SITUATIONS = ((0.05, 0.02), (0.1, 0.0), (0.1, 0.1), (0.2, 0.1))

Key = tuple[str, str, str]  # contender, interpreter, time zone


def measure_cpu(rounds: int, url: str, size: int, keys: Iterable[Key]) -> dict[Key, list[Measured]]:
    """Measure listings in processes that keep their client."""
    with ExitStack() as stack:
        calls = {
            key: partial(stack.enter_context(Worker(*key)).list_once, url, size) for key in keys
        }
        return interleave(rounds, calls)


def cpu_table(found: Mapping[str, list[Measured]], size: int) -> str:
    """Format the CPU time of each contender."""
    header = ("", "CPU per execution", "relative to boto3", f"relative to {JSON}", "peak memory")
    rows = (
        (
            name,
            figures(runs, "cpu", "µs", scale=size / 1e6, digits=1),
            compared(runs, found[BOTO3]),
            compared(runs, found[JSON]),
            f"{max(run['peak'] for run in runs) / MIB:.0f} MiB",
        )
        for name, runs in found.items()
    )
    return table(header, rows)


def interpreter_table(
    found: Mapping[Key, list[Measured]], pythons: Iterable[str], size: int
) -> str:
    """Format the CPU time by interpreter and time zone."""
    rows = []
    for python in pythons:
        code = "import platform; print(platform.python_version())"
        number = subprocess.check_output([python, "-c", code], text=True).strip()
        for text, zone in ZONES.items():
            boto3, ours = (found[name, python, zone] for name in (BOTO3, OURS))
            cpu = (figures(runs, "cpu", "µs", scale=size / 1e6, digits=1) for runs in (boto3, ours))
            rows.append((f"CPython {number}, {text}", *cpu, compared(ours, boto3)))
    return table(("", BOTO3, OURS, "relative to boto3"), rows)


def measure_elapsed(rounds: int, urls: Mapping[float, str]) -> str:
    """Measure elapsed time with latency and with a consumer that works on each page."""
    rows = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name)) for name in (BOTO3, OURS, PREFETCH)}
        for latency, pause in SITUATIONS:
            calls = {
                name: partial(worker.list_once, urls[latency], PAGES * PAGE_SIZE, pause=pause)
                for name, worker in workers.items()
            }
            # These are the times between the first and the last page.
            times = (
                [(run["wall"] - run["first"] - pause) * 1000 / (PAGES - 1) for run in runs]
                for runs in interleave(rounds, calls).values()
            )
            cells = (spread(each, 0, " ms") for each in times)
            rows.append((f"{latency * 1000:.0f} ms", f"{pause * 1000:.0f} ms", *cells))
    return table(("request", "consumer", BOTO3, OURS, "with `prefetch`"), rows)


def start_fresh(name: str, url: str) -> Measured:
    """Measure a process from its start to the end of a page."""
    began = time.perf_counter()
    with Worker(name) as worker:
        cpu = worker.list_once(url, PAGE_SIZE)["process_cpu"]
        return {"cpu": cpu, "wall": time.perf_counter() - began}


def measure_start(rounds: int, url: str) -> str:
    """Measure fresh processes."""
    names = (BOTO3, OURS, CAPO)
    found = interleave(rounds, {name: partial(start_fresh, name, url) for name in names})
    rows = (
        (
            name,
            figures(runs, "wall", "ms", scale=1e-3),
            figures(runs, "cpu", "ms", scale=1e-3),
            compared(runs, found[BOTO3]),
        )
        for name, runs in found.items()
    )
    return table(("", "elapsed", "CPU", "CPU relative to boto3"), rows)


def measure_lists(url: str, size: int) -> str:
    """Measure the memory of a list of all executions, each in a new process."""
    kept = {}
    for name in (BOTO3, CAPO, OURS):
        with Worker(name) as worker:
            worker.list_once(url, PAGE_SIZE)
            kept[name] = worker.list_once(url, size, keep=True)["kept"]
    rows = (
        (name, f"{found / MIB:.0f} MiB", f"{found / kept[BOTO3]:.2f}")
        for name, found in kept.items()
    )
    return table(("", f"memory of {size:,} executions", "relative to boto3"), rows)


def measure_commands(rounds: int, url: str, sizes: Iterable[int]) -> str:
    """Measure the command lines, a process for each listing."""
    header = ("executions", "", "CPU", "first row after", "all rows after", "peak memory")
    rows = []
    with Worker(OUR_CLI) as ours, Worker(AWS_CLI) as aws:
        for size in sizes:
            calls = {
                OUR_CLI: partial(ours.list_once, url, size),
                AWS_CLI: partial(aws.list_once, url, size),
            }
            found = interleave(rounds, calls)
            for name, runs in found.items():
                seconds = (figures(runs, what, "s", digits=2) for what in ("cpu", "first", "wall"))
                peak = figures(runs, "peak", "MiB", scale=MIB)
                rows.append((f"{size:,}", f"`{name}`", *seconds, peak))
            ratios = (
                f"**{compared(found[OUR_CLI], found[AWS_CLI], what)}**"
                for what in ("cpu", "first", "wall", "peak")
            )
            rows.append((f"{size:,}", "relative to `aws`", *ratios))
    return table(header, rows)


def setup(size: int) -> str:
    """Describe the machine, the packages and the usual job."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    packages = (BOTO3, "botocore", AIOBOTOCORE, CAPO, "awscli")
    return (
        f"Measured with a job of {size:,} executions on CPython {platform.python_version()}, on "
        f"{os.cpu_count()} cores of {processor}, {platform.system()}, with "
        f"{', '.join(f'{name} {version(name)}' for name in packages)}."
    )


def main() -> None:
    """Measure everything, and write the page and its chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rounds", type=int, default=9, help="rounds of the short measurements")
    add("--executions", type=int, default=10_000, metavar="N", help="the size of the usual job")
    add("--large", type=int, default=200_000, metavar="N", help="the size of the large job")
    add("--python", action="append", default=[], help="another interpreter")
    add("--output", type=Path, default=DOCS, help="the folder of the page")
    options = parser.parse_args()
    rounds, size, large = options.rounds, options.executions, options.large

    names = (BOTO3, AIOBOTOCORE, CAPO, OURS, PREFETCH, JSON)
    pythons = [sys.executable, *options.python]
    usual: dict[str, Key] = {name: (name, sys.executable, UTC) for name in names}
    keys: set[Key] = {*usual.values(), *product((BOTO3, OURS), pythons, ZONES.values())}
    latencies = [latency for latency, _ in SITUATIONS]
    services = [{"latency": latency} for latency in (0.0, *latencies)]
    with served({PAGE_SIZE, PAGES * PAGE_SIZE, size, large}, *services) as (url, *slow):
        cpu = measure_cpu(rounds, url, size, sorted(keys))
        found = {name: cpu[key] for name, key in usual.items()}
        few = min(3, rounds)
        parts = {
            "setup": setup(size),
            "cpu": cpu_table(found, size),
            "interpreters": interpreter_table(cpu, pythons, size),
            "elapsed": measure_elapsed(few, dict(zip(latencies, slow, strict=True))),
            "start": measure_start(rounds, url),
            "lists": measure_lists(url, large),
            "commands": measure_commands(few, url, (size, large)),
        }
    write_page(DOCS / "benchmarks.md", parts, options.output)
    microseconds = {name: [run["cpu"] * 1e6 / size for run in runs] for name, runs in found.items()}
    draw_cpu(microseconds, options.output / "benchmarks.svg")


if __name__ == "__main__":
    main()
