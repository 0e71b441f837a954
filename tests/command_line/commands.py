"""Helpers that run ``iotjobs``: in this process, in another one, or on a terminal."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TextIO

import attrs
import boto3
import pytest
from support import session, wait_until
from urllib3.connection import HTTPConnection

from iotjobs_client import JobExecutionSummary
from iotjobs_client.cli import main
from iotjobs_client.testing import LocalEndpoint, make_execution, make_fleet

FLEET = [*make_fleet(19), make_execution("thing-19", "QUEUED")]
PAGE = "--page-size=5"
_ENVIRONMENT = {"AWS_MAX_ATTEMPTS": "1", "TERM": "xterm", "COLUMNS": "200"}
_WITHOUT = ("NO_COLOR", "FORCE_COLOR")
# A console that is closed sends SIGBREAK on Windows, which has no SIGHUP.
HANG_UP: signal.Signals = getattr(signal, "SIGBREAK" if os.name == "nt" else "SIGHUP")


@attrs.frozen
class Outcome:
    """The exit code of a command, and the text that it wrote to each output."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def names(self) -> list[str]:
        """The names of the things in the ndjson rows of standard output."""
        return to_names(self.out)

    def printed_arguments(self, label: str = "To resume") -> list[str]:
        """Return the arguments of the command that is printed after ``label``."""
        (command,) = re.findall(rf"(?m)^{label}: (.*)$", self.err)
        program, *arguments = split_command(command)
        assert program == "iotjobs"
        return arguments

    def resume(self) -> Outcome:
        """Run the command that is printed after ``To resume``."""
        return run(*self.printed_arguments())


def split_command(command: str) -> list[str]:
    """Return the words of a printed command, as the usual shell of this system reads them."""
    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    if os.name == "nt":  # cmd.exe knows no escapes and no single quotes.
        lexer.escape, lexer.quotes = "", '"'
    return list(lexer)


def to_names(rows: str) -> list[str]:
    """Return the names of the things in ndjson rows."""
    return [json.loads(row)["thing_name"] for row in rows.splitlines()]


def thing_names(executions: Iterable[JobExecutionSummary]) -> list[str]:
    """Return the names of the things of ``executions``."""
    return [execution.thing_name for execution in executions]


def requested_statuses(endpoint: LocalEndpoint) -> list[str | None]:
    """Return the status filter of each request that ``endpoint`` received."""
    return [request.status for request in endpoint.requests]


