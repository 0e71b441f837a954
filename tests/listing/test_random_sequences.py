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

from iotjobs_client import (
    IoTJobsClient,
    IoTJobsError,
    JobExecutionStatus,
    JobExecutionSummary,
)
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
    """One with which everything goes wrong that can, as it is set."""

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
    """One listing, and what befalls it."""

    def begin_with(
        self,
        fleet: list[JobExecutionSummary],
        status: set[JobExecutionStatus] | None,
        options: dict[str, Any],
    ) -> None:
        # Each call in a thread is made at once, or when it is time, and so the same each time.
        self.threads = mock.patch("_thread.start_new_thread", self.start_new_thread)
        self.threads.start()
        self.under_way: list[Callable[[], object]] | None = None
        self.loops = Loops()
        self.service = FaultyService(fleet)
        self.client = IoTJobsClient(self.service)
        self.status = status
        self.found: list[JobExecutionSummary] = []
        self.resume_at(None, **options)

    def start_new_thread(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.under_way is None:
            call(*arguments)
        else:
            self.under_way.append(partial(call, *arguments))

    def answer(self) -> None:
        """Whatever is under way comes to its end, and what comes after it does so at once."""
        calls, self.under_way = self.under_way or [], None
        for call in calls:
            call()

    def resume_at(
        self, token: str | None, *, by_page: bool = False, is_async: bool = False, **options: Any
    ) -> None:
        listing = self.client.list_job_executions_for_job(
            JOB_ID, status=self.status, resume_token=token, **options
        )
        self.iterator: Any = listing.pages() if by_page else iter(listing)
        self.next: Callable[[Any], Any] = self.loops.next if is_async else next

    @rule(fault=st.sampled_from([*FAULTS, "malformed", "repeat", "empty"]))
    def fault(self, fault: str) -> None:
        """Something will go wrong with the next request that nothing went wrong with yet."""
        self.service.faults.append(fault)

    @rule(times=st.integers(1, 10))
    def take(self, times: int) -> None:
        """The next executions or pages, as far as faults let it."""
        self.answer()
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

    @rule(before=st.integers(0, 3), is_answered=st.booleans(), after=st.integers(0, 3))
    def cancel(self, *, before: int, is_answered: bool, after: int) -> None:
        """An ``anext()``, somewhere in a request or after it; the answer may be still to come."""
        self.answer()
        self.under_way = []
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
            if is_answered:
                self.answer()
            for _ in range(after):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.loops.run(cancelled())
        for unit in outcomes:  # none, if it was not even begun
            if not isinstance(unit, BaseException):
                self.found += getattr(unit, "executions", [unit])

    @precondition(lambda self: self.iterator.resume_token is not None)
    @rule(
        max_items=st.none() | st.integers(1, 6),
        in_new_client=st.booleans(),
        options=options,
    )
    def resume(
        self, *, in_new_client: bool, max_items: int | None, options: dict[str, Any]
    ) -> None:
        """By the token, with other options, in the same client or another."""
        if in_new_client:
            self.client = IoTJobsClient(self.service)
        self.resume_at(self.iterator.resume_token, max_items=max_items, **options)

    @invariant()
    def nothing_is_wrong_so_far(self) -> None:
        if hasattr(self, "service"):
            self.check_what_was_found()

    def teardown(self) -> None:
        """After the last fault, the rest is listed."""
        if hasattr(self, "service"):
            self.answer()
            self.threads.stop()
            self.service.faults.clear()
            self.drain()
            if self.iterator.resume_token is not None:  # max_items stopped it
                self.resume_at(self.iterator.resume_token)
                self.drain()
            self.loops.__exit__()
            assert self.iterator.resume_token is None
            self.check_what_was_found()
            self.check_that_all_was_found()

    def drain(self) -> None:
        errors: list[BaseException] = []
        while True:
            try:
                unit = self.next(self.iterator)
            except StopIteration:
                return
            except CAUGHT as error:
                errors.append(error)
                # The page, and its token, were requested before the last fault.
                assert len(errors) <= 2
            else:
                self.found += getattr(unit, "executions", [unit])

    def check_what_was_found(self) -> None:
        raise NotImplementedError

    def check_that_all_was_found(self) -> None:
        raise NotImplementedError


class RepeatableSequences(RandomSequences):
    """A fleet that stays as it is."""

    @initialize(fleet=fleets, status=statuses, options=options)
    def begin(self, **arguments: Any) -> None:
        self.begin_with(**arguments)
        fleet, status = arguments["fleet"], arguments["status"]
        in_order = [None] if status is None else [word for word in ALL if word in status]
        self.expected = [e for word in in_order for e in fleet if word in (None, e.status)]

    def check_what_was_found(self) -> None:
        """Each once, in the order of the service, status by status."""
        assert self.found == self.expected[: len(self.found)]

    def check_that_all_was_found(self) -> None:
        assert self.found == self.expected


test_each_execution_is_yielded_once_and_in_order = RepeatableSequences.TestCase
