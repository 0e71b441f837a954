"""A call that is made ahead of time, in a thread of its own."""

from __future__ import annotations

from _thread import start_new_thread
from collections.abc import Callable
from contextvars import copy_context
from os import getpid
from threading import Lock
from typing import Generic, TypeVar

_T = TypeVar("_T")


class CallAhead(Generic[_T]):
    """One call, under way from construction on; its outcome is there to be taken once.

    The thread ends with the call and keeps no process alive. It is not a ``threading.Thread``,
    whose ``start()`` an interrupt may leave with a lock that is never released.
    """

    def __init__(self, call: Callable[[], _T]) -> None:
        self._result: _T | None = None
        self._error: BaseException | None = None
        self._is_taken = False
        self._pid = getpid()
        self._under_way = Lock()
        self._under_way.acquire()
        context = copy_context()
        start_new_thread(lambda: context.run(self._run, call), ())

    def _run(self, call: Callable[[], _T]) -> None:
        try:
            self._result = call()
        except BaseException as error:  # noqa: BLE001  (whoever takes the outcome gets it)
            self._error = error
        finally:
            self._under_way.release()
            # The error's traceback holds this frame: with these, all would be kept in a cycle.
            del self, call

    @property
    def is_there(self) -> bool:
        """Whether there is an outcome to take, or will be: not in a process forked meanwhile."""
        return not self._is_taken and self._pid == getpid()

    def take(self) -> _T | None:
        """What the call returns, once it does; or raise what it raises.

        ``None`` where a signal handler took it while this waited. An interrupt takes nothing.
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
