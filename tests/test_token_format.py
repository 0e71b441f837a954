"""Format 1 of resume tokens: tokens that users have stored must work with later versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from support import JOB_ID, FleetClient, ScriptedClient, forge

from iotjobs_client import (
    InvalidArgumentError,
    IoTJobsClient,
    JobExecutionPaginator,
    JobExecutionSummary,
)
from iotjobs_client.testing import make_response

# Made by version 1 of the format. Never change them: they stand for the tokens of users.
AT_THE_START = "V5wJF9vCArtbMSwgImZpcm13YXJlLTQyIiwgW10sIDAsIG51bGwsIDUwMF0K"
AFTER_ONE = "VYi6MWgAvUdbMSwgImZpcm13YXJlLTQyIiwgW10sIDAsIG51bGwsIDUwMF0K-CebgI6x"
WITH_STATUSES = (
    "FzDdsu-WYGVbMSwgImZpcm13YXJlLTQyIiwgWyJGQUlMRUQiLCAiVElNRURfT1VUIl0sIDAsICIyIiwgNTAwXQqx"
    "Mnpn3Ow"
)
TOKENS: list[tuple[str, int, int, Sequence[str] | None]] = [
    (AT_THE_START, 2, 0, None),
    (AFTER_ONE, 3, 1, None),
    (WITH_STATUSES, 2, 3, ("FAILED", "TIMED_OUT")),
]


def execution(number: int) -> JobExecutionSummary:
    """Return an execution that is the same in each version of the library."""
    arn = f"arn:aws:iot:eu-west-1:123456789012:thing/pump-{number}"
    return JobExecutionSummary(thing_arn=arn, status="FAILED", execution_number=number)


FLEET = [execution(number) for number in range(5)]


def listing(client: Any, **options: Any) -> JobExecutionPaginator:
    return IoTJobsClient(client).list_job_executions_for_job(JOB_ID, **options)


@pytest.mark.parametrize(("token", "page_size", "taken", "status"), TOKENS)
def test_a_stored_token_goes_on_where_it_was_made(
    token: str, page_size: int, taken: int, status: Sequence[str] | None
) -> None:
    """A token of format 1 resumes right after what was yielded before."""
    client = FleetClient(FLEET)
    rest = listing(client, page_size=page_size, status=status, resume_token=token)
    assert list(rest) == FLEET[taken:]


@pytest.mark.parametrize(("token", "page_size", "taken", "status"), TOKENS)
def test_tokens_are_of_format_1(
    token: str, page_size: int, taken: int, status: Sequence[str] | None
) -> None:
    """Another format needs another number, and a change of these tokens."""
    executions = iter(listing(FleetClient(FLEET), page_size=page_size, status=status))
    assert [next(executions) for _ in range(taken)] == FLEET[:taken]
    assert executions.resume_token == token


@pytest.mark.parametrize(
    ("last_length", "is_listed_again"), [(248, False), (249, True)], ids=["within", "beyond"]
)
def test_an_execution_that_left_is_forgotten(last_length: int, *, is_listed_again: bool) -> None:
    """Among the next 500 executions one that was yielded is left out; after them it is new."""
    first = execution(0)
    executions = iter(listing(ScriptedClient(make_response([first, execution(1)]))))
    assert next(executions) == first
    pages = [
        make_response([execution(1)], "a"),
        make_response([execution(number) for number in range(2, 252)], "b"),
        make_response([execution(number) for number in range(252, 252 + last_length)], "c"),
        make_response([first]),
    ]
    resumed = listing(ScriptedClient(*pages), resume_token=executions.resume_token)
    found = list(resumed)
    assert (found[-1] == first) is is_listed_again
    assert len(found) == 251 + last_length + is_listed_again


def test_a_forgotten_execution_leaves_the_token() -> None:
    """Once the listing looks for no execution, its token is that of a listing without a past."""
    start = make_response([execution(0), execution(1)])
    executions = iter(listing(ScriptedClient(start)))
    next(executions)
    pages = [make_response([execution(number) for number in range(1, 501)], "a")]
    resumed = listing(ScriptedClient(*pages), resume_token=executions.resume_token).pages()
    fresh = listing(ScriptedClient(*pages)).pages()
    assert next(resumed).resume_token == next(fresh).resume_token


@pytest.mark.parametrize(
    "head",
    [
        pytest.param('[1, "firmware-42", [], 1, null, 500]', id="index-without-statuses"),
        pytest.param('[1, "firmware-42", [], -1, null, 500]', id="negative-index"),
        pytest.param('[1, "firmware-42", ["FAILED"], 1, null, 500]', id="index-too-large"),
        pytest.param('[1, "firmware-42", [], 0, "\\ud800", 500]', id="lone-surrogate"),
        pytest.param('[1, "firmware-42", [], 0, 5, 500]', id="number-for-token"),
        pytest.param('[1, "firmware-42", [], 0, [], 500]', id="list-for-token"),
        pytest.param('[1, "firmware-42", [], 0, {}, 500]', id="object-for-token"),
        pytest.param('[1, "firmware-42", [], "0", null, 500]', id="text-for-index"),
        pytest.param('[1, "firmware-42", [], 0, null, "500"]', id="text-for-reach"),
        pytest.param("[1, 42, [], 0, null, 500]", id="number-for-job"),
        pytest.param('[1, "firmware-42", 5, 0, null, 500]', id="number-for-statuses"),
        pytest.param('[1, "firmware-42", [], 0, null]', id="too-short"),
        pytest.param('[1, "firmware-42", [], 0, null, 500, 0]', id="too-long"),
        pytest.param('["1", "firmware-42", [], 0, null, 500]', id="text-for-version"),
        pytest.param("{}", id="object"),
    ],
)  # fmt: skip
def test_a_token_with_other_members_is_refused(head: str) -> None:
    """A valid checksum, which anybody can compute, does not make the content valid."""
    with pytest.raises(InvalidArgumentError, match="complete and unchanged"):
        listing(ScriptedClient(), resume_token=forge(head.encode() + b"\n"))
