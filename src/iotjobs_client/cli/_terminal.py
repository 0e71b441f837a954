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

from iotjobs_client import InvalidArgumentError, IoTJobsError, ResourceNotFoundError
from iotjobs_client.cli._formats import printable

FAILED, USAGE, INTERRUPTED = 1, 2, 130
_REDRAW_EVERY = 0.1  # seconds


def say(text: str) -> None:
    """A line on standard error."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


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
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def no_interrupt() -> Generator[None, None, None]:
    """Let Ctrl-C wait until the end, so that it finds a page written or not begun.

    Unless it is pressed again: whoever reads our output may never go on.
    """
    pressed = False

    def note(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.SIG_IGN:  # as in what a shell starts in the background
        signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed:
        raise KeyboardInterrupt


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
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our rows has enough. What is still to be flushed at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except typer.Exit:
        raise
    except InvalidArgumentError as error:
        _fail(str(error), USAGE, debug=debug)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED, resume_command(), debug=debug)
    except ResourceNotFoundError as error:  # then nothing is left to go on with
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
        say(f"To go on: {resume_command}")
    raise typer.Exit(code)
