"""Compares this library with other ways to list a job, side by side in one run.

All contenders list the same jobs over HTTP on loopback, from a service in another process, one
after another in each round. Machines are noisy, so the ratios within a round count. The result is
a page of the documentation and its charts. ``nox -s benchmark`` runs this.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from contenders import (
    AIOBOTOCORE,
    AWS_CLI,
    BOTO3,
    FLOOR,
    GO,
    JAVASCRIPT,
    JSON,
    LIMIT,
    OUR_CLI,
    OURS,
    OURS_BOTOCORE,
    PACED,
    PACED_PREFETCH,
    PAGE_SIZE,
    PREFETCH,
    UTC,
    Measured,
)
from service import served
from typing_extensions import Self

HERE = Path(__file__).parent
ZONES = {UTC: "UTC0", "with daylight saving": "CET-1CEST,M3.5.0,M10.5.0/3"}
PAGES = 5  # pages per listing with latency
# The seconds of a request, and those of the consumer's work on a page.
SITUATIONS = ((0.0, 0.0), (0.02, 0.0), (0.05, 0.02), (0.1, 0.0), (0.1, 0.1), (0.2, 0.1))
USUAL_THRESHOLD = gc.get_threshold()[0]

K = TypeVar("K")


class Worker:
    """A process that lists a job for each request. The ID of a job is its size."""

    def __init__(self, *command: str | Path, **environment: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**inherited, "TZ": ZONES[UTC], "NODE_NO_WARNINGS": "1", **environment},
        )

    def list_once(self, url: str, size: int, **options: float) -> Measured:
        """Return what the contender measured."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"url": url, "job_id": str(size), **options}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        measured: Measured = json.loads(self._process.stdout.readline())
        if measured["count"] != size:
            raise SystemExit(f"{self._process.args!r} listed {measured['count']:.0f} of {size}")
        return measured

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()


Start = Callable[[], Worker]


def start_python(name: str, python: str = sys.executable, **environment: str) -> Worker:
    """Start a contender of ``contenders.py``."""
    return Worker(python, HERE / "contenders.py", name, **environment)


def interleave(
    rounds: int, calls: Mapping[K, Callable[[], Measured]], *, warm_up: bool = True
) -> dict[K, list[Measured]]:
    """Call each in every round. The figures of a first round that warms up are dropped."""
    found: dict[K, list[Measured]] = {name: [] for name in calls}
    for number in range(-warm_up, rounds):
        for name, call in calls.items():
            measured = call()
            if number >= 0:
                found[name].append(measured)
    return found


def measure_cpu(
    rounds: int, url: str, size: int, starts: Mapping[tuple[str, str, str], Start]
) -> list[tuple[str, str, str, list[Measured]]]:
    """Measure listings in processes that keep their client."""
    with ExitStack() as stack:
        calls = {
            key: partial(stack.enter_context(start()).list_once, url, size)
            for key, start in starts.items()
        }
        return [(*key, found) for key, found in interleave(rounds, calls).items()]


def start_fresh(start: Start, url: str) -> Measured:
    """Measure a process from its start to the end of a page."""
    began = time.perf_counter()
    with start() as worker:
        cpu = worker.list_once(url, PAGE_SIZE)["process_cpu"]
        return {"cpu": cpu, "wall": time.perf_counter() - began}


def measure_situations(
    rounds: int, urls: Mapping[float, str]
) -> list[tuple[float, float, dict[str, list[Measured]]]]:
    """Measure elapsed time with latency and with a consumer that works on each page."""
    found = []
    with ExitStack() as stack:
        names = (BOTO3, OURS, PREFETCH, PACED, PACED_PREFETCH)
        workers = {name: stack.enter_context(start_python(name)) for name in names}
        for latency, pause in SITUATIONS:
            for worker in workers.values():
                worker.list_once(urls[latency], PAGE_SIZE)  # builds the client
            calls = {
                name: partial(worker.list_once, urls[latency], PAGES * PAGE_SIZE, pause=pause)
                for name, worker in workers.items()
            }
            found.append((latency, pause, interleave(rounds, calls, warm_up=False)))
    return found


def keep_all(name: str, url: str, size: int, keep: int = USUAL_THRESHOLD) -> Measured:
    """Measure a list of all executions, in a new process."""
    with start_python(name) as worker:
        worker.list_once(url, PAGE_SIZE)
        return worker.list_once(url, size, keep=keep)


def measure_commands(
    rounds: int, url: str, sizes: list[int]
) -> dict[int, dict[str, list[Measured]]]:
    """Measure the command lines, a process for each listing."""
    with start_python(OUR_CLI) as ours, start_python(AWS_CLI) as aws:
        workers = {OUR_CLI: ours, AWS_CLI: aws}
        for worker in workers.values():
            worker.list_once(url, PAGE_SIZE)  # compiles modules
        return {
            size: interleave(
                rounds,
                {name: partial(worker.list_once, url, size) for name, worker in workers.items()},
                warm_up=False,
            )
            for size in sizes
        }


