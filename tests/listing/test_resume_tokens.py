"""A resume token is exact at any moment, and a wrong token is rejected.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

import builtins
import itertools
from random import Random
from typing import Any

import attrs
import pytest
from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    make_executions,
    paginate,
    throttling_error,
)
from support import JOB_ID, FleetClient, ScriptedClient, forge

from iotjobs_client import (
    InvalidArgumentError,
    IoTJobsClient,
    JobExecutionSummary,
    ThrottlingError,
)
from iotjobs_client.testing import make_execution, make_fleet, make_response


@pytest.mark.parametrize("taken", range(11))
@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 250])
def test_the_token_is_correct_at_any_moment(taken: int, page_size: int) -> None:
    """The token resumes exactly after any number of items and with any page size."""
    fleet = make_fleet(10)
    executions = iter(paginate(FleetClient(fleet), page_size=3))
    for _ in range(taken):
        next(executions)
    token = executions.resume_token
    if taken == len(fleet):
        assert token is None
    else:
        rest = paginate(FleetClient(fleet), page_size=page_size, resume_token=token)
        assert list(rest) == fleet[taken:]
        assert list(itertools.chain(*(p.executions for p in rest.pages()))) == fleet[taken:]
        assert all(page.executions for page in rest.pages())


def test_a_resumed_listing_can_be_resumed() -> None:
    """A listing can be resumed many times, with another page size each time."""
    fleet = make_fleet(40)
    found: list[JobExecutionSummary] = []
    token = None
    for page_size in itertools.cycle([7, 7, 2, 11, 3, 1]):
        part = iter(
            paginate(FleetClient(fleet), page_size=page_size, max_items=3, resume_token=token)
        )
        found += part
        assert found == fleet[: len(found)]
        token = part.resume_token
        if token is None:
            break
    assert len(found) == len(fleet)


def test_executions_that_left_a_page_hide_no_others() -> None:
    """Executions that moved up in the page are not skipped."""
    fleet = make_fleet(12, statuses=["QUEUED"])
    executions = iter(paginate(FleetClient(fleet), status="QUEUED", page_size=6))
    taken = [next(executions) for _ in range(4)]
    remaining = [e for e in fleet if e not in taken[:3]]  # The first three have started.
    rest = paginate(
        FleetClient(remaining), status="QUEUED", page_size=6, resume_token=executions.resume_token
    )
    assert [*taken, *rest] == fleet


def test_a_changed_status_does_not_repeat_an_execution() -> None:
    """An unfiltered listing yields an execution once, even if its status changes."""
    fleet = make_fleet(6, statuses=["IN_PROGRESS"])
    executions = iter(paginate(FleetClient(fleet)))
    taken = [next(executions) for _ in range(3)]
    later = [attrs.evolve(e, status="FAILED") for e in fleet]
    rest = paginate(FleetClient(later), resume_token=executions.resume_token)
    assert [*taken, *rest] == [*fleet[:3], *later[3:]]


def test_an_execution_in_a_later_status_is_yielded_again() -> None:
    """A listing by status yields it twice, with its latest state last."""
    fleet = make_fleet(6, statuses=["QUEUED"])
    executions = iter(paginate(FleetClient(fleet), status=["QUEUED", "FAILED"]))
    taken = [next(executions) for _ in range(3)]
    later = [attrs.evolve(e, status="FAILED") for e in fleet[:2]] + fleet[2:]
    rest = paginate(
        FleetClient(later), status=["QUEUED", "FAILED"], resume_token=executions.resume_token
    )
    assert [*taken, *rest] == [*fleet, *later[:2]]


def test_tokens_stay_short_after_many_resumptions() -> None:
    """A token forgets executions that left the listing, and loses no other."""
    fleet = make_fleet(1_500, statuses=["QUEUED"])
    token = None
    found: list[JobExecutionSummary] = []
    for _ in range(20):
        still_queued = FleetClient(fleet[max(len(found) - 20, 0) :])
        executions = iter(paginate(still_queued, status="QUEUED", max_items=60, resume_token=token))
        found += executions
        token = executions.resume_token
        assert token is not None
        assert len(token) < 6_000
    assert found == fleet[: 20 * 60]


@pytest.mark.parametrize("seed", range(3))
def test_an_execution_stays_yielded_while_others_leave(seed: int) -> None:
    """Resumptions yield an execution once, although a thousand others leave its first page.

    Each resumption lists less than a page, and requests the same first page as the one before.
    """
    random = Random(seed)
    fleet = make_fleet(1_200, statuses="QUEUED")
    staying = set(random.sample(fleet[:200], 3))
    service = FleetClient(list(fleet))
    found: list[JobExecutionSummary] = []
    token = None
    while True:
        part = iter(paginate(service, max_items=random.randint(40, 90), resume_token=token))
        found += part
        token = part.resume_token
        if token is None:
            break
        service.fleet = [e for e in fleet if e in staying or e not in found]
    assert found == fleet


def test_equal_executions_are_counted_separately() -> None:
    """If a stub repeats an execution, each copy is yielded once."""
    fleet = [make_execution()] * 5
    executions = iter(paginate(FleetClient(fleet), page_size=4))
    taken = [next(executions) for _ in range(2)]
    rest = paginate(FleetClient(fleet), page_size=4, resume_token=executions.resume_token)
    assert [*taken, *rest] == fleet


def test_executions_of_one_thing_are_distinguished() -> None:
    """Two executions of one thing are two executions."""
    fleet = [make_execution(execution_number=n, retry_attempt=n - 1) for n in (1, 2, 3)]
    executions = iter(paginate(FleetClient(fleet)))
    taken = [next(executions)]
    rest = paginate(FleetClient(fleet), resume_token=executions.resume_token)
    assert [*taken, *rest] == fleet


def test_a_token_is_safe_in_urls_and_in_json() -> None:
    """A token consists of letters, digits, ``-`` and ``_``, which need no quoting."""
    client = ScriptedClient(make_response(make_fleet(250), "tökén/+= \n"))
    token: str | None = ""
    executions = iter(paginate(client, status=["FAILED", "TIMED_OUT"]))
    for _ in range(249):
        next(executions)
        token = executions.resume_token
        assert token is not None
        assert token.replace("-", "").replace("_", "").isalnum()
        assert token.isascii()
    assert len(token or "") < 2_500


def test_a_lone_surrogate_in_an_arn_can_be_resumed() -> None:
    """Text that cannot be encoded, which JSON allows, does not stop a listing."""
    fleet = make_executions("\ud800", "\udfff", "7")
    executions = iter(paginate(FleetClient(fleet)))
    assert next(executions) == fleet[0]
    rest = paginate(FleetClient(fleet), resume_token=executions.resume_token)
    assert list(rest) == fleet[1:]


def test_a_token_is_made_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler can read the token while another import is under way."""
    executions = iter(paginate(FleetClient(make_fleet(2))))
    next(executions)

    def fail(name: str, *_: object) -> Any:
        raise AssertionError(name)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", fail)
        token = executions.resume_token
    assert token is not None