def run(
    *arguments: str,
    stdin: str | None = "",
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    environment: Mapping[str, str] | None = None,
    boto3_session: boto3.Session | None = None,
    in_background: bool = False,
) -> Outcome:
    """Run a command in this process, and check that it restores the signal handlers.

    Args:
        *arguments: The arguments of the command.
        stdin: The text on standard input; ``None`` if it is closed.
        stdout: The standard output, instead of a captured one.
        stderr: The standard error, instead of a captured one.
        environment: Environment variables to set.
        boto3_session: The session; by default a shared one, because a new one would read the
            service model again.
        in_background: Whether to ignore Ctrl-C, as a shell does for a command with ``&``.

    Returns:
        The outcome.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    used_session = boto3_session or session()
    with pytest.MonkeyPatch.context() as patch, _signal_handlers(in_background=in_background):
        for name in _WITHOUT:
            patch.delenv(name, raising=False)
        for name, value in {**_ENVIRONMENT, **(environment or {})}.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "Session", lambda **_: used_session)
        patch.setattr(sys, "argv", ["iotjobs", *arguments])
        # Under `python -m pytest`, click would take pytest for the program.
        patch.setattr(sys.modules["__main__"], "__package__", None)
        source = None if stdin is None else io.TextIOWrapper(_StandardInput(stdin.encode()))
        patch.setattr(sys, "stdin", source)
        patch.setattr(sys, "stdout", stdout or out)
        patch.setattr(sys, "stderr", stderr or err)
        with pytest.raises(SystemExit) as caught:
            main()
    code = caught.value.code
    if isinstance(code, str):  # The interpreter would print it, and exit with 1.
        err.write(f"{code}\n")
        code = 1
    return Outcome(code or 0, _content(out), _content(err))


class _StandardInput(io.BytesIO):
    name = "<stdin>"


def _content(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@contextmanager
def _signal_handlers(*, in_background: bool) -> Iterator[None]:
    """Install the handlers that a shell would, because nohup, for example, has others."""
    handlers = {
        signal.SIGINT: signal.SIG_IGN if in_background else signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        HANG_UP: signal.SIG_DFL,
    }
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
        assert {number: signal.getsignal(number) for number in handlers} == handlers
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command in another process; ``options`` are those of ``Popen``."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {**os.environ, **_ENVIRONMENT, **options.pop("env", {})}
    command = [sys.executable, "-m", "iotjobs_client", *arguments]
    return subprocess.Popen(command, text=True, env=environment, **options)


class Terminal:
    """A pseudo-terminal for one command.

    Attributes:
        text: Everything that was written so far, with control sequences.
    """

    def __init__(self) -> None:
        if os.name == "nt":
            pytest.skip("Windows has no pseudo-terminals that a test could open")
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._master, self._slave = os.openpty()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # The other side of the terminal is closed.
            while data := os.read(self._master, 65536):
                self.text += self._decoder.decode(data)

    def run(
        self,
        *arguments: str,
        width: int = 200,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Outcome:
        """Run a command in this process, with both outputs on the terminal.

        Args:
            *arguments: The arguments of the command.
            width: The columns of the terminal.
            environment: Environment variables to set.
            **options: More options of :func:`run`.

        Returns:
            The outcome; its ``out`` is the text of the terminal.
        """
        with os.fdopen(os.dup(self._slave), "w") as stdout, os.fdopen(self._slave, "w") as stderr:
            columns = {"COLUMNS": str(width), **(environment or {})}
            streams: Any = {"stdout": stdout, "stderr": stderr}
            outcome = run(*arguments, **streams, environment=columns, **options)
        self._reader.join()
        os.close(self._master)
        return attrs.evolve(outcome, out=self.text)


@contextmanager
def call_at_request(
    endpoint: LocalEndpoint, number: int, function: Callable[[], object]
) -> Iterator[None]:
    """Call ``function`` in the thread of a request, when the endpoint has received the request.

    So a test can act during a request. A signal from another thread may be lost, because it does
    not interrupt a system call that the main thread begins at the same moment.

    Args:
        endpoint: The endpoint that receives the requests.
        number: The number of the request, counted from 1.
        function: The function to call.
    """
    get_response = HTTPConnection.getresponse
    sent = len(endpoint.requests)
    failures: list[AssertionError] = []

    def getresponse(connection: HTTPConnection) -> Any:
        nonlocal sent
        sent += 1
        wait_until(lambda: len(endpoint.requests) >= sent)
        if sent == number:
            try:
                function()
            except AssertionError as failure:  # A command takes it for a lost connection.
                failures.append(failure)
        return get_response(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPConnection, "getresponse", getresponse)
        yield
    for failure in failures:
        raise failure


def to_screen(text: str) -> list[str]:
    """Return the lines that a terminal shows after ``text``, without colours and empty lines."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif not token.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + token
            column += len(token)
        elif token.endswith("A"):  # The cursor moves up.
            row -= int(token[2:-1])
        elif token.endswith("K"):  # The rest of the line is erased.
            lines[row] = lines[row][:column]
    return [line.rstrip() for line in lines if line.strip()]


class Clock:
    """A clock that only sleeping advances, for the commands that wait.

    Args:
        monkeypatch: The fixture that replaces the clock of the command line.
        *events: Functions to call, one after each ten seconds.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *events: Callable[[], object]) -> None:
        self.now = 0.0
        self._events = list(events)
        monkeypatch.setattr("iotjobs_client.cli._retries.monotonic", lambda: self.now)
        monkeypatch.setattr("iotjobs_client.cli._retries.sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now % 10 == 0 and self._events:
            self._events.pop(0)()


def use_credential_process(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, failing_call: int, message: str
) -> None:
    """Get the credentials from a program that botocore calls for each request.

    Args:
        monkeypatch: The fixture that sets the environment.
        folder: The folder for the files of the program.
        failing_call: The number of the call that fails, counted from 1.
        message: What the program then says.
    """
    soon = datetime.now(timezone.utc) + timedelta(minutes=5)  # botocore renews them each time.
    keys = {
        "Version": 1,
        "AccessKeyId": "x",
        "SecretAccessKey": "x",
        "Expiration": soon.isoformat(),
    }
    script, calls, config = (folder / name for name in ("credentials.py", "calls", "config"))
    script.write_text(f"""\
import sys

with open({str(calls)!r}, "a+") as calls:
    calls.write("x")
    calls.seek(0)
    if len(calls.read()) == {failing_call}:
        sys.exit({message!r})
print({json.dumps(keys)!r})
""")
    config.write_text(f'[default]\ncredential_process = "{sys.executable}" "{script}"\n')
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


def interrupt() -> None:
    """Send Ctrl-C to this process."""
    signal.raise_signal(signal.SIGINT)


def fail_full_disk(*_: object, **__: object) -> None:
    """Fail as a write to a full disk does; it replaces functions of ``os``."""
    raise OSError(28, "No space left on device")


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Let writes to files fail beyond ``size`` bytes, as on a full disk."""
    import resource  # Windows has no such module.

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