def build_others(folder: Path) -> tuple[dict[str, Start], list[str]]:
    """Build the contenders beyond Python, and return their versions as well."""
    npm = ("npm", "install", "--silent", "--prefix", folder, "@aws-sdk/client-iot")
    subprocess.run(npm, check=True)
    modules, go = folder / "node_modules", folder / "contender-go"
    package = json.loads((modules / "@aws-sdk/client-iot/package.json").read_text())
    # Debian keeps the sources of Go packages in a GOPATH.
    path = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "cache")}
    build = ("go", "build", "-o", go, HERE / "contender.go")
    subprocess.run(build, check=True, env={**os.environ, **path})
    debian = ("dpkg-query", "-W", "-f", "${Version}", "golang-github-aws-aws-sdk-go-v2-dev")
    go_sdk, go_version, node_version = (
        subprocess.check_output(command, text=True).strip()
        for command in (debian, ("go", "env", "GOVERSION"), ("node", "--version"))
    )
    javascript = partial(Worker, "node", HERE / "contender.cjs", NODE_PATH=str(modules))
    return {JAVASCRIPT: javascript, GO: partial(Worker, go)}, [
        f"{JAVASCRIPT} {package['version']} on Node.js {node_version}",
        f"{GO} {go_sdk} (Debian's package) with {go_version}",
    ]


def measure(options: argparse.Namespace, stack: ExitStack) -> dict[str, object]:
    """Measure everything. The command lines come last, because they take longest."""
    began, rounds, few = time.monotonic(), options.rounds, min(3, options.rounds)
    many = min(100_000, max(options.sizes))
    others: dict[str, Start] = {}
    versions = [f"{name} {version(name)}" for name in ("boto3", "botocore", "awscli")]
    if options.others:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        others, more = build_others(Path(folder))
        versions += more
    sizes = {options.executions, PAGE_SIZE, PAGES * PAGE_SIZE, many, *options.sizes}
    latencies = sorted({latency for latency, _ in SITUATIONS})
    services = [{"latency": latency} for latency in latencies]
    urls = stack.enter_context(served({str(size): size for size in sizes}, *services))
    url, usual = urls[0], platform.python_version()

    starts: dict[tuple[str, str, str], Start] = {
        (usual, UTC, name): partial(start_python, name)
        for name in (BOTO3, OURS, PREFETCH, LIMIT, FLOOR, JSON)
    }
    if options.aiobotocore:
        starts[usual, UTC, AIOBOTOCORE] = partial(
            start_python, AIOBOTOCORE, PYTHONPATH=options.aiobotocore
        )
    starts |= {(usual, UTC, name): start for name, start in others.items()}
    for python in [sys.executable, *options.python]:
        code = "import platform; print(platform.python_version())"
        number = subprocess.check_output([python, "-c", code], text=True).strip()
        for zone, rules in ZONES.items():
            for name in (BOTO3, OURS, LIMIT, JSON):
                start = partial(start_python, name, python, TZ=rules)
                starts.setdefault((number, zone, name), start)
    fresh: dict[str, Start] = {
        name: partial(start_python, name) for name in (BOTO3, OURS, OURS_BOTOCORE)
    } | others
    most = max(options.sizes)
    parts: dict[str, Callable[[], object]] = {
        "cpu": lambda: measure_cpu(rounds, url, options.executions, starts),
        "fresh": lambda: interleave(
            rounds, {name: partial(start_fresh, start, url) for name, start in fresh.items()}
        ),
        "situations": lambda: measure_situations(few, dict(zip(latencies, urls, strict=True))),
        "kept": lambda: {name: keep_all(name, url, many)["kept"] for name in (BOTO3, OURS)},
        "collected": lambda: interleave(
            few,
            {
                threshold: partial(keep_all, OURS, url, most, threshold)
                for threshold in (USUAL_THRESHOLD, 100_000)
            },
            warm_up=False,
        ),
        "commands": lambda: measure_commands(few, url, options.sizes),
    }
    results: dict[str, object] = {
        "machine": f"{os.cpu_count()} cores of {processor()}, {platform.system()}",
        "versions": versions,
        "awscli": version("awscli"),
        "usual": usual,
        "size": options.executions,
        "many": many,
        "most": most,
        "threshold": USUAL_THRESHOLD,
    }
    for name, part in parts.items():
        print(f"{time.monotonic() - began:4.0f} s: {name}", flush=True)
        results[name] = part()
    return results | {"minutes": (time.monotonic() - began) / 60}


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--rounds",
        type=int,
        default=9,
        help="rounds of the short measurements; the others have 3 at most",
    )
    add("--executions", type=int, default=10_000, metavar="N", help="the size of the usual job")
    add(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        default=[10_000, 100_000, 1_000_000],
        metavar="N,N,...",
        help="the sizes of the jobs for whole processes and lists",
    )
    add("--others", action="store_true", help="also the SDKs for JavaScript and Go (npm, go)")
    add("--python", action="append", default=[], help="another interpreter; may be repeated")
    add("--aiobotocore", metavar="FOLDER", help="where aiobotocore and its botocore are installed")
    add("--output", type=Path, default=HERE.parent / "docs", help="the folder of the page")
    add("--json", type=Path, help="write all figures to this file, too")
    options = parser.parse_args()
    from report import write_report

    options.output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        text = json.dumps(measure(options, stack))
    if options.json:
        options.json.write_text(text)
    write_report(json.loads(text), options.output)


if __name__ == "__main__":
    main()
