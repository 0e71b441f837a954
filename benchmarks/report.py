"""What the benchmark found, as the page and the chart of the documentation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from contenders import CLI, FLOOR, OUR_CLI, OURS, PREFETCH, RAW
from matplotlib.figure import Figure

OURS_COLOUR, OTHERS_COLOUR, FLOOR_COLOUR = "#0072B2", "#999999", "#E69F00"  # told apart by all
GREY = "#808080"  # can be read on white and on black

PAGE = """# Benchmarks

This page compares the cost of a listing with the alternatives. `python -m nox -s benchmark`
measured it in {minutes:.1f} minutes and wrote the page. Each contender lists the same job
of {size:,} executions in pages of 250 (a quarter of it if requests take time), in turn, from a
service on loopback in another process. Machines differ and are noisy, so trust the ratios: each is
the median of those within a round, with the smallest and the largest.

Measured on {machine}; the local zone is UTC unless it says otherwise.

## CPU

| | CPU per execution | times less than boto3's paginator | times the floor | first execution |
| --- | --- | --- | --- | --- |
{cpu}

```{{image}} benchmarks.svg
:alt: CPU time per execution, and time per page as listings get longer
:width: 100%
```

The floor is `http.client` with `json.loads`: no signature, no retries, no objects. If the local
zone has daylight saving, boto3 pays more for each time that it converts, because it looks up
whether daylight saving applied then.

## Where the time goes

| | CPU per page of 250, in ms |
| --- | --- |
{profile}

The largest part is botocore's own work for a request: it resolves the endpoint, builds and signs
the request, sends it through urllib3 and calls its event handlers. That costs the same for a page
of one execution, and cannot be reduced without botocore's private parts. CPython's own parser
reads the JSON; the objects with their times cost about as much as that.

## Elapsed time

Relative to boto3's paginator; below 1 is faster.

| | no latency | 20 ms per request | 100 ms per request |
| --- | --- | --- | --- |
{wall}

If the consumer works 20 ms on each page, as long as the service takes, a listing with
`prefetch=True` takes **{slow_consumer}** of the time without.

## Start

| In a fresh process | Time |
| --- | --- |
{start}

boto3 also loads `s3transfer` and its resources, which this operation does not need. If the
milliseconds of a cold start matter, pass `IoTJobsClient` a client of botocore's own session, as in
the last row, and never import boto3.

## Memory

| | peak memory of the process |
| --- | --- |
{peak}

A list of 100,000 executions takes {kept_ours:.0f} MiB; boto3's dictionaries of the same take
{kept_raw:.0f} MiB, {kept_ratio:.1f} times as much.

## From the shell

A job of {large:,} executions, from the start of the process to its end:

| | first row after | all rows after | peak memory |
| --- | --- | --- | --- |
{commands}

`iotjobs list` takes {first_share} of the AWS CLI's time to the first row, {wall_share} of its
time to the last, and {peak_share} of its memory. The AWS CLI keeps everything that it lists, so
it takes more memory for larger jobs; `iotjobs list` takes the same for any, most of it for boto3
and its model of the service.

## Growth

| Pages | Time per page | Memory grew by at most |
| --- | --- | --- |
{growth}

On logarithmic scales, the slope is {slope:.3f} from ten pages on; 1 would be time in proportion
to the number of pages. 4,000 pages are 1,000,000 executions.
"""


def median_and_spread(values: Sequence[float], digits: int = 1) -> str:
    """Such as ``5.2 (4.9 to 5.8)``."""
    median = f"{statistics.median(values):.{digits}f}"
    return f"{median} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratios(
    above: Iterable[Mapping[str, float]], below: Iterable[Mapping[str, float]], what: str
) -> list[float]:
    """Those of each round."""
    return [a[what] / b[what] for a, b in zip(above, below, strict=True)]


def rows(table: Iterable[Sequence[str]]) -> str:
    """The body of a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def exponent(growth: Mapping[int, float]) -> float:
    """Of the power of the number of pages with which the time grows."""
    points = [(math.log(n), math.log(n * each)) for n, each in growth.items() if n > 1]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def command_lines(found: Mapping[str, list[Mapping[str, float]]]) -> dict[str, Any]:
    """What the page says of the command lines."""
    return {
        "large": round(found[CLI][0]["count"]),
        "commands": rows(
            (
                f"`{name.partition(',')[0]}`",
                f"{statistics.median(one['first'] for one in measured):.2f} s",
                f"{statistics.median(one['wall'] for one in measured):.2f} s",
                f"{max(one['peak'] for one in measured) / 2**20:.0f} MiB",
            )
            for name, measured in found.items()
        ),
        **{
            f"{what}_share": median_and_spread(ratios(found[OUR_CLI], found[CLI], what), 2)
            for what in ("first", "wall", "peak")
        },
    }


