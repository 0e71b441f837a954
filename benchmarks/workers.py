"""Runs the contenders, each in a process of its own, one after another in each round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from contenders import Measured
from typing_extensions import Self

UTC = "UTC0"

K = TypeVar("K")
Calls = Mapping[K, Callable[[], Measured]]


class Worker:
    """A process of ``contenders.py``, which lists a job for each request."""

    def __init__(self, name: str, python: str = sys.executable, zone: str = UTC) -> None:
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self._name = name
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("contenders.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**inherited, "TZ": zone},
        )

    def list_once(self, url: str, size: int, **options: float) -> Measured:
        """Return the figures of a listing of the job with ``size`` executions."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"url": url, "job_id": str(size), **options}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        measured: Measured = json.loads(self._process.stdout.readline())
        if measured["count"] != size:
            raise SystemExit(f"{self._name} listed {measured['count']:.0f} of {size}")
        return measured

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()


def interleave(rounds: int, calls: Calls[K]) -> dict[K, list[Measured]]:
    """Call each in every round, after a first round that is dropped."""
    found: dict[K, list[Measured]] = {key: [] for key in calls}
    for number in range(rounds + 1):
        for key, call in calls.items():
            measured = call()
            if number > 0:
                found[key].append(measured)
    return found