def test_a_long_token_of_an_error_is_complete() -> None:
    """An error cuts and redacts long texts, but not its token."""
    fleet = make_fleet(4)
    client = ScriptedClient(make_response(fleet[:2], "t" * 9_000), throttling_error())
    executions = iter(paginate(client))
    with pytest.raises(ThrottlingError) as caught:
        list(executions)
    assert caught.value.resume_token == executions.resume_token
    rest = paginate(ScriptedClient(make_response(fleet[2:])), resume_token=executions.resume_token)
    assert list(rest) == fleet[2:]


def test_the_token_of_the_service_is_sent_back_unchanged() -> None:
    """The service's token may contain any character."""
    strange = "tökén/+= \n\x00" * 50
    executions = iter(paginate(ScriptedClient(make_response(make_executions("a"), strange))))
    next(executions)
    client = ScriptedClient({})
    assert list(paginate(client, resume_token=executions.resume_token)) == []
    assert client.calls[0]["nextToken"] == strange


def test_a_damaged_token_is_rejected() -> None:
    """A changed, lost or added character is an error, whose text has only the token's length."""
    executions = iter(paginate(FleetClient(make_fleet(10)), page_size=5))
    for _ in range(7):
        next(executions)
    token = executions.resume_token
    assert token is not None
    damaged = [token[:n] + ("A" if c != "A" else "B") + token[n + 1 :] for n, c in enumerate(token)]
    damaged += [token[:n] + token[n + 1 :] for n in range(len(token))]
    damaged += [token + c for c in "A=\n é!"] + [" " + token, token + token, token.swapcase()]
    for wrong in damaged:
        complaint = f"complete and unchanged, .*; these {len(wrong)} characters are not"
        with pytest.raises(InvalidArgumentError, match=complaint) as caught:
            paginate(ScriptedClient(), resume_token=wrong)
        assert wrong not in str(caught.value)
    assert paginate(ScriptedClient(), resume_token=token).resume_token == token


