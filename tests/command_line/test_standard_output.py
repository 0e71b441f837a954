"""Standard output: full disks, pipes, encodings, and streams that are closed."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest
from commands import FLEET, PAGE, run, split_command, start, thing_names, to_names
from support import JOB_ID, posix_only

from iotjobs_client import AccessDeniedError
from iotjobs_client.cli import main
from iotjobs_client.testing import make_execution, make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint

needs_full_device = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a device that is always full"
)


class SmallDisk(io.FileIO):
    """A file that takes 2,000 bytes, and at most 300 at once."""

    def write(self, data: Any) -> int:
        left = 2_000 - os.fstat(self.fileno()).st_size
        if left <= 0:
            raise OSError(28, "No space left on device")
        return super().write(bytes(data)[: min(left, 300)])


def open_unbuffered(path: Path) -> Any:
    return SmallDisk(str(path), "w")


def open_buffered(path: Path) -> Any:
    return io.BufferedWriter(SmallDisk(str(path), "w"))


@pytest.mark.parametrize("open_file", [open_unbuffered, open_buffered])
def test_a_full_disk_keeps_whole_pages(
    open_file: Callable[[Path], Any], local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Rows of a page that was written in part are removed, so the printed command appends."""
    local_endpoint({JOB_ID: FLEET})
    file = tmp_path / "rows"
    raw = open_file(file)
    # A shell that redirects the output of several commands has the same file open.
    with os.fdopen(os.dup(raw.fileno()), "w") as of_shell:
        with io.TextIOWrapper(raw) as stdout:
            outcome = run("list", JOB_ID, PAGE, stdout=stdout)
        assert outcome.code == 1
        assert outcome.err.startswith("iotjobs: [Errno 28] No space left on device\n")
        assert to_names(file.read_text()) == thing_names(FLEET[:5])
        of_shell.write(outcome.resume().out)
    assert to_names(file.read_text()) == thing_names(FLEET)


@needs_full_device
@pytest.mark.parametrize(
    ("arguments", "code", "errors"),
    [
        (["list", JOB_ID], 1, 1),
        (["summary", JOB_ID], 1, 1),
        (["wait", "done"], 3, 0),
        (["wait", JOB_ID, "--timeout=0"], 4, 3),
        (["--help"], 1, 1),
    ],
    ids=["list", "summary", "wait", "wait in vain", "help"],
)
def test_a_full_device_is_one_line(
    arguments: list[str], code: int, errors: int, local_endpoint: StartLocalEndpoint
) -> None:
    """``wait`` keeps its exit code, and closing the stream does not fail again."""
    local_endpoint({JOB_ID: FLEET, "done": [make_execution("a", "FAILED")]})
    with Path("/dev/full").open("w") as full:
        outcome = run(*arguments, stdout=full)
    assert outcome.code == code
    lines = [line for line in outcome.err.splitlines() if not line.startswith("To resume")]
    assert len(lines) == errors


def test_head_ends_the_command_quietly(local_endpoint: StartLocalEndpoint) -> None:
    """If the reader of a pipe stops reading, the command stops too, without an error."""
    endpoint = local_endpoint({JOB_ID: make_fleet(5_000)})
    reader, writer = os.pipe()
    first_lines: list[str] = []

    def read_first_line() -> None:
        with os.fdopen(reader) as pipe:
            first_lines.append(pipe.readline())

    thread = threading.Thread(target=read_first_line)
    thread.start()
    with os.fdopen(writer, "w") as stdout:
        outcome = run("list", JOB_ID, stdout=stdout)
    thread.join()
    assert (outcome.code, outcome.err) == (0, "")
    assert to_names(first_lines[0]) == ["thing-0"]
    assert len(endpoint.requests) < 20


