"""Requests that are made once, and the pace at which they are made.

Names of ``threading``, ``_thread`` and ``time`` are looked up when they are used, because gevent
may replace them after this module is imported.
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

_T = TypeVar("_T")


class _Locking:
    """An object with a lock, which is reentrant because a signal handler may call its methods."""

    def __init__(self) -> None:
        self._pid_and_lock = os.getpid(), threading.RLock()

    @property
    def _lock(self) -> threading.RLock:
        """Per process: a lock that another thread holds stays locked after a fork."""
        if self._pid_and_lock[0] != os.getpid():
            self._pid_and_lock = os.getpid(), threading.RLock()
        return self._pid_and_lock[1]

    def _with_lock(self, call: Callable[[], _T]) -> _T:
        """Return what ``call`` returns when called while holding the lock.

        An interrupt in a ``with`` statement of CPython 3.14 can leave the lock locked: the signal
        handler may run between ``__enter__`` and the block. ``list.extend`` acquires the lock and
        notes it in one step.
        """
        lock = self._lock
        held: list[bool] = []
        try:
            held.extend(map(lock.acquire, (True,)))
            return call()
        finally:
            for _ in held:  # It is empty if the wait for the lock was interrupted.
                lock.release()
            # The traceback of an error that the call stored leads to this frame: a cycle.
            del self, call


class RateLimiter(_Locking):
    """Hands out the slots in which requests may start, in order, one interval after another.

    A slot that nobody uses is lost: the rate is an upper bound. The limiter trusts the clock only
    to move forward. If it stands still or is set back, a pause that has ended still counts as the
    time that it was to take, so nobody waits longer than one interval for each slot ahead.

    Args:
        requests_per_second: How many slots there are in a second; ``None`` for no limit.
    """

    def __init__(self, requests_per_second: float | None) -> None:
        super().__init__()
        self.interval = 0.0 if requests_per_second is None else 1 / requests_per_second
        self._next_slot = self._latest = -inf
        self._lag = 0.0

    def reserve(self) -> float:
        """Take the next free slot.

        Returns:
            Its time, on the clock of :meth:`now`.
        """
        return self._with_lock(self._reserve)

    def _reserve(self) -> float:
        slot = max(self._next_slot, self.now())
        self._next_slot = slot + self.interval
        return slot

    def now(self, at_least: float = -inf) -> float:
        """Return the current time in seconds.

        Args:
            at_least: A time that is known to have passed, whatever the clock says.
        """
        return self._with_lock(partial(self._update, at_least))

    def _update(self, at_least: float) -> float:
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


class Request(_Locking, Generic[_T]):
    """A call that is made once, by whichever thread or task needs its result first.

    If it fails or is interrupted, it is made again for the next caller. After a fork, the child
    makes it again if the parent is still making it.

    The lock is held during the call. There is no other state to keep consistent: an interrupt or
    a cancellation at any moment leaves a call that was made, or one that is still to be made.

    Args:
        call: The call. It must not return ``None``, and must not refer to the object that waits
            for it, which could not be freed during the call.
        slot: The slot that :meth:`wait` awaits before it starts a thread. The call itself sleeps
            until its slot.
    """

    def __init__(self, call: Callable[[], _T], slot: Slot | None = None) -> None:
        super().__init__()
        self._call = call
        self._slot = slot
        self._calls = 0
        self._result: _T | None = None
        self._error: BaseException | None = None
        self._background: _Background | None = None

    def result(self) -> _T:
        """Make the call in this thread, or wait for the thread that is making it."""
        return self._with_lock(self._take_or_call)

    def _take_or_call(self) -> _T:
        result = self.take()
        if result is None:
            self._calls += 1
            self._result = result = self._call()
        return result

    def take(self) -> _T | None:
        """Return the result if there is one, or raise the error of a call in the background.

        An error is raised once; then the call is made again.
        """
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # Its traceback refers to this frame: they would form a cycle.
        return self._result

    def start(self) -> _Background:
        """Make the call in a daemon thread, unless a thread is making it already.

        A thread of an executor would keep the process from exiting until the service responds.
        ``Thread.start()`` can leave a lock locked if it is interrupted.

        Raises:
            RuntimeError: No thread can be started.
        """
        background = self._background
        if background is None or background.is_over or background.pid != os.getpid():
            background = _Background()
            run: Any = partial(copy_context().run, self._run, self._calls, background)
            _thread.start_new_thread(run, ())
            # Stored once the thread runs: an interrupt before this only starts another thread.
            self._background = background
        return background

    async def wait(self) -> _T:
        """Return what :meth:`result` returns, and keep the event loop free until then.

        A cancellation ends the waiting, not the call. The next caller gets its outcome.
        """
        import asyncio

        while (result := self.take()) is None:
            is_running = self._background is not None and not self._background.is_over
            seconds = 0.0 if self._slot is None or is_running else self._slot.seconds()
            if seconds:
                # A busy loop may wake up so late that it missed the slot. Then the call itself
                # sleeps until another one.
                await asyncio.sleep(seconds)
            loop = asyncio.get_running_loop()
            over: Future[None] = loop.create_future()
            background = self.start()
            background.waiters.append((loop, over))
            # The thread sets is_over before it wakes the waiters: either it wakes us, or we see it.
            if not background.is_over:
                await over
        return result

    def _run(self, calls: int, background: _Background) -> None:
        self._with_lock(partial(self._call_in_background, calls))
        background.is_over = True
        for loop, over in background.waiters:
            with suppress(RuntimeError):  # The event loop was closed.
                loop.call_soon_threadsafe(_set_done, over)
        del self  # The traceback of a stored error leads to this frame, too.

    def _call_in_background(self, calls: int) -> None:
        # Another caller that was faster made the call. If it failed, nobody asked for another.
        if self._calls == calls and self._result is None:
            self._calls += 1
            try:
                self._result = self._call()
            except BaseException as error:  # noqa: BLE001  (the next caller gets it)
                self._error = error
        del self  # The traceback of the error refers to this frame: they would form a cycle.


class _Background:
    """A thread that makes a call, and how to wake the event loops that wait for it.

    It has no lock: an interrupt of a waiting event loop could leave one locked, and the thread
    would never end.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.is_over = False
        self.waiters: list[tuple[AbstractEventLoop, Future[None]]] = []


def _set_done(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)
