"""A call that is made once, by whichever thread or task needs its result first."""

from __future__ import annotations

import _thread
import os
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from iotjobs_client._locked import HasLock, locked
from iotjobs_client._rate import Slot

if TYPE_CHECKING:
    from asyncio import Future

_T = TypeVar("_T")


class SharedCall(HasLock, Generic[_T]):
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

    @locked
    def result(self) -> _T:
        """Make the call in this thread, or wait for the thread that is making it."""
        result = self.result_or_none()
        if result is None:
            self._calls += 1
            self._result = result = self._call()
        return result

    def result_or_none(self) -> _T | None:
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
        if background is None or not background.is_running:
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

        while (result := self.result_or_none()) is None:
            is_running = self._background is not None and self._background.is_running
            seconds = 0.0 if self._slot is None or is_running else self._slot.seconds()
            if seconds:
                # A busy loop may wake up so late that it missed the slot. Then the call itself
                # sleeps until another one.
                await asyncio.sleep(seconds)
            over: Future[None] = asyncio.get_running_loop().create_future()
            background = self.start()
            background.waiters.append(over)
            # The thread sets is_over before it wakes the waiters: either it wakes us, or we see it.
            if not background.is_over:
                await over
        return result

    def _run(self, calls: int, background: _Background) -> None:
        self._call_in_background(calls)
        background.is_over = True
        for over in background.waiters:
            with suppress(RuntimeError):  # The event loop was closed.
                over.get_loop().call_soon_threadsafe(_set_done, over)
        del self  # The traceback of a stored error leads to this frame, too.

    @locked
    def _call_in_background(self, calls: int) -> None:
        # A faster caller may have made the call. If that failed, the next caller makes another.
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
        self._pid = os.getpid()
        self.is_over = False
        self.waiters: list[Future[None]] = []

    @property
    def is_running(self) -> bool:
        """True while the thread makes the call; after a fork, it runs in the parent only."""
        return not self.is_over and self._pid == os.getpid()


def _set_done(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)
