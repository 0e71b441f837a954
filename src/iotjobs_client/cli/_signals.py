"""Signals that end a command: Ctrl-C, SIGTERM and SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

# SIGBREAK is Ctrl-Break or a closed console on Windows, which has no SIGHUP.
_TERMINATION_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


class SignalReceived(KeyboardInterrupt):
    """A signal that ends the command.

    Attributes:
        number: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Signals:
    """Handles SIGINT (Ctrl-C), SIGTERM and SIGHUP: the first ends a command, others are ignored.

    So a second signal does not interrupt the cleanup, such as keeping the rows for a later run.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._is_deferred = False
        self._may_block = False

    def _handle(self, number: int, _: object) -> None:
        is_first = self._received is None
        self._received = self._received or number
        if (is_first and not self._is_deferred) or (not is_first and self._may_block):
            raise SignalReceived(self._received)

    @contextmanager
    def handled(self) -> Generator[None]:
        """Handle the signals inside the block.

        A signal that the process ignores stays ignored: a shell arranges this for SIGINT if it
        starts a command with ``&``.
        """
        previous = {number: signal.getsignal(number) for number in _TERMINATION_SIGNALS}
        for number in _TERMINATION_SIGNALS:
            if previous[number] is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number in _TERMINATION_SIGNALS:
                signal.signal(number, previous[number])

    @contextmanager
    def deferred(self, *, may_block: bool = False) -> Generator[None]:
        """Defer signals to the end of the block, so that it is not interrupted.

        Args:
            may_block: Whether the block may wait forever, because the reader of a pipe has
                stopped reading. Then a second signal interrupts the block.

        Raises:
            SignalReceived: A signal was received before the end of the block.
        """
        self._is_deferred, self._may_block = True, may_block
        try:
            yield
        finally:
            self._is_deferred = self._may_block = False
        if self._received is not None:
            raise SignalReceived(self._received)