@pytest.mark.parametrize("command", ["list", "summary"])
def test_a_closed_pipe_is_no_error(command: str, local_endpoint: StartLocalEndpoint) -> None:
    """Closing the stream at exit does not fail either."""
    local_endpoint({JOB_ID: FLEET})
    with open_closed_pipe() as stdout:
        outcome = run(command, JOB_ID, stdout=stdout)
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("arguments", [["list", JOB_ID], ["--help"]], ids=["list", "help"])
def test_a_closed_pipe_of_windows_is_no_error(
    arguments: list[str], local_endpoint: StartLocalEndpoint
) -> None:
    """Windows reports an invalid argument."""

    class ClosedPipe(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(22, "Invalid argument")

    local_endpoint({JOB_ID: FLEET})
    with io.TextIOWrapper(ClosedPipe()) as stdout:
        outcome = run(*arguments, stdout=stdout)
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize(("status", "code"), [("SUCCEEDED", 0), ("FAILED", 3), ("QUEUED", 4)])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_wait_keeps_its_exit_code_in_a_closed_pipe(
    name: str, status: str, code: int, local_endpoint: StartLocalEndpoint
) -> None:
    """A job that failed does not look successful because nobody reads the message."""
    local_endpoint({JOB_ID: [make_execution("a", status)]})
    with open_closed_pipe() as pipe:
        streams: Any = {name: pipe}
        assert run("wait", JOB_ID, "--timeout=0", **streams).code == code


def open_closed_pipe() -> TextIO:
    """Return the end of a pipe that has no reader."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


@posix_only("Python 3.10 cannot make a pipe of Windows nonblocking")
def test_a_nonblocking_pipe_gets_all_rows(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the pipe is full, the command waits for the reader."""
    fleet = make_fleet(500)
    local_endpoint({JOB_ID: fleet})
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    is_full = threading.Event()
    texts: list[str] = []

    def read_when_full() -> None:
        assert is_full.wait(30)
        with os.fdopen(reader) as pipe:
            texts.append(pipe.read())

    monkeypatch.setattr("iotjobs_client.cli._output.sleep", lambda _: is_full.set())
    thread = threading.Thread(target=read_when_full)
    thread.start()
    with os.fdopen(writer, "w") as stdout:
        assert run("list", JOB_ID, stdout=stdout).code == 0
    thread.join()
    assert to_names(texts[0]) == thing_names(fleet)


@pytest.mark.parametrize("command", ["list", "summary"])
def test_unencodable_characters_are_escaped(
    command: str, local_endpoint: StartLocalEndpoint
) -> None:
    """An output that is ASCII gets ASCII, whatever the names of things are."""
    local_endpoint({JOB_ID: [make_execution("pümp:smile:", "FAILED")]})
    with io.TextIOWrapper(io.BytesIO(), encoding="ascii") as stdout:
        outcome = run(command, JOB_ID, "--format=table", stdout=stdout)
        stdout.seek(0)
        text = stdout.read()
    assert (outcome.code, outcome.err) == (0, "")
    assert r"p\xfcmp:smile:" in text
    assert ("#" * 30 in text) == (command == "summary")


def test_closed_streams_are_no_error(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell closes them with ``>&-`` and ``2>&-``; the file is written nevertheless."""
    local_endpoint({JOB_ID: FLEET})
    arguments = ["iotjobs", "list", JOB_ID, PAGE, f"--output={tmp_path / 'rows'}"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        for name in ("stdout", "stderr"):
            patch.setattr(sys, name, None)
        with pytest.raises(SystemExit) as caught:
            main()
        sys.stdout.close()
        sys.stderr.close()
    assert not caught.value.code
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


def test_a_process_writes_rows_to_a_pipe(local_endpoint: StartLocalEndpoint) -> None:
    """The rows have the encoding of its environment; the printed command starts as it did."""
    fleet = [make_execution("pümp"), make_execution("b")]
    local_endpoint({JOB_ID: fleet}, faults={2: AccessDeniedError})
    options = ["--names", "--page-size=1"]
    process = start("list", JOB_ID, *options, env={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "p\\xfcmp\n")
    command = split_command(err.rpartition("To resume: ")[2])
    assert command[:3] == ["python", "-m", "iotjobs_client"]
    assert run(*command[3:]).lines == ["b"]
