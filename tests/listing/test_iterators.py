"""An iterator can be shared by threads and abandoned, but not copied.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import pickle
import threading
import tracemalloc
import weakref
from collections import Counter
from typing import Any

import pytest
from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    paginate,
    throttling_error,
)
from support import FleetClient, wait_until

from iotjobs_client import JobExecutionSummary, ThrottlingError
from iotjobs_client.testing import make_fleet, make_response


def test_memory_grows_by_a_hash_per_page_only() -> None:
    """Each page adds about 100 bytes to the memory of an iterator."""
    fleet = make_fleet(2)

    class Endless:
        def __init__(self) -> None:
            self.numbers = itertools.count()

        def list_job_executions_for_job(self, **_: Any) -> dict[str, Any]:
            return make_response(fleet, f"token-{next(self.numbers)}")

    executions = iter(paginate(Endless()))

    def advance(pages: int) -> None:
        for _ in itertools.islice(executions, pages * len(fleet)):
            pass

    def memory() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        advance(100)
        # The table of the set of hashes grows in steps.
        most = memory() + 400 * 120 + 100_000
        advance(400)
        # On a busy machine, a thread that has not run yet keeps its page for a while.
        wait_until(lambda: memory() < most)
    finally:
        tracemalloc.stop()


def test_threads_may_share_an_iterator() -> None:
    """Each execution is yielded to exactly one thread, and each page is requested once."""
    fleet = make_fleet(2_000)
    client = FleetClient(fleet)
    executions = iter(paginate(client, page_size=10))
    found: list[JobExecutionSummary] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        for execution in executions:
            found.append(execution)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.calls) == 200
    assert Counter(found) == Counter(fleet)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_iterator_cannot_be_copied_or_pickled(duplicate: Any) -> None:
    """The error names the class, and recommends to pass on the resume token instead."""
    paginator = paginate(FleetClient(make_fleet(3)))
    for iterator in (iter(paginator), paginator.pages()):
        name = type(iterator).__name__
        complaint = f"cannot copy or pickle a {name}; pass on its resume_token instead"
        with pytest.raises(TypeError, match=complaint):
            duplicate(iterator)


def test_the_repr_of_an_iterator_shows_its_listing() -> None:
    """The repr has the job but no token."""
    listing = paginate(FleetClient(make_fleet(3)))
    assert repr(iter(listing)).startswith("JobExecutionIterator(JobExecutionPaginator(job_id=")
    assert repr(listing.pages()).startswith("JobExecutionPageIterator(")


def test_an_abandoned_iterator_is_freed() -> None:
    """After an error it is freed without the garbage collector."""
    client = FleetClient(make_fleet(10))
    client.errors = {2: throttling_error()}
    executions = iter(paginate(client, page_size=3))
    reference = weakref.ref(executions)
    gc.disable()
    try:
        with contextlib.suppress(ThrottlingError):
            list(executions)
        client.errors.clear()
        del executions
        # Without the GIL, a thread that shared an object hands its references over a moment later.
        wait_until(lambda: reference() is None)
    finally:
        gc.enable()
