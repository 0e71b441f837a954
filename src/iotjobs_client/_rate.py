"""The pace of requests: a rate limiter, and the slots that it hands out."""

from __future__ import annotations

import time
from math import inf

from iotjobs_client._locked import HasLock, locked


class RateLimiter(HasLock):
    """Hands out the slots in which requests may start, in order, one interval after another.

    A slot that nobody uses is lost: the rate is an upper bound. The limiter trusts the clock only
    to move forward. If it stands still or is set back, a finished pause counts with its planned
    length, so nobody waits longer than one interval for each slot ahead.

    Args:
        requests_per_second: How many slots there are in a second; ``None`` for no limit.
    """

    def __init__(self, requests_per_second: float | None) -> None:
        super().__init__()
        self.interval = 0.0 if requests_per_second is None else 1 / requests_per_second
        self._next_slot = self._latest = -inf
        self._lag = 0.0  # the seconds by which the clock fell behind

    @locked
    def reserve(self) -> float:
        """Take the next free slot.

        Returns:
            Its time, on the clock of :meth:`now`.
        """
        slot = max(self._next_slot, self.now())
        self._next_slot = slot + self.interval
        return slot

    @locked
    def now(self, at_least: float = -inf) -> float:
        """Return the current time in seconds.

        Args:
            at_least: A time that is known to have passed, whatever the clock says.
        """
        clock = time.monotonic() + self._lag
        self._latest = max(clock, self._latest, at_least)
        self._lag += self._latest - clock
        return self._latest


class Slot:
    """The slot of one request, which all threads and tasks that wait for the request share."""

    def __init__(self, rate: RateLimiter) -> None:
        self._rate = rate
        self._time = -inf

    def seconds(self) -> float:
        """Return the seconds until the slot; without a slot, reserve one first.

        A slot that passed more than one interval ago was missed. It is replaced by another, for
        otherwise the request could start together with the next one.
        """
        if not self._rate.interval:
            return 0.0
        now = self._rate.now()
        if now >= self._time + self._rate.interval:
            self._time = self._rate.reserve()
        return max(0.0, self._time - now)

    def wait(self) -> None:
        """Sleep until the slot, and use it: the next call waits for another one."""
        seconds, slot = self.seconds(), self._time
        if seconds:
            time.sleep(seconds)
            self._rate.now(at_least=slot)
        self._time = -inf