def write_report(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``benchmarks.md`` and ``benchmarks.svg``."""
    compared, size = results["compared"], results["size"]
    quick = compared[0.0]
    cost = {
        name: statistics.median(one["cpu"] for one in found) / size * 1e6
        for name, found in quick.items()
    }
    without, ahead = results["slow_consumer"][OURS], results["slow_consumer"][PREFETCH]
    growth = {pages: one["wall"] for pages, one in results["growth"].items()}
    starts, kept = results["starts"], results["kept"]
    attrs = starts.pop("import attrs")
    above = [b - a for a, b in zip(attrs, starts.pop("import iotjobs_client"), strict=True)]
    start = [
        (
            "`import iotjobs_client`, above `import attrs`",
            f"{statistics.median(above) * 1000:.1f} ms",
        )
    ]
    for name, found in starts.items():
        against = [a / b for a, b in zip(found, starts[RAW], strict=True)]
        milliseconds = statistics.median(found) * 1000
        start.append(
            (
                f"first execution: {name}",
                f"{milliseconds:.0f} ms, {median_and_spread(against, 2)} of boto3's",
            )
        )
    page = PAGE.format(
        minutes=results["minutes"],
        size=size,
        machine=results["machine"],
        cpu=rows(
            (
                name,
                f"{cost[name]:.1f} µs",
                median_and_spread(ratios(quick[RAW], found, "cpu")),
                median_and_spread(ratios(found, quick[FLOOR], "cpu")),
                f"{statistics.median(one['first'] for one in found) * 1000:.1f} ms",
            )
            for name, found in quick.items()
        ),
        profile=rows((name, f"{spent:.2f}") for name, spent in results["profile"].items()),
        wall=rows(
            (
                name,
                *(
                    median_and_spread(ratios(found[name], found[RAW], "wall"), 2)
                    for found in compared.values()
                ),
            )
            for name in quick
        ),
        slow_consumer=median_and_spread(ratios(ahead, without, "wall"), 2),
        start=rows(start),
        peak=rows(
            (name, f"{max(one['peak'] for one in found) / 2**20:.0f} MiB")
            for name, found in quick.items()
        ),
        kept_ours=kept[OURS] / 2**20,
        kept_raw=kept[RAW] / 2**20,
        kept_ratio=kept[RAW] / kept[OURS],
        growth=rows(
            (f"{n:,}", f"{one['wall'] * 1000:.2f} ms", f"{one['grown'] / 2**20:.1f} MiB")
            for n, one in results["growth"].items()
        ),
        slope=exponent(growth),
        **command_lines(results["commands"]),
    )
    (folder / "benchmarks.md").write_text(page)
    draw(cost, growth, folder / "benchmarks.svg")


def draw(cost: Mapping[str, float], growth: Mapping[int, float], file: Path) -> None:
    """The costs as bars, and below them the growth as a line; for light and dark pages."""
    plain = {"text.color": GREY, "axes.edgecolor": GREY, "axes.labelcolor": GREY}
    plain |= {"xtick.color": GREY, "ytick.color": GREY}
    mpl.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "iotjobs-client", "font.size": 12})
    mpl.rcParams.update(plain)
    figure = Figure(figsize=(8, 7.5), layout="constrained")
    bars, line = figure.subplots(2, 1, gridspec_kw={"height_ratios": [3, 2]})
    names = sorted(cost, key=lambda name: cost[name])
    colours = [
        OURS_COLOUR
        if name.startswith("iotjobs")
        else FLOOR_COLOUR
        if name == FLOOR
        else OTHERS_COLOUR
        for name in names
    ]
    drawn = bars.barh(names, [cost[name] for name in names], color=colours)
    bars.bar_label(drawn, fmt="%.1f", padding=3)
    bars.invert_yaxis()
    bars.margins(x=0.12)
    bars.set_title("CPU time per execution")
    bars.set_xlabel("µs (less is better)")
    line.plot(list(growth), [each * 1000 for each in growth.values()], "o-", color=OURS_COLOUR)
    line.set_xscale("log")
    line.set_ylim(bottom=0)
    line.set_title("Elapsed time per page")
    line.set_xlabel("pages")
    line.set_ylabel("ms per page")
    for axes in (bars, line):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_facecolor("none")
    figure.savefig(file, metadata={"Date": None}, transparent=True)
