"""``requests_per_second``: the requests of all listings of a client are spaced in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from support import JOB_ID, FleetClient

from iotjobs_client import IoTJobsClient
from iotjobs_client.testing import make_fleet


class TestRequestsPerSecond:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """A list with the current time, which only ``time.sleep`` and the test advance."""
        now = [100.0]
        monkeypatch.setattr("time.monotonic", lambda: now[0])
        monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
        return now

    @contextmanager
    def interrupted_pauses(self) -> Iterator[None]:
        """Interrupt each pause at once, and expect that this ends the block."""
        with patch("time.sleep", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            yield

    def list_twice(self, clock: list[float], **options: Any) -> list[float]:
        """List four executions twice, and return the times at which the requests started."""
        starts = []

        class TimedClient(FleetClient):
            def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
                starts.append(clock[0] - 100)
                return super().list_job_executions_for_job(**arguments)

        client = IoTJobsClient(TimedClient(make_fleet(4)), **options)
        for _ in range(2):
            list(client.list_job_executions_for_job(JOB_ID, page_size=2))
        return starts

    def test_requests_of_all_listings_are_spaced_evenly(self, clock: list[float]) -> None:
        """The first request starts at once, and the others follow in equal intervals."""
        starts = self.list_twice(clock, requests_per_second=8)
        assert starts == [0, 0.125, 0.25, 0.375]

    def test_without_a_rate_no_request_waits(self, clock: list[float]) -> None:
        """Requests are not limited by default."""
        assert self.list_twice(clock) == [0, 0, 0, 0]

    def test_the_callers_own_pauses_count(self, clock: list[float]) -> None:
        """After a long pause, a request starts at once, and no burst follows."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        next(executions)
        clock[0] += 10
        next(executions)
        assert clock[0] == 110
        next(executions)
        assert clock[0] == 110.5

    def test_an_interrupted_wait_for_a_slot_is_continued(self, clock: list[float]) -> None:
        """The request keeps its slot, so it does not wait longer than without the interrupts."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        next(executions)
        for _ in range(5):
            with self.interrupted_pauses():
                next(executions)
        next(executions)
        assert clock[0] == 100.5

    def test_an_abandoned_slot_is_lost(self, clock: list[float]) -> None:
        """The rate is an upper bound: the next request waits for the following slot."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        listing = client.list_job_executions_for_job(JOB_ID, page_size=1)
        next(iter(listing))
        with self.interrupted_pauses():
            next(iter(listing))
        next(iter(listing))
        assert clock[0] == 101

    def test_a_missed_slot_is_replaced(self, clock: list[float]) -> None:
        """A request that comes late for its slot gets a new one, so no two start at once."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        listing = client.list_job_executions_for_job(JOB_ID, page_size=1)
        late, other = iter(listing), iter(listing)
        next(other)
        with self.interrupted_pauses():
            next(late)
        clock[0] += 10
        next(other)
        assert clock[0] == 110
        next(late)
        assert clock[0] == 110.5
