"""A listing makes no request before it is needed, and can be repeated.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    paginate,
)
from support import JOB_ID, FleetClient, ScriptedClient

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionIterator,
    JobExecutionPageIterator,
    JobExecutionStatus,
)
from iotjobs_client.testing import make_fleet


def test_nothing_is_requested_before_the_first_item() -> None:
    """Building a paginator and its iterators makes no request."""
    client = ScriptedClient()
    paginator = paginate(client)
    iter(paginator)
    paginator.pages()
    assert client.calls == []


def test_a_page_is_requested_with_its_first_item() -> None:
    """Each page costs one request, which is made when its first item is requested."""
    client = FleetClient(make_fleet(5))
    executions = iter(paginate(client, page_size=2, prefetch=False))
    calls = []
    for _ in range(5):
        next(executions)
        calls.append(len(client.calls))
    assert calls == [1, 1, 2, 2, 3]


def test_each_loop_is_a_separate_listing() -> None:
    """A paginator yields every execution in each loop, even if loops interleave."""
    fleet = make_fleet(5)
    paginator = paginate(FleetClient(fleet), page_size=2)
    assert list(paginator) == list(paginator) == fleet
    assert list(zip(paginator, paginator, strict=True)) == list(zip(fleet, fleet, strict=True))


def test_paginators_are_compared_by_identity() -> None:
    """Each is a listing of its own, and can be a key of a dict."""
    client = IoTJobsClient(ScriptedClient())
    one, other = (client.list_job_executions_for_job(JOB_ID) for _ in range(2))
    assert one != other
    assert {one: 1}[one] == 1


def test_an_iterator_is_its_own_iterator() -> None:
    """``iter()`` returns the iterator itself, and an exhausted iterator stays exhausted."""
    client = FleetClient(make_fleet(3))
    paginator = paginate(client)
    executions, pages = iter(paginator), paginator.pages()
    assert isinstance(executions, JobExecutionIterator)
    assert isinstance(pages, JobExecutionPageIterator)
    for iterator in (executions, pages):
        assert iter(iterator) is iterator
        assert list(iterator) != []
        count = len(client.calls)
        assert list(iterator) == []
        assert next(iterator, None) is None
        assert len(client.calls) == count


def test_the_repr_of_a_paginator_hides_the_token() -> None:
    """The attributes are the normalized arguments, and the repr is safe to log."""
    first = iter(paginate(FleetClient(make_fleet(3)), status="FAILED"))
    token = first.resume_token
    assert token is not None
    paginator = paginate(ScriptedClient(), status="FAILED", max_items=7, resume_token=token)
    assert (paginator.job_id, paginator.status, paginator.page_size) == (
        JOB_ID,
        (JobExecutionStatus.FAILED,),
        250,
    )
    assert (paginator.max_items, paginator.resume_token) == (7, token)
    assert JOB_ID in repr(paginator)
    assert token not in repr(paginator)
