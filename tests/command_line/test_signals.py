"""Ctrl-C, SIGTERM and SIGHUP: no row is lost or repeated, and the exit code names the signal."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import (
    FLEET,
    HANG_UP,
    PAGE,
    Outcome,
    call_at_request,
    interrupt,
    run,
    thing_names,
    to_names,
)
from support import JOB_ID

from iotjobs_client import AccessDeniedError
from iotjobs_client.cli._output import OutputFile
from iotjobs_client.testing.fixtures import StartLocalEndpoint

CTRL_C, TERMINATE = signal.SIGINT, signal.SIGTERM
HANG_UP_CODE = 149 if os.name == "nt" else 129


class InterruptedPipe(io.BytesIO):
    """A pipe whose write with the number ``at_write`` is partial, and receives signals."""

    def __init__(self, at_write: int, *signals: signal.Signals) -> None:
        super().__init__()
        self.at_write = at_write
        self.signals = signals

    def write(self, data: Any) -> int:
        self.at_write -= 1
        if self.at_write:
            return super().write(data)
        written = super().write(data[:20])
        for number in self.signals:
            signal.raise_signal(number)
        return written


class InterruptedFile(io.FileIO):
    """A regular file that receives Ctrl-C twice during its first write."""

    is_written = False

    def write(self, data: Any) -> int:
        written = super().write(data)
        if not self.is_written:
            self.is_written = True
            signal.raise_signal(CTRL_C)
            signal.raise_signal(CTRL_C)
        return written


def run_interrupted(pipe: InterruptedPipe, **options: Any) -> Outcome:
    with io.TextIOWrapper(pipe) as stdout:
        outcome = run("list", JOB_ID, PAGE, stdout=stdout, **options)
        rows = pipe.getvalue().decode()
    return Outcome(outcome.code, rows, outcome.err)


@pytest.mark.parametrize(
    ("number", "code"), [(CTRL_C, 130), (TERMINATE, 143), (HANG_UP, HANG_UP_CODE)], ids=str
)
def test_a_signal_during_a_request_ends_the_command(
    number: signal.Signals, code: int, local_endpoint: StartLocalEndpoint
) -> None:
    """The rows before the request are written, and the printed command lists the others."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    with call_at_request(endpoint, 2, lambda: signal.raise_signal(number)):
        outcome = run("list", JOB_ID, PAGE)
    assert (outcome.code, outcome.names) == (code, thing_names(FLEET[:5]))
    assert outcome.err.splitlines()[0] == "iotjobs: interrupted"
    assert outcome.names + outcome.resume().names == thing_names(FLEET)


def test_a_signal_during_the_first_request_starts_over(local_endpoint: StartLocalEndpoint) -> None:
    """The printed command is the original one."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    with call_at_request(endpoint, 1, interrupt):
        outcome = run("list", JOB_ID, PAGE)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.resume().names == thing_names(FLEET)


@pytest.mark.parametrize("page", [1, 2])
def test_a_signal_during_a_write_waits_for_the_page(
    page: int, local_endpoint: StartLocalEndpoint
) -> None:
    """The page is written whole, and the printed command lists the pages after it."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run_interrupted(InterruptedPipe(page, CTRL_C))
    assert (outcome.code, outcome.names) == (130, thing_names(FLEET[: 5 * page]))
    assert outcome.names + outcome.resume().names == thing_names(FLEET)


def test_a_signal_during_the_last_page_leaves_nothing_to_do(
    local_endpoint: StartLocalEndpoint,
) -> None:
    """All rows are written, so no command is printed."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run_interrupted(InterruptedPipe(4, CTRL_C))
    assert (outcome.code, outcome.names) == (130, thing_names(FLEET))
    assert outcome.err == "iotjobs: interrupted\n"


@pytest.mark.parametrize("second", [CTRL_C, HANG_UP], ids=str)
def test_a_second_signal_interrupts_a_blocked_pipe(
    second: signal.Signals, local_endpoint: StartLocalEndpoint
) -> None:
    """Its reader may have stopped; the printed command repeats the page that was cut."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run_interrupted(InterruptedPipe(2, TERMINATE, second))
    assert outcome.code == 143
    *rows, cut = outcome.out.splitlines()
    assert (to_names("\n".join(rows)), len(cut)) == (thing_names(FLEET[:5]), 20)
    assert outcome.resume().names == thing_names(FLEET[5:])


