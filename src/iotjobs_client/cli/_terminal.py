"""What people see on standard error, and how Ctrl-C and faults are told."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
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
# What ends a process in an orderly way beside Ctrl-C, where the system has it.
_ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_REDRAW_EVERY = 0.1  # seconds


class Stopped(KeyboardInterrupt):
    """Another signal than Ctrl-C asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


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
    except BrokenPipeError:
        to_nowhere(sys.stdout)


def to_nowhere(stream: TextIO) -> None:
    """Let what is still to be flushed at exit fail nowhere: whoever read it has enough."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
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
            # One column is left, for some terminals go to the next line after the last.
            columns = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
            self._write(f"\r{printable(text)[:columns]}\x1b[K")

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
        except OSError:  # of a terminal that was closed
            self._is_on = False


@contextmanager
def no_interrupt() -> Generator[None, None, None]:
    """Let Ctrl-C and the like wait until the end, so that they find a page written or not begun.

    Unless it is pressed again: whoever reads our output may never go on.
    """
    noted: list[int] = []

    def note(number: int, _: object) -> None:
        if noted:
            raise Stopped(number)
        noted.append(number)

    with _signals_to(note, signal.SIGINT, *_ENDS):
        yield
    if noted:
        raise Stopped(noted[0])


@contextmanager
def _signals_to(
    handler: Callable[[int, object], None], *numbers: signal.Signals
) -> Generator[None, None, None]:
    previous = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if previous[number] is not signal.SIG_IGN:  # as in what a shell starts in the background
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, previous[number])


@contextmanager
def faults_told(
    *, debug: bool, resume_command: Callable[[], str | None] = str
) -> Generator[None, None, None]:
    """End with one line and an exit code where something fails; see ``docs/automation.md``.

    Args:
        debug: Whether to print the traceback as well.
        resume_command: What goes on from here, or nothing.
    """
    try:
        with _signals_to(_stop, *_ENDS):
            yield
            sys.stdout.flush()
    except BrokenPipeError:
        to_nowhere(sys.stdout)
        raise typer.Exit(0) from None
    except typer.Exit:
        raise
    except InvalidArgumentError as error:
        _fail(str(error), USAGE, debug=debug)
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        _fail("interrupted", SIGNALLED + number, resume_command(), debug=debug)
    # Neither of these is mended by going on.
    except (ResourceNotFoundError, ConfigurationError) as error:
        _fail(str(error), FAILED, debug=debug)
    except (IoTJobsError, OSError) as error:
        _fail(str(error), FAILED, resume_command(), debug=debug)
    except Exception as error:  # noqa: BLE001  (a traceback is for those who ask for one)
        text = f"unexpected {type(error).__name__}: {error}; see --debug"
        _fail(text, FAILED, resume_command(), debug=debug)


def _fail(text: str, code: int, resume_command: str | None = None, *, debug: bool) -> NoReturn:
    if debug:
        for line in traceback.format_exc().splitlines():
            say(line)
    say(f"iotjobs: {text}")
    if resume_command:
        say(f"To resume: {resume_command}")
    raise typer.Exit(code)
