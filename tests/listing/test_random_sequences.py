"""Random sequences of faults, interrupts, cancellations and resumptions lose and double nothing.

``nox -s random_sequences`` runs thousands of examples, of which the tests run two hundred.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import JOB_ID, FleetClient, Loops

from iotjobs_client import IoTJobsClient, IoTJobsError, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.testing import make_execution, make_response

pytestmark = pytest.mark.one_python

executions = st.builds(
    make_execution,
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(JobExecutionStatus),
    execution_number=st.integers(1, 3),
)
fleets = st.lists(executions, max_size=25) | st.lists(executions, min_size=15, max_size=25)
statuses = st.none() | st.sets(st.sampled_from(JobExecutionStatus), min_size=1)
options = st.fixed_dictionaries(
    {
        "page_size": st.integers(1, 8),
        "prefetch": st.booleans(),
        "by_page": st.booleans(),
        "is_async": st.booleans(),
    }
)
ALL = list(JobExecutionStatus)
FAULTS: dict[str, BaseException] = {
    "lost connection": EndpointConnectionError(endpoint_url="http://x"),
    "throttled": ClientError({"Error": {"Code": "Throttling"}}, "ListJobExecutionsForJob"),
    "bug": ZeroDivisionError(),
    "interrupt": KeyboardInterrupt(),
}
CAUGHT = (IoTJobsError, ZeroDivisionError, KeyboardInterrupt)


class FaultyService(FleetClient):
    """A stand-in for the service, whose next requests have the faults in a list."""

    def __init__(self, fleet: list[JobExecutionSummary]) -> None:
        super().__init__(fleet)
        self.faults: list[str] = []

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        fault = self.faults.pop(0) if self.faults else None
        if fault in FAULTS:
            raise FAULTS[fault]
        if fault == "malformed":
            return {"executionSummaries": [{"thingArn": "x"}]}
        page = super().list_job_executions_for_job(**arguments)
        if fault == "empty":
            return make_response([], f"{self.start_of(arguments)}:{len(self.calls)}")
        if fault == "repeat" and "nextToken" in arguments:
            page["nextToken"] = arguments["nextToken"]
        return page


class RandomSequences(RuleBasedStateMachine):
    """A listing with random faults, interrupts, cancellations and resumptions."""

    def begin_with(
        self,
        fleet: list[JobExecutionSummary],
        status: set[JobExecutionStatus] | None,
        options: dict[str, Any],
    ) -> None:
        """Start a listing of some executions."""
        # Calls in threads are made at chosen moments, so that each sequence is repeatable.
        self.threads = mock.patch("_thread.start_new_thread", self.start_new_thread)
        self.threads.start()
        self.pending_calls: list[Callable[[], object]] | None = None
        self.loops = Loops()
        self.service = FaultyService(fleet)
        self.client = IoTJobsClient(self.service)
        self.status = status
        self.found: list[JobExecutionSummary] = []
        self.resume_at(None, **options)

    def start_new_thread(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Make a call at once, or keep it until ``finish_calls``."""
        if self.pending_calls is None:
            call(*arguments)
        else:
            self.pending_calls.append(partial(call, *arguments))

    def finish_calls(self) -> None:
        """Finish the running calls, and make later calls at once."""
        calls, self.pending_calls = self.pending_calls or [], None
        for call in calls:
            call()

    def resume_at(
        self, token: str | None, *, by_page: bool = False, is_async: bool = False, **options: Any
    ) -> None:
        """Replace the iterator by one that starts at a token."""
        listing = self.client.list_job_executions_for_job(
            JOB_ID, status=self.status, resume_token=token, **options
        )
        self.iterator: Any = listing.pages() if by_page else iter(listing)
        self.next: Callable[[Any], Any] = self.loops.next if is_async else next

    @rule(fault=st.sampled_from([*FAULTS, "malformed", "repeat", "empty"]))
    def fault(self, fault: str) -> None:
        """Add a fault for the next request that has none yet."""
        self.service.faults.append(fault)

    @rule(times=st.integers(1, 10))
    def take(self, times: int) -> None:
        """Take the next executions or pages, and ignore errors."""
        self.finish_calls()
        for _ in range(times):
            try:
                unit = self.next(self.iterator)
            except StopIteration:
                return
            except CAUGHT as error:
                if isinstance(error, IoTJobsError):
                    assert error.resume_token == self.iterator.resume_token
            else:
                self.found += getattr(unit, "executions", [unit])

    @rule(before=st.integers(0, 3), is_finished=st.booleans(), after=st.integers(0, 3))
    def cancel(self, *, before: int, is_finished: bool, after: int) -> None:
        """Cancel an ``anext()`` before, during or after its request."""
        self.finish_calls()
        self.pending_calls = []
        outcomes: list[Any] = []

        async def attempt() -> None:
            try:
                outcomes.append(await self.iterator.__anext__())
            except (*CAUGHT, asyncio.CancelledError, StopAsyncIteration) as error:
                outcomes.append(error)

        async def cancelled() -> None:
            task = asyncio.ensure_future(attempt())
            for _ in range(before):
                await asyncio.sleep(0)
            if is_finished:
                self.finish_calls()
            for _ in range(after):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.loops.run(cancelled())
        for unit in outcomes:  # The list is empty if the task did not start.
            if not isinstance(unit, BaseException):
                self.found += getattr(unit, "executions", [unit])

    @precondition(lambda self: self.iterator.resume_token is not None)
    @rule(max_items=st.none() | st.integers(1, 6), in_new_client=st.booleans(), options=options)
    def resume(
        self, *, in_new_client: bool, max_items: int | None, options: dict[str, Any]
    ) -> None:
        """Resume by the token, with other options, in the same client or another one."""
        if in_new_client:
            self.client = IoTJobsClient(self.service)
        self.resume_at(self.iterator.resume_token, max_items=max_items, **options)

    @invariant()
    def nothing_is_wrong_so_far(self) -> None:
        """Check after each step that nothing was lost or repeated so far."""
        if hasattr(self, "service"):
            self.check_what_was_found()

    def teardown(self) -> None:
        """List the rest without more faults."""
        if hasattr(self, "service"):
            self.finish_calls()
            self.threads.stop()
            self.service.faults.clear()
            self.drain()
            if self.iterator.resume_token is not None:  # max_items was reached
                self.resume_at(self.iterator.resume_token)
                self.drain()
            self.loops.__exit__()
            assert self.iterator.resume_token is None
            self.check_what_was_found()
            self.check_that_all_was_found()

    def drain(self) -> None:
        """Take all that the iterator still yields."""
        errors: list[BaseException] = []
        while True:
            try:
                unit = self.next(self.iterator)
            except StopIteration:
                return
            except CAUGHT as error:
                errors.append(error)
                # The page and its token may have been requested before the faults were cleared.
                assert len(errors) <= 2
            else:
                self.found += getattr(unit, "executions", [unit])

    def check_what_was_found(self) -> None:
        raise NotImplementedError

    def check_that_all_was_found(self) -> None:
        raise NotImplementedError


class RepeatableSequences(RandomSequences):
    """Random sequences over executions that do not change."""

    @initialize(fleet=fleets, status=statuses, options=options)
    def begin(self, **arguments: Any) -> None:
        self.begin_with(**arguments)
        fleet, status = arguments["fleet"], arguments["status"]
        in_order = [None] if status is None else [value for value in ALL if value in status]
        self.expected = [e for value in in_order for e in fleet if value in (None, e.status)]

    def check_what_was_found(self) -> None:
        """Each execution comes once, in the order of the service within each status."""
        assert self.found == self.expected[: len(self.found)]

    def check_that_all_was_found(self) -> None:
        assert self.found == self.expected


test_each_execution_is_yielded_once_and_in_order = RepeatableSequences.TestCase