def test_a_second_signal_does_not_cut_a_page_in_a_file(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """A write to a regular file does not block, so the page is written whole, once."""
    local_endpoint({JOB_ID: FLEET})
    file = tmp_path / "rows"
    with io.TextIOWrapper(InterruptedFile(str(file), "w")) as stdout:
        outcome = run("list", JOB_ID, PAGE, stdout=stdout)
    assert outcome.code == 130
    assert to_names(file.read_text()) == thing_names(FLEET[:5])
    assert outcome.resume().names == thing_names(FLEET[5:])


def test_an_ignored_signal_stays_ignored(local_endpoint: StartLocalEndpoint) -> None:
    """A shell ignores Ctrl-C for a command that it starts with ``&``."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run_interrupted(InterruptedPipe(2, CTRL_C), in_background=True)
    assert (outcome.code, outcome.names, outcome.err) == (0, thing_names(FLEET), "")


def interrupt_call(
    patch: pytest.MonkeyPatch, owner: Any, name: str, *signals: signal.Signals
) -> None:
    """Send ``signals`` before and after each call of the function."""
    function: Callable[..., object] = getattr(owner, name)

    def call(*arguments: object) -> object:
        for number in signals:
            signal.raise_signal(number)
        result = function(*arguments)
        signal.raise_signal(signals[-1])
        return result

    patch.setattr(owner, name, call)


@pytest.mark.parametrize(("owner", "name"), [(OutputFile, "_part"), (OutputFile, "_rename")])
@pytest.mark.parametrize("signals", [[TERMINATE], [TERMINATE, HANG_UP], [TERMINATE, CTRL_C]])
def test_signals_while_rows_are_kept_lose_nothing(
    *,
    owner: Any,
    name: str,
    signals: list[signal.Signals],
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After an error, signals end the command only when the rows are kept."""
    file = tmp_path / "rows"
    file.write_text("old rows\n")
    local_endpoint({JOB_ID: FLEET}, faults={3: AccessDeniedError})
    with monkeypatch.context() as patch:
        interrupt_call(patch, owner, name, *signals)
        outcome = run("list", JOB_ID, PAGE, f"--output={file}")
    assert outcome.code == 143
    assert file.read_text() == "old rows\n"
    assert outcome.resume().code == 0
    assert to_names(file.read_text()) == thing_names(FLEET)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (OutputFile, "_rename")])
def test_a_signal_while_a_file_is_completed_waits(
    owner: Any,
    name: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file is complete, so no command is printed, although the exit code is the signal's."""
    file = tmp_path / "rows"
    local_endpoint({JOB_ID: FLEET})
    with monkeypatch.context() as patch:
        interrupt_call(patch, owner, name, CTRL_C)
        outcome = run("list", JOB_ID, PAGE, f"--output={file}")
    assert (outcome.code, outcome.err) == (130, "iotjobs: interrupted\n")
    assert to_names(file.read_text()) == thing_names(FLEET)
    assert list(tmp_path.iterdir()) == [file]


def test_a_signal_while_a_page_is_written_to_a_file(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is kept whole."""
    local_endpoint({JOB_ID: FLEET})
    with monkeypatch.context() as patch:
        interrupt_call(patch, OutputFile, "write", CTRL_C, CTRL_C)
        outcome = run("list", JOB_ID, PAGE, f"--output={tmp_path / 'rows'}")
    assert outcome.code == 130
    outcome.resume()
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


@pytest.mark.parametrize("signals", [[CTRL_C], [TERMINATE, CTRL_C]])
def test_signals_do_not_interrupt_a_report(
    signals: list[signal.Signals], local_endpoint: StartLocalEndpoint
) -> None:
    """The message and the printed command are complete, and the exit code is the error's."""
    local_endpoint({JOB_ID: FLEET}, faults={2: AccessDeniedError})
    pipe = InterruptedPipe(1, *signals)
    with io.TextIOWrapper(io.BufferedWriter(pipe)) as stderr:
        first = run("list", JOB_ID, PAGE, stderr=stderr)
        outcome = Outcome(first.code, first.out, pipe.getvalue().decode())
    assert outcome.code == 1
    assert outcome.names + outcome.resume().names == thing_names(FLEET)


def test_a_signal_before_the_command_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the help text is printed exits with 130, without a traceback."""
    monkeypatch.setattr("click.Group.get_help", lambda *_: interrupt())
    outcome = run("--help")
    assert (outcome.code, outcome.out, outcome.err.strip()) == (130, "", "")
