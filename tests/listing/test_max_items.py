"""``max_items`` limits a listing, which can be resumed after the limit.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

import itertools

import pytest
from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    paginate,
)
from support import FleetClient

from iotjobs_client.testing import make_execution, make_fleet


@pytest.mark.parametrize("max_items", range(1, 9))
def test_max_items_limits_items_and_pages(max_items: int) -> None:
    """The token resumes after the limit, and no token is left at the end of the job."""
    fleet = make_fleet(7)
    paginator = paginate(FleetClient(fleet), page_size=3, max_items=max_items)
    executions = iter(paginator)
    assert list(executions) == fleet[:max_items]
    pages = paginator.pages()
    page_list = list(pages)
    by_page = [page.executions for page in page_list]
    assert list(itertools.chain(*by_page)) == fleet[:max_items]
    assert all(by_page)
    for token in (executions.resume_token, pages.resume_token, page_list[-1].resume_token):
        assert (token is None) is (max_items >= len(fleet))
        if token is not None:
            rest = paginate(FleetClient(fleet), page_size=2, resume_token=token)
            assert list(rest) == fleet[max_items:]


def test_no_page_is_requested_beyond_the_limit() -> None:
    """A limit at the end of a page causes no further request."""
    client = FleetClient(make_fleet(10))
    assert len(list(paginate(client, page_size=5, max_items=5))) == 5
    assert len(client.calls) == 1


def test_the_limit_applies_over_all_statuses() -> None:
    """Executions of all statuses count towards one limit."""
    fleet = [make_execution(f"thing-{n}", s) for n, s in enumerate(["QUEUED", "FAILED"] * 3)]
    executions = iter(paginate(FleetClient(fleet), status=["FAILED", "QUEUED"], max_items=4))
    assert [e.status for e in executions] == ["QUEUED"] * 3 + ["FAILED"]
    rest = paginate(
        FleetClient(fleet), status=["FAILED", "QUEUED"], resume_token=executions.resume_token
    )
    assert [e.thing_name for e in rest] == ["thing-3", "thing-5"]
