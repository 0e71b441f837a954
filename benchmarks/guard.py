"""Fails if this library needs more than a third of the CPU time of boto3's paginator.

It needs about a sixth. The limit is higher because machines are noisy, and still finds a return to
botocore's parsing, which would cost at least three quarters of the difference.
"""

from __future__ import annotations

import statistics
from functools import partial

from contenders import BOTO3, OURS
from service import served
from workers import Worker, interleave

HIGHEST_RATIO = 1 / 3
ROUNDS = 7
SIZE = 5_000


def main() -> None:
    """List the same job with both, one after the other."""
    with (
        served({SIZE}, {}) as (url,),
        Worker(BOTO3) as boto3,
        Worker(OURS) as ours,
    ):
        workers = {BOTO3: boto3, OURS: ours}
        calls = {name: partial(each.list_once, url, SIZE) for name, each in workers.items()}
        found = interleave(ROUNDS, calls)
    ratios = [a["cpu"] / b["cpu"] for a, b in zip(found[OURS], found[BOTO3], strict=True)]
    median = statistics.median(ratios)
    print(f"CPU time relative to boto3's paginator: {median:.2f}; allowed: {HIGHEST_RATIO:.2f}")
    if median > HIGHEST_RATIO:
        raise SystemExit("listing became slower")


if __name__ == "__main__":
    main()