@pytest.mark.parametrize(
    ("made_with", "job_id", "used_with", "complaint"),
    [
        (None, "firmware-43", None, "with status None, not of job 'firmware-43' with status None"),
        (None, JOB_ID, ["FAILED"], r"with status None, .* with status \['FAILED'\]"),
        (["FAILED"], JOB_ID, None, r"with status \['FAILED'\], .* with status None"),
        (["FAILED"], JOB_ID, ["FAILED", "QUEUED"], r"with status \['QUEUED', 'FAILED'\]"),
    ],
)
def test_a_token_of_another_listing_is_rejected(
    made_with: Any, job_id: str, used_with: Any, complaint: str
) -> None:
    """The error names the job and the statuses of both listings."""
    token = iter(paginate(FleetClient(make_fleet(3)), status=made_with)).resume_token
    client = IoTJobsClient(ScriptedClient())
    with pytest.raises(InvalidArgumentError, match=f"it is of job 'firmware-42' .*{complaint}"):
        client.list_job_executions_for_job(job_id, status=used_with, resume_token=token)


def test_a_token_of_another_format_is_rejected() -> None:
    """The error names both versions of the format."""
    token = forge(b'[2, "firmware-42", [], 0, null, 500, "more"]\n')
    with pytest.raises(InvalidArgumentError, match="of format 1, not 2"):
        paginate(ScriptedClient(), resume_token=token)


def test_the_order_of_statuses_does_not_matter() -> None:
    """A token is valid for the same statuses in any order."""
    fleet = make_fleet(50)
    executions = iter(paginate(FleetClient(fleet), status=["FAILED", "SUCCEEDED"], max_items=5))
    taken = list(executions)
    rest = paginate(
        FleetClient(fleet),
        status=("SUCCEEDED", "FAILED", "FAILED"),
        resume_token=executions.resume_token,
    )
    assert sorted(e.thing_arn for e in [*taken, *rest]) == sorted(
        e.thing_arn for e in fleet if e.status in ("FAILED", "SUCCEEDED")
    )


def test_a_page_above_the_requested_size_is_resumed_often() -> None:
    """No token forgets executions of the page, although a mock's page has more than 500."""
    fleet = make_fleet(1000)
    found: list[JobExecutionSummary] = []
    token = None
    for _ in range(4):
        client = ScriptedClient(make_response(fleet))
        part = iter(paginate(client, max_items=300, resume_token=token))
        found += part
        token = part.resume_token
    assert found == fleet
    assert token is None


def test_a_page_above_the_requested_size_is_resumed() -> None:
    """A token is exact in the middle of a thousand executions, also if pages are smaller later."""
    fleet = make_fleet(1000)
    executions = iter(paginate(ScriptedClient(make_response(fleet))))
    taken = list(itertools.islice(executions, 700))
    token = executions.resume_token
    for client in (ScriptedClient(make_response(fleet)), FleetClient(fleet)):
        assert [*taken, *paginate(client, page_size=250, resume_token=token)] == fleet
