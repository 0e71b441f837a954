"""Writes the benchmark's figures as a page of the documentation, with two charts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from contenders import (
    AWS_CLI,
    BOTO3,
    GO,
    JAVASCRIPT,
    JSON,
    LIMIT,
    OUR_CLI,
    OURS,
    PACED,
    PACED_PREFETCH,
    PAGE_SIZE,
    PREFETCH,
    UTC,
    Measured,
)
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2980B9", "#D55E00", "#777777"  # legible on white and on black
MIB = 2**20

PAGE = """# Benchmarks

This page compares the cost of a listing with that of other clients. `python -m nox -s benchmark`
measured everything side by side in {minutes:.0f} minutes and wrote the page. In each round, all
contenders list the same job in pages of 250, one after another, from a service on loopback in
another process. Machines differ and are noisy, so trust the ratios. Each figure is the median over
the rounds, with the smallest and the largest; a ratio compares two figures of the same round.

CPU time is not elapsed time: AWS allows ten requests per second for an account, which is one page
per 100 ms. Each contender needs less than that for a page, so [at the quota](#elapsed-time) a
listing takes as long with any of them. CPU time counts if the machine has other work, or if you pay
for it.

Measured on {machine}, with {versions}.

## CPU time

A job of {size:,} executions on CPython {usual}, listed by a process that has listed before:

| | CPU per execution | relative to boto3 (lower is better) | relative to {limit} | peak memory |
| --- | --- | --- | --- | --- |
{cpu}

```{{image}} benchmarks.svg
:alt: CPU time per execution
:width: 420px
```

*{limit}* is botocore's request and response, and `json.loads` of the body: the least that any
library on botocore needs. *http.client + json.loads* has no signature, no retries and no objects.
{others}

## Interpreters and time zones

boto3 converts each time to the local zone. In a zone with daylight saving, it looks up for each
whether daylight saving applied then. iotjobs_client returns times in UTC.

| | {boto3} | {ours} | relative to boto3 (lower is better) | relative to {limit} |
| --- | --- | --- | --- | --- |
{interpreters}

This is how the CPU time of iotjobs_client divides:

| | botocore's request and response | JSON | iotjobs_client itself |
| --- | --- | --- | --- |
{shares}

botocore resolves the endpoint, builds and signs the request, sends it through urllib3 and calls its
event handlers. This cannot be reduced without botocore's private parts. CPython's own parser reads
the JSON. iotjobs_client itself checks the response and builds the objects with their times.

## Elapsed time

This is the elapsed time of a page, if the service takes the first time for a request and the
consumer works for the second on each page. The last two columns have
`requests_per_second=10`, AWS's quota.

| request | consumer | {boto3} | {ours} | with `prefetch` | at quota | at quota, `prefetch` |
| --- | --- | --- | --- | --- | --- | --- |
{situations}

**`prefetch=True` pays if a request and your work on a page take more than 100 ms together.** Below
that, the quota sets the pace, and the consumer can work in the pauses. Above it, a page takes the
longer of the two times instead of their sum. It does not shorten the requests themselves: each
needs the token of the page before.

## Start

A fresh process, from its start to the end of one page:

| | elapsed | CPU | CPU relative to boto3 (lower is better) |
| --- | --- | --- | --- |
{fresh}

boto3 also loads `s3transfer` and its resources, which this operation does not need. If the
milliseconds of a cold start matter, pass `IoTJobsClient` a client of botocore's own session and
never import boto3.

## Lists in memory

A list of {many:,} executions takes {kept_ours:.0f} MiB. boto3's dictionaries of the same
executions take {kept_boto3:.0f} MiB, {kept_ratio:.1f} times as much.

Python's garbage collector starts after each {threshold:,} new objects, and from time to time it
examines the whole list. After `gc.set_threshold(100_000)`, a list of {most:,} executions took
{collected} of the CPU time. A loop that keeps nothing does not need this. Set the threshold back
after the listing if the program makes cyclic garbage.

## From the shell

These are whole processes, from start to end, with their output read through a pipe: `iotjobs list
--format ndjson` and the AWS CLI {awscli} (version 1, the one in the Python package index) with
`--output json`.

| executions | | CPU | first row after | all rows after | peak memory |
| --- | --- | --- | --- | --- | --- |
{commands}

```{{image}} benchmarks-memory.svg
:alt: Peak memory of iotjobs list and the AWS CLI for growing jobs
:width: 420px
```

The AWS CLI keeps all executions until the listing ends, so its memory grows with the job.
`iotjobs list` writes each page when it arrives.

## Run it yourself

`python -m nox -s benchmark` needs Linux, two idle cores, and Python 3.11. It also uses 3.13 if that
is found. `-- --others` adds the SDKs for JavaScript and Go, and needs `npm` and Debian's packages
`golang-go` and `golang-github-aws-aws-sdk-go-v2-dev`. A small run takes less than two minutes:

```console
$ python -m nox -s benchmark -- --rounds 1 --sizes 1000,10000 --output FOLDER
```
"""


def spread(values: Sequence[float], digits: int = 2, unit: str = "") -> str:
    """Format values such as ``5.2 (4.9 to 5.8)``, or as one number if they are equal."""
    median, least, most = statistics.median(values), min(values), max(values)
    if least == most:
        return f"{median:.{digits}f}{unit}"
    return f"{median:z,.{digits}f}{unit} ({least:z,.{digits}f} to {most:,.{digits}f})"


def ratios(found: Iterable[Measured], base: Iterable[Measured], what: str = "cpu") -> list[float]:
    """Divide the figures of each round."""
    return [one[what] / other[what] for one, other in zip(found, base, strict=True)]


def scaled(found: Iterable[Measured], what: str, factor: float) -> list[float]:
    """Return the figures in another unit."""
    return [one[what] * factor for one in found]


def rows(table: Iterable[Sequence[str]]) -> str:
    """Format the body of a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def page_times(found: Iterable[Measured], pause: float) -> list[float]:
    """Return the milliseconds per page between the first and the last page."""
    return [
        (one["wall"] - one["first"] - pause) * 1000 / (one["count"] / PAGE_SIZE - 1)
        for one in found
    ]


def share_rows(cpu: Mapping[tuple[str, str], Mapping[str, list[Measured]]]) -> str:
    """Format how this library's CPU time divides, for each interpreter in UTC."""
    table = []
    for (version, zone), found in cpu.items():
        if zone == UTC:
            limits, parsed = ratios(found[LIMIT], found[OURS]), ratios(found[JSON], found[OURS])
            request = [(limit - json) * 100 for limit, json in zip(limits, parsed, strict=True)]
            parts = (
                request,
                [each * 100 for each in parsed],
                [100 - each * 100 for each in limits],
            )
            table.append((f"CPython {version}", *(spread(part, 0, "%") for part in parts)))
    return rows(table)


def command_rows(commands: Mapping[str, Mapping[str, list[Measured]]]) -> str:
    """Format the figures of the command lines, and their ratios."""
    table = []
    for size, found in commands.items():
        for name, runs in found.items():
            table.append(
                (
                    f"{int(size):,}",
                    f"`{name}`",
                    *(
                        spread(scaled(runs, what, 1), unit=" s")
                        for what in ("cpu", "first", "wall")
                    ),
                    spread(scaled(runs, "peak", 1 / MIB), 0, " MiB"),
                )
            )
        relative = (
            f"**{spread(ratios(found[OUR_CLI], found[AWS_CLI], what))}**"
            for what in ("cpu", "first", "wall", "peak")
        )
        table.append((f"{int(size):,}", "relative to `aws` (lower is better)", *relative))
    return rows(table)


def write_report(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``benchmarks.md``, ``benchmarks.svg`` and ``benchmarks-memory.svg``."""
    cpu: dict[tuple[str, str], dict[str, list[Measured]]] = {}
    for version, zone, name, found in results["cpu"]:
        cpu.setdefault((version, zone), {})[name] = found
    usual = cpu[results["usual"], UTC]
    size, fresh, kept = results["size"], results["fresh"], results["kept"]
    per_execution = {name: scaled(found, "cpu", 1e6 / size) for name, found in usual.items()}
    default, raised = results["collected"].values()
    page = PAGE.format(
        **{name: results[name] for name in ("machine", "minutes", "size", "usual", "many", "most")},
        **{name: results[name] for name in ("awscli", "threshold")},
        versions=", ".join(results["versions"]),
        limit=LIMIT,
        boto3=BOTO3,
        ours=OURS,
        cpu=rows(
            (
                name,
                spread(per_execution[name], 1, " µs"),
                spread(ratios(found, usual[BOTO3])),
                spread(ratios(found, usual[LIMIT])),
                f"{max(scaled(found, 'peak', 1 / MIB)):.0f} MiB",
            )
            for name, found in usual.items()
            if name != JSON
        ),
        others=OTHERS if GO in usual else NO_OTHERS,
        interpreters=rows(
            (
                f"CPython {version}, {zone}",
                *(
                    spread(scaled(found[name], "cpu", 1e6 / size), 1, " µs")
                    for name in (BOTO3, OURS)
                ),
                spread(ratios(found[OURS], found[BOTO3])),
                spread(ratios(found[OURS], found[LIMIT])),
            )
            for (version, zone), found in cpu.items()
        ),
        shares=share_rows(cpu),
        situations=rows(
            (
                f"{latency * 1000:.0f} ms",
                f"{pause * 1000:.0f} ms",
                *(
                    spread(page_times(found[name], pause), 0, " ms")
                    for name in (BOTO3, OURS, PREFETCH, PACED, PACED_PREFETCH)
                ),
            )
            for latency, pause, found in results["situations"]
        ),
        fresh=rows(
            (
                name,
                spread(scaled(found, "wall", 1000), 0, " ms"),
                spread(scaled(found, "cpu", 1000), 0, " ms"),
                spread(ratios(found, fresh[BOTO3])),
            )
            for name, found in fresh.items()
        ),
        kept_ours=kept[OURS] / MIB,
        kept_boto3=kept[BOTO3] / MIB,
        kept_ratio=kept[BOTO3] / kept[OURS],
        collected=spread(ratios(raised, default)),
        commands=command_rows(results["commands"]),
    )
    (folder / "benchmarks.md").write_text(page)
    draw_cpu(per_execution, folder / "benchmarks.svg")
    draw_memory(results["commands"], folder / "benchmarks-memory.svg")


OTHERS = """The SDK for Go is the one that Debian has, which is some years old. Both SDKs run in a
process that keeps its client, like the contenders in Python."""
NO_OTHERS = "`-- --others` adds the SDKs for JavaScript and Go."


def new_chart(height: float) -> tuple[Figure, Any]:
    """Return a chart that is legible at 390 px, on light and dark pages."""
    grey = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    mpl.rcParams.update(dict.fromkeys(grey, GREY))
    mpl.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "iotjobs-client", "font.size": 11})
    figure = Figure(figsize=(4.2, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_facecolor("none")
    return figure, axes


def to_errors(values: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the distances from each median to the smallest and the largest value."""
    medians = [statistics.median(each) for each in values]
    low = [median - min(each) for median, each in zip(medians, values, strict=True)]
    return [low, [max(each) - median for median, each in zip(medians, values, strict=True)]]


def draw_cpu(per_execution: Mapping[str, Sequence[float]], file: Path) -> None:
    """Draw a bar for each contender, with its name and median above it."""
    names = [name for name in (BOTO3, OURS, JAVASCRIPT, GO, LIMIT) if name in per_execution]
    values = [per_execution[name] for name in names]
    medians = [statistics.median(each) for each in values]
    figure, axes = new_chart(0.9 + 0.62 * len(names))
    places = range(len(names))
    colours = [BLUE if name == OURS else "#AAAAAA" for name in names]
    error = {"ecolor": ORANGE, "capsize": 4, "elinewidth": 1.5}
    axes.barh(places, medians, 0.4, color=colours, xerr=to_errors(values), error_kw=error)
    for place, name, median in zip(places, names, medians, strict=True):
        weight = "bold" if name == OURS else "normal"
        axes.text(0, place - 0.28, f"{name}: {median:.1f} µs", va="bottom", weight=weight)
    axes.set_ylim(len(names) - 0.7, -0.7)
    axes.set_yticks([])
    axes.set_xlim(left=0)
    axes.set_xlabel("µs of CPU per execution (lower is better)")
    figure.savefig(file, metadata={"Date": None}, transparent=True)


def draw_memory(commands: Mapping[str, Mapping[str, list[Measured]]], file: Path) -> None:
    """Draw a line for each command, with its name above the last point."""
    figure, axes = new_chart(3)
    sizes = [int(size) for size in commands]
    for name, colour in ((AWS_CLI, GREY), (OUR_CLI, BLUE)):
        values = [scaled(found[name], "peak", 1 / MIB) for found in commands.values()]
        medians = [statistics.median(each) for each in values]
        axes.errorbar(
            sizes, medians, to_errors(values), marker="o", color=colour, ecolor=ORANGE, capsize=4
        )
        axes.annotate(
            f"{name}: {medians[-1]:,.0f} MiB",
            (sizes[-1], medians[-1]),
            xytext=(0, 8),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(25, 4_000)
    axes.set_yticks([50, 200, 1_000], ["50", "200", "1,000"])
    axes.set_xlabel("executions")
    axes.set_ylabel("peak memory in MiB")
    figure.savefig(file, metadata={"Date": None}, transparent=True)
