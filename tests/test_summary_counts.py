"""A summary counts each execution of each thing once, and the module exports its functions."""

from __future__ import annotations

from random import Random

import pytest

from iotjobs_client import rollout
from iotjobs_client.rollout import summarize
from iotjobs_client.testing import make_execution

ATTEMPTS = [
    make_execution(thing, "FAILED" if number < 3 else "SUCCEEDED", execution_number=number)
    for thing in ("a", "b", "c")
    for number in (1, 2, 3)
]


@pytest.mark.parametrize("seed", range(3))
def test_each_attempt_of_each_thing_counts(seed: int) -> None:
    """The order of the listing does not matter, nor does a second listing of the same."""
    shuffled = Random(seed).sample(ATTEMPTS, len(ATTEMPTS))
    for executions in (shuffled, shuffled * 2):
        summary = summarize(executions)
        assert summary.executions == {"SUCCEEDED": 3, "FAILED": 6}
        assert summary.things == {"SUCCEEDED": 3}


def test_the_module_exports_its_public_names() -> None:
    """``from iotjobs_client.rollout import *`` imports these names."""
    assert rollout.__all__ == [
        "CurvePoint",
        "Durations",
        "RolloutSummary",
        "latest_per_thing",
        "summarize",
    ]
