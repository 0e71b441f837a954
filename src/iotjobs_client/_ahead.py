"""A call in a thread of its own: ahead of time, or beside an event loop."""

from __future__ import annotations

import sys
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from os import getpid
from threading import Event, Lock
from time import sleep
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class _AbandonedError(Exception):
    """Nobody waits for a call any longer that has not begun."""


_call: ContextVar[CallAhead[Any] | None] = ContextVar("iotjobs_client_call_ahead", default=None)


def pause(seconds: float) -> None:
    """Sleep before a request. A call ahead that nobody waits for any longer ends here instead."""
    call = _call.get()
    if call is None:
        sleep(seconds)
    elif call._is_unwanted.wait(seconds):
        raise _AbandonedError


class CallAhead(Generic[_T]):
    """One call, under way from construction on; its outcome is there to be taken once.

    The thread ends with the call and keeps neither a process nor an event loop alive: it is not
    one of an executor, whose threads are waited for, nor a ``threading.Thread``, whose
    ``start()`` an interrupt may leave with a lock that is never released.
    """

    def __init__(self, call: Callable[[], _T]) -> None:
        self._result: _T | None = None
        self._error: BaseException | None = None
        self.is_over = False
        self._is_taken = False
        self._wakers: list[Callable[[], None]] = []
        self._is_unwanted = Event()
        self._pid = getpid()
        self._under_way = Lock()
        self._under_way.acquire()
        # Not by a function of our own, whose frame an error's traceback would lead to.
        start_new_thread(partial(copy_context().run, partial(self._run, [call])), ())

    def _run(self, calls: list[Callable[[], _T]]) -> None:
        _call.set(self)
        try:
            # Taken out, so that nothing holds it any longer when whoever waits for it goes on.
            self._result = calls.pop()()
        except _AbandonedError:
            self._is_taken = True
        except BaseException as error:  # noqa: BLE001  (whoever takes the outcome gets it)
            self._error = error
        finally:
            self._under_way.release()
            self.is_over = True
            for wake in tuple(self._wakers):
                wake()
            # The error's traceback holds this frame: with this, all would be kept in a cycle.
            del self

    @property
    def is_there(self) -> bool:
        """Whether there is an outcome to take, or will be: not in a process forked meanwhile."""
        return not self._is_taken and self._pid == getpid()

    async def ended(self) -> None:
        """Wait for the end of the call on an event loop, which is asyncio's or trio's.

        A cancellation ends the waiting, not the call: the outcome is there to be taken later.
        Only a call that still pauses before its request ends with the last who waits for it.
        """
        trio: Any = sys.modules.get("trio")
        event: Any
        try:
            trio.lowlevel.current_task()  # or this is no task of trio's, but of the loop below it
            call_soon = trio.lowlevel.current_trio_token().run_sync_soon
            event = trio.Event()
        except (AttributeError, RuntimeError):  # it is not there, or does not run here
            import asyncio

            event = asyncio.Event()
            call_soon = asyncio.get_running_loop().call_soon_threadsafe

        def wake() -> None:
            with suppress(RuntimeError):  # of a loop that was closed meanwhile
                call_soon(event.set)

        # In this order: a call that ends in between wakes twice, which does no harm.
        self._wakers.append(wake)
        if self.is_over:
            wake()
        try:
            await event.wait()
        finally:
            self._wakers.remove(wake)
            if not self._wakers:
                self._is_unwanted.set()

    def take(self) -> _T | None:
        """What the call returns, once it does; or raise what it raises.

        ``None`` where a signal handler took it while this waited, or where the call was given
        up. An interrupt takes nothing.
        """
        with self._under_way:
            if self._is_taken:
                return None
            self._is_taken = True
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del self, error  # as above
