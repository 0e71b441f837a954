"""Fails if this library has lost its lead over boto3's paginator in CPU time.

Far below what it has, since machines are noisy; a slip back to botocore's parsing shows all the
same, for it costs three quarters of the lead at least.
"""

from __future__ import annotations

import statistics

from compare import Worker, in_turn
from contenders import OURS, RAW
from service import JOB_ID, served

LEAST_RATIO = 3.0
ROUNDS = 7


def main() -> None:
    """List the same job with both, in turn."""
    with served(5_000, {}) as (url,), Worker(RAW) as raw, Worker(OURS) as ours:
        found = in_turn(
            ROUNDS,
            {
                RAW: lambda: raw.list_once(url, JOB_ID),
                OURS: lambda: ours.list_once(url, JOB_ID),
            },
        )
    ratios = [a["cpu"] / b["cpu"] for a, b in zip(found[RAW], found[OURS], strict=True)]
    median = statistics.median(ratios)
    print(f"boto3's paginator takes {median:.1f} times the CPU time; least allowed: {LEAST_RATIO}")
    if median < LEAST_RATIO:
        raise SystemExit("the lead is lost")


if __name__ == "__main__":
    main()
