"""Messages, progress and errors on standard error, and the handling of signals."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import NoReturn, TextIO

import typer

from iotjobs_client import (
    ConfigurationError,
    InvalidArgumentError,
    IoTJobsError,
    ResourceNotFoundError,
)
from iotjobs_client.cli._formats import to_printable

_EXIT_FAILED, _EXIT_USAGE, _EXIT_SIGNAL = 1, 2, 128  # The number of the signal is added to 128.
# Windows has no SIGHUP.
_TERMINATION_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_REDRAW_SECONDS = 0.1
_REPORT_SECONDS = 1.0


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
    :meth:`deferred` and :meth:`start_reporting` describe the exceptions, where a command may hang.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._is_deferred = False
        self._can_be_forced = False
        self._reporting_since: float | None = None

    def _handle(self, number: int, _: object) -> None:
        is_first = self._received is None
        self._received = self._received or number
        if self._reporting_since is not None:
            if monotonic() - self._reporting_since > _REPORT_SECONDS:
                os._exit(_EXIT_SIGNAL + self._received)
            return
        if self._is_deferred:
            if is_first or not self._can_be_forced:
                return
            self._is_deferred = False
        elif not is_first:
            return
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

    def start_reporting(self) -> None:
        """Mark that only the report of an error remains to be written.

        For one second, signals are ignored, so that a burst of them does not cut the report off.
        A later signal ends the process at once, because the write may block forever.
        """
        self._reporting_since = monotonic()

    @contextmanager
    def deferred(self, *, can_be_forced: bool = False) -> Generator[None]:
        """Defer signals to the end of the block, so that a page is written in full or not at all.

        Args:
            can_be_forced: Whether a second signal interrupts the block, because a write blocks
                forever if the reader of our output has stopped reading.

        Raises:
            SignalReceived: A signal was received before the end of the block.
        """
        self._can_be_forced = can_be_forced
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False
        if self._received is not None:
            raise SignalReceived(self._received)


def print_error(text: str) -> None:
    """Print a line to standard error; do nothing if it is closed."""
    try:
        print(to_printable(text), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        redirect_to_devnull(sys.stderr)


def print_result(text: str) -> None:
    """Print a line to standard output; do nothing if it is closed.

    The exit code says the same as the line.
    """
    try:
        print(to_printable(text), flush=True)  # noqa: T201
    except OSError:
        redirect_to_devnull(sys.stdout)


def redirect_to_devnull(stream: TextIO) -> None:
    """Redirect ``stream`` to the null device, so that flushing it at exit cannot fail again."""
    with suppress(OSError):  # The stream has no file descriptor.
        number = stream.fileno()
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, number)
        os.close(devnull)


def is_terminal(stream: TextIO) -> bool:
    """Return whether ``stream`` is a terminal that understands control sequences."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colours() -> bool:
    """Return whether to write colours to standard output; see https://no-color.org."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


class StatusLine:
    """One line on standard error that is redrawn in place; without a terminal, it draws nothing."""

    def __init__(self) -> None:
        self._is_enabled = is_terminal(sys.stderr)
        self._created = self._drawn = monotonic()

    @property
    def seconds(self) -> float:
        """The seconds since the line was created."""
        return monotonic() - self._created

    def draw(self, text: str, *, now: bool = False) -> None:
        """Draw ``text``; without ``now``, at most ten times a second."""
        if self._is_enabled and (now or monotonic() - self._drawn >= _REDRAW_SECONDS):
            self._drawn = monotonic()
            try:
                columns = os.get_terminal_size(sys.stderr.fileno()).columns
            except OSError:  # The terminal was closed.
                columns = 0
            # The last column stays empty, because some terminals wrap after it.
            self._write(f"\r{to_printable(text)[: (columns or 80) - 1]}\x1b[K")

    def clear(self) -> None:
        """Erase the line, so that other lines can be written."""
        if self._is_enabled:
            self._write("\r\x1b[K")

    def end(self) -> None:
        """Keep the line, and start a new one below it."""
        if self._is_enabled:
            self._write("\n")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # The terminal was closed.
            self._is_enabled = False
            redirect_to_devnull(sys.stderr)


@contextmanager
def report_errors(
    *, debug: bool, resume_command: Callable[[], str | None] = str
) -> Generator[Signals]:
    """Report an error of the block in one line and exit; ``docs/automation.md`` lists the codes.

    Args:
        debug: Whether to print the traceback too.
        resume_command: A function that returns the command that resumes, or ``None``.

    Yields:
        The signals, which are handled inside the block.

    Raises:
        typer.Exit: The block raised an error.
    """
    signals = Signals()
    with signals.handled():
        try:
            yield signals
            sys.stdout.flush()
        except BrokenPipeError:
            redirect_to_devnull(sys.stdout)
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except (Exception, SignalReceived) as error:  # noqa: BLE001  (every error is reported)
            signals.start_reporting()
            _report(error, resume_command, debug=debug)


def _report(
    error: Exception | SignalReceived, resume_command: Callable[[], str | None], *, debug: bool
) -> NoReturn:
    text, code, may_resume = str(error), _EXIT_FAILED, True
    if isinstance(error, SignalReceived):
        text, code = "interrupted", _EXIT_SIGNAL + error.number
    elif isinstance(error, InvalidArgumentError):
        code, may_resume = _EXIT_USAGE, False
    elif isinstance(error, IoTJobsError):
        # Running the same command again does not help with these two.
        may_resume = not isinstance(error, (ResourceNotFoundError, ConfigurationError))
    elif isinstance(error, OSError):
        redirect_to_devnull(sys.stdout)
    else:
        text = f"unexpected {type(error).__name__}: {error}; see --debug"
    if debug:
        for line in traceback.format_exc().splitlines():
            print_error(line)
    print_error(f"iotjobs: {text}")
    command = resume_command() if may_resume else None
    if command:
        print_error(f"To resume: {command}")
    raise typer.Exit(code)
