"""Lines for the user, the status line, and the report of an error with its exit code."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import NoReturn, TextIO

import click
from typing_extensions import Self

from iotjobs_client import ConfigurationError, CredentialsError, InvalidArgumentError, IoTJobsError
from iotjobs_client._text import redact, to_printable
from iotjobs_client.cli._signals import SignalReceived, Signals

_EXIT_FAILED, _EXIT_SIGNAL = 1, 128  # The number of the signal is added to 128.
# Most options have the name of the argument. These are the others.
_OPTIONS = {"job_id": "JOB", "region_name": "--region", "profile_name": "--profile"}


def print_line(text: str, stream: TextIO | None = None) -> None:
    """Print a line to ``stream``, or to standard error; do nothing if it is closed."""
    out: TextIO = stream or sys.stderr
    try:
        print(to_printable(text), file=out, flush=True)
    except OSError:
        redirect_to_devnull(out)


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


def _is_pipe(stream: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except OSError:  # The stream has no file descriptor.
        return False


def has_colours() -> bool:
    """Return whether to write colours to standard output; see https://no-color.org."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


class StatusLine:
    """A line on standard error that shows the progress and the time; only on a terminal.

    It is drawn when there is news, never in the background and not before the first page. So a
    prompt stays visible, for example for the code of an MFA device. If standard output is a pipe,
    the line is not shown, because the program that reads the pipe may write to the same terminal.
    Use it as a context manager, which erases the line on exit.

    Attributes:
        is_shown: Whether there is such a line.
    """

    def __init__(self) -> None:
        self.is_shown = is_terminal(sys.stderr) and not _is_pipe(sys.stdout)
        self._text = ""
        self._started = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.hide()

    def hide(self) -> None:
        """Erase the line, so that other lines can be written."""
        self._write("")

    def show(self, text: str) -> None:
        """Show ``text``, cut to the width of the terminal, and the time since the start."""
        elapsed = f" {timedelta(seconds=int(monotonic() - self._started))}"
        width = shutil.get_terminal_size().columns - 1 - len(elapsed)
        self._write(to_printable(text)[: max(0, width)] + elapsed)

    def print_error(self, text: str) -> None:
        """Print a line to standard error instead of the status line."""
        self.hide()
        print_line(text)

    def _write(self, text: str) -> None:
        # Write only changes: the last line may be a prompt.
        if self.is_shown and text != self._text:
            self._text = text
            with suppress(OSError):  # The terminal was closed.
                sys.stderr.write(f"\r{text}\x1b[K")
                sys.stderr.flush()


@contextmanager
def report_errors(
    *, debug: bool, hints: Callable[[BaseException], Iterable[str]] = lambda _: ()
) -> Generator[Signals]:
    """Report an error of the block and exit; ``docs/automation.md`` lists the exit codes.

    Args:
        debug: Whether to print the traceback too.
        hints: A function that returns more lines to print, such as the command that resumes.

    Yields:
        The signals, which are handled inside the block.

    Raises:
        click.UsageError: The block raised an InvalidArgumentError.
        click.exceptions.Exit: The block raised another error.
    """
    signals = Signals()
    with signals.handled():
        try:
            yield signals
            sys.stdout.flush()
        except BrokenPipeError:
            redirect_to_devnull(sys.stdout)
            raise click.exceptions.Exit(0) from None
        except (click.ClickException, click.exceptions.Exit):
            raise
        except InvalidArgumentError as error:
            raise click.UsageError(_with_option_name(error)) from error
        except (Exception, SignalReceived) as error:  # noqa: BLE001  (every error is reported)
            with signals.deferred():
                _report(error, hints(error), debug=debug)


def _with_option_name(error: InvalidArgumentError) -> str:
    argument = error.argument
    if argument is None:
        return str(error)
    option = _OPTIONS.get(argument, f"--{argument.replace('_', '-')}")
    return option + str(error).removeprefix(argument)


def _report(error: BaseException, hints: Iterable[str], *, debug: bool) -> NoReturn:
    text, code = str(error), _EXIT_FAILED
    cause = type(error.__cause__).__name__
    if isinstance(error, ConfigurationError) and cause == "NoRegionError":
        text = "no region: pass --region, or set AWS_DEFAULT_REGION or the region of the profile"
        if region := os.environ.get("AWS_REGION"):
            text += f"; AWS_REGION is {region!r}, but boto3 does not read it"
    elif isinstance(error, CredentialsError) and cause == "EOFError":
        print_line("")  # botocore asked on this line.
        text = (
            "the profile needs an MFA code, but there is no terminal to ask on; get temporary "
            "credentials first, for example with 'aws sts get-session-token'"
        )
    elif isinstance(error, SignalReceived):
        text, code = "interrupted", _EXIT_SIGNAL + error.number
    elif isinstance(error, OSError) and not isinstance(error, IoTJobsError):
        redirect_to_devnull(sys.stdout)
    elif not isinstance(error, IoTJobsError):
        text = f"unexpected {type(error).__name__}: {error}; see --debug"
    if debug:
        _print_traceback(error)
    for line in (f"iotjobs: {text}", *hints):
        print_line(line)
    raise click.exceptions.Exit(code)


def _print_traceback(error: BaseException) -> None:
    for part in traceback.TracebackException.from_exception(error).format():
        text = redact(part.strip("\n"))
        # Frames are indented, and have several lines. A message stays one line, because the
        # service's text may contain newlines.
        for line in text.splitlines() if text.startswith("  ") else [text]:
            print_line(line)
