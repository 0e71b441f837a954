"""What people see on standard error, and how Ctrl-C and faults are told."""

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
from iotjobs_client.cli._formats import printable

FAILED, USAGE, SIGNALLED = 1, 2, 128
# What ends a process in an orderly way, where the system has it.
_ENDS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
_REDRAW_EVERY = 0.1  # seconds
_PATIENCE = 1.0  # seconds


class Stopped(KeyboardInterrupt):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP, of which the first ends a command and the rest come too late.

    So nothing interrupts what a command still does on its way out, such as keeping its rows.
    """

    def __init__(self) -> None:
        self._noted: int | None = None
        self._is_held = False
        self._can_be_forced = False
        self._tells_since: float | None = None

    def _handle(self, number: int, _: object) -> None:
        is_first = self._noted is None
        self._noted = self._noted or number
        if self._tells_since is not None:
            if monotonic() - self._tells_since > _PATIENCE:
                os._exit(SIGNALLED + self._noted)
            return
        if self._is_held:
            if is_first or not self._can_be_forced:
                return
            self._is_held = False
        elif not is_first:
            return
        raise Stopped(self._noted)

    @contextmanager
    def handled(self) -> Generator[None]:
        """Handle them, but for those that are ignored, as in what a shell starts behind ``&``."""
        previous = {number: signal.getsignal(number) for number in _ENDS}
        for number in _ENDS:
            if previous[number] is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number in _ENDS:
                signal.signal(number, previous[number])

    def only_tell(self) -> None:
        """Nothing is left but to tell of it, for which a burst waits, but nobody for ever."""
        self._tells_since = monotonic()

    @contextmanager
    def held(self, *, can_be_forced: bool = False) -> Generator[None]:
        """Let them wait until the end, so that they find a page written or not begun.

        Args:
            can_be_forced: Whether a second one does not wait: whoever reads our output may have
                stopped reading.
        """
        self._can_be_forced = can_be_forced
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._noted is not None:
            raise Stopped(self._noted)


def say(text: str) -> None:
    """A line on standard error, if anyone reads it."""
    try:
        print(printable(text), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        to_nowhere(sys.stderr)


def say_result(text: str) -> None:
    """A line on standard output, if anyone reads it: the exit code says the same."""
    try:
        print(printable(text), flush=True)  # noqa: T201
    except OSError:
        to_nowhere(sys.stdout)


def to_nowhere(stream: TextIO) -> None:
    """Let what is still to be flushed at exit go where it cannot fail once more."""
    with suppress(OSError):  # of a stream that is no file of the system's
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def is_terminal(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal that understands more than lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def in_colour() -> bool:
    """Whether to write colours to standard output; see https://no-color.org."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


class StatusLine:
    """One line on standard error that is drawn over and over; nothing without a terminal."""

    def __init__(self) -> None:
        self._is_on = is_terminal(sys.stderr)
        self._began = self._drawn = monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been there."""
        return monotonic() - self._began

    def draw(self, text: str, *, now: bool = False) -> None:
        """Draw ``text``, unless the line was drawn a moment ago and this need not be ``now``."""
        if self._is_on and (now or monotonic() - self._drawn >= _REDRAW_EVERY):
            self._drawn = monotonic()
            try:
                columns = os.get_terminal_size(sys.stderr.fileno()).columns
            except OSError:  # of a terminal that was closed
                columns = 0
            # One column is left, for some terminals go to the next line after the last.
            self._write(f"\r{printable(text)[: (columns or 80) - 1]}\x1b[K")

    def clear(self) -> None:
        """Make room for other lines."""
        if self._is_on:
            self._write("\r\x1b[K")

    def end(self) -> None:
        """Leave it as it is, and go on below."""
        if self._is_on:
            self._write("\n")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # as above
            self._is_on = False
            to_nowhere(sys.stderr)


@contextmanager
def faults_told(
    *, debug: bool, resume_command: Callable[[], str | None] = str
) -> Generator[Signals]:
    """End with one line and an exit code if something fails; see ``docs/automation.md``.

    Args:
        debug: Whether to print the traceback as well.
        resume_command: What resumes from here, or nothing.
    """
    signals = Signals()
    with signals.handled():
        try:
            yield signals
            sys.stdout.flush()
        except BrokenPipeError:
            to_nowhere(sys.stdout)
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except (Exception, Stopped) as error:  # noqa: BLE001  (each is told)
            signals.only_tell()
            _tell(error, resume_command, debug=debug)


def _tell(
    error: Exception | Stopped, resume_command: Callable[[], str | None], *, debug: bool
) -> NoReturn:
    text, code, may_resume = str(error), FAILED, True
    if isinstance(error, Stopped):
        text, code = "interrupted", SIGNALLED + error.number
    elif isinstance(error, InvalidArgumentError):
        code, may_resume = USAGE, False
    elif isinstance(error, IoTJobsError):
        # Neither of these is mended by resuming.
        may_resume = not isinstance(error, (ResourceNotFoundError, ConfigurationError))
    elif isinstance(error, OSError):
        to_nowhere(sys.stdout)
    else:  # a traceback is for those who ask for one
        text = f"unexpected {type(error).__name__}: {error}; see --debug"
    if debug:
        for line in traceback.format_exc().splitlines():
            say(line)
    say(f"iotjobs: {text}")
    command = resume_command() if may_resume else None
    if command:
        say(f"To resume: {command}")
    raise typer.Exit(code)
