"""Pages are those of the service.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    make_executions,
    paginate,
)
from support import FleetClient, ScriptedClient

from iotjobs_client.testing import make_fleet, make_response


def test_pages_are_the_pages_of_the_service() -> None:
    """Each page, even an empty one, has the service's executions, token and request ID."""
    a, b, c = make_executions("a", "b", "c")
    client = ScriptedClient(
        {**make_response([a, b], "t1"), "ResponseMetadata": {"RequestId": "r1"}},
        make_response([], "t2"),
        make_response([c]),
    )
    pages = list(paginate(client).pages())
    assert [page.executions for page in pages] == [(a, b), (), (c,)]
    assert [page.next_token for page in pages] == ["t1", "t2", None]
    assert [page.request_id for page in pages] == ["r1", None, None]
    assert [page.resume_token is None for page in pages] == [False, False, True]


def test_a_page_has_the_resume_token_after_it() -> None:
    """Its ``resume_token`` yields the rest, and equals the iterator's after that page."""
    fleet = make_fleet(7)
    pages = paginate(FleetClient(fleet), page_size=3).pages()
    first = next(pages)
    assert pages.resume_token == first.resume_token
    rest = paginate(FleetClient(fleet), resume_token=first.resume_token)
    assert [*first.executions, *rest] == fleet


def test_an_empty_page_with_a_token_does_not_end_a_listing() -> None:
    """Only a response without a token ends a listing."""
    (a,) = make_executions("a")
    script = [make_response([], f"t{number}") for number in range(1000)]
    assert list(paginate(ScriptedClient(*script, make_response([a])))) == [a]


def test_an_empty_listing_ends_at_once() -> None:
    """A job without executions yields nothing and raises no error."""
    assert list(paginate(ScriptedClient({}))) == []
    assert [page.executions for page in paginate(ScriptedClient({})).pages()] == [()]
