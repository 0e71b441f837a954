"""The command line: rows, files, faults, waiting, summaries; on pipes and on terminals."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import runpy
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import boto3
import matplotlib.text
import pytest
import typer
from support import JOB_ID, FleetClient, session, wait_until
from typer.testing import CliRunner

from iotjobs_client import (
    AccessDeniedError,
    IoTJobsClient,
    JobExecutionSummary,
    ServiceUnavailableError,
    ThrottlingError,
)
from iotjobs_client.cli import _plot, _terminal, _wait, main
from iotjobs_client.cli._app import _shell_quote, app
from iotjobs_client.cli._formats import FIELDS, Format, to_formatter
from iotjobs_client.cli._listing import RowWriter
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.rollout import summarize
from iotjobs_client.testing import Fault, LocalEndpoint, make_execution, make_fleet

FLEET = [*make_fleet(19), make_execution("thing-19", "QUEUED")]
PAGE = ["--page-size=5"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Made-up credentials, no retries by botocore, a session that keeps its models, Ctrl-C."""
    shared = session()
    monkeypatch.setattr(boto3, "Session", lambda **_: shared)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    # A shell that runs the tests in the background, or nohup, has some of these ignored.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    others = {n: signal.signal(n, signal.SIG_DFL) for n in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in {signal.SIGINT: previous, **others}.items():
        signal.signal(number, handler)


@pytest.fixture
def endpoint() -> Iterator[LocalEndpoint]:
    with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
        yield endpoint


class Outcome:
    def __init__(self, *arguments: str) -> None:
        result = CliRunner().invoke(app, arguments, prog_name="iotjobs")
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        self.lines = self.out.splitlines()


def run(*arguments: str, at: LocalEndpoint) -> Outcome:
    return Outcome(*arguments, f"--endpoint-url={at.url}")


def resume(outcome: Outcome) -> Outcome:
    """What the printed command does, as a shell would read it."""
    command, *more = re.findall("(?m)^To resume: (.*)$", outcome.err)
    assert not more
    program, *arguments = shlex.split(command)
    assert program == "iotjobs"
    return Outcome(*arguments)


def names(text: str) -> list[str]:
    return [json.loads(line)["thing_name"] for line in text.splitlines()]


def things(fleet: Sequence[JobExecutionSummary]) -> list[str]:
    return [execution.thing_name for execution in fleet]


class TestRows:
    def test_a_row_has_all_members_by_their_names(self, endpoint: LocalEndpoint) -> None:
        """And the name of the thing; times are ISO 8601 in UTC, and what is absent is null."""
        found = run("list", JOB_ID, *PAGE, at=endpoint)
        assert (found.code, found.err) == (0, "")
        rows = [json.loads(line) for line in found.lines]
        assert [list(row) for row in rows] == [list(FIELDS)] * 20
        assert [JobExecutionSummary(**row) for row in map(read_back, rows)] == FLEET
        assert rows[0]["queued_at"] == "2026-01-01T00:00:00+00:00"
        assert {row["started_at"] for row in rows if row["status"] == "QUEUED"} == {None}

    def test_the_fields_are_those_of_the_model(self) -> None:
        """None is forgotten that the model gets."""
        members = [field.name for field in attrs.fields(JobExecutionSummary)]
        assert list(FIELDS) == ["thing_name", *members]

    def test_csv_has_a_header_and_empty_cells(self, endpoint: LocalEndpoint) -> None:
        """What is absent is empty; the cells are those of the other format."""
        found = run("list", JOB_ID, "--format=CSV", *PAGE, at=endpoint)
        rows = list(csv.DictReader(found.lines))
        expected = [json.loads(line) for line in run("list", JOB_ID, at=endpoint).lines]
        assert rows == [
            {name: "" if value is None else str(value) for name, value in row.items()}
            for row in expected
        ]

    def test_a_table_is_for_people(self, endpoint: LocalEndpoint) -> None:
        """Columns as wide as the first page needs, times to the second, a dash where nothing is."""
        found = run("list", JOB_ID, "--format=table", *PAGE, at=endpoint)
        head, *rows = found.lines
        assert head.split()[:3] == ["thing_name", "status", "#"]
        assert len(rows) == 20
        assert [row.split()[:2] for row in rows] == [[e.thing_name, e.status] for e in FLEET]
        assert {row.index(" 1  2026-01-01T00:00:0") for row in rows[:5]} == {head.index(" #")}
        (waiting,) = (row for row, e in zip(rows, FLEET, strict=True) if e.status == "QUEUED")
        assert waiting.split()[3:5] == ["2026-01-01T00:00:00Z", "-"]

    @pytest.mark.parametrize("output_format", ["table", "ndjson", "csv"])
    def test_an_empty_job_is_no_fault(self, output_format: str) -> None:
        """It gives no rows."""
        with LocalEndpoint({JOB_ID: []}) as endpoint:
            found = run("list", JOB_ID, f"--format={output_format}", at=endpoint)
        assert (found.code, found.err) == (0, "")
        assert found.lines == ([",".join(FIELDS)] if output_format == "csv" else [])

    def test_statuses_are_taken_in_any_case(self, endpoint: LocalEndpoint) -> None:
        """Several give all of theirs."""
        found = run("list", JOB_ID, "--status=failed", "--status=Queued", at=endpoint)
        assert [request.status for request in endpoint.requests] == ["QUEUED", "FAILED"]
        expected = [e.thing_name for e in FLEET if e.status in ("FAILED", "QUEUED")]
        assert sorted(names(found.out)) == sorted(expected)

    @pytest.mark.parametrize("output_format", list(Format))
    def test_no_name_steers_a_terminal(self, output_format: Format) -> None:
        """Whatever the service sends for one, rows are printable ASCII; ndjson tells it exactly."""
        evil = "\x1b[31m\x07\x7f\x9b2J\u202e\ud800\n"
        with LocalEndpoint({JOB_ID: [make_execution(evil, evil)]}) as endpoint:
            found = run("list", JOB_ID, f"--format={output_format.value}", at=endpoint)
        *_, row = found.lines
        assert row.isascii()
        assert row.isprintable()
        if output_format is Format.ndjson:
            assert json.loads(row)["status"] == evil
        else:
            assert r"\x1b[31m\x07\x7f\x9b2J\u202e\ud800\n" in row

    @pytest.mark.parametrize("start", "=+-@")
    def test_no_cell_is_a_formula(self, start: str) -> None:
        """A spreadsheet takes a cell that begins so for one; a quote before it makes it text."""
        row = to_formatter(Format.csv, in_colour=False)[1]([make_execution(f"{start}1+1")])
        assert row.startswith(f"'{start}1+1,arn:")

    def test_no_value_can_end_a_line(self) -> None:
        """Not even one that has in it what stands between two rows."""
        execution = make_execution('}, {"thing_name": ')
        lines = to_formatter(Format.ndjson, in_colour=False)[1]([execution] * 2).splitlines()
        assert [json.loads(line)["thing_name"] for line in lines] == [execution.thing_name] * 2


def read_back(row: dict[str, Any]) -> dict[str, Any]:
    del row["thing_name"]
    return {
        name: datetime.fromisoformat(value) if name.endswith("_at") and value else value
        for name, value in row.items()
    }


class TestFaults:
    @pytest.mark.parametrize("output_format", ["csv", "ndjson"])
    def test_the_printed_command_goes_on_exactly(self, output_format: str) -> None:
        """Whatever the options; with what came before, it gives the whole listing."""
        options = ["--status=failed", "--status=succeeded", "--max-items=9", "--page-size=2"]
        options += ["--prefetch", "--region=eu-west-1", "--profile=it's", "--debug"]
        with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
            whole = run("list", JOB_ID, f"--format={output_format}", *options, at=endpoint)
        faults: dict[int, Fault] = {2: ThrottlingError, 4: "disconnect"}
        with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint:
            arguments = ["list", JOB_ID, f"--format={output_format}", *options]
            first = run(*arguments, "--requests-per-second=1000", at=endpoint)
            second = resume(first)
            third = resume(second)
        assert (first.code, second.code, third.code) == (1, 1, 0)
        assert all([first.out, second.out, third.out])
        assert first.out + second.out + third.out == whole.out
        for option in (*options[2:], "--requests-per-second=1000.0"):
            expected = option.replace("--max-items=9", "--max-items=7")
            assert expected in shlex.split(first.err.splitlines()[-1])

    def test_a_fault_is_one_line_and_the_command(self) -> None:
        """The error with its request id, then what goes on."""
        with LocalEndpoint({JOB_ID: FLEET}, faults={1: ServiceUnavailableError}) as endpoint:
            found = run("list", JOB_ID, at=endpoint)
            again = resume(found)
        assert (found.code, found.out) == (1, "")
        error, command = found.err.splitlines()
        assert error.startswith(f"iotjobs: job '{JOB_ID}': ListJobExecutionsForJob failed with")
        assert (
            command
            == f"To resume: iotjobs list --format=ndjson --endpoint-url={endpoint.url} {JOB_ID}"
        )
        assert names(again.out) == things(FLEET)

    def test_a_job_that_begins_like_an_option_resumes_too(self) -> None:
        """Behind two dashes."""
        with LocalEndpoint({"-x": FLEET}, faults={1: ThrottlingError}) as endpoint:
            found = Outcome("list", f"--endpoint-url={endpoint.url}", "--", "-x")
            assert names(resume(found).out) == things(FLEET)

    def test_what_max_items_left_is_told(self, endpoint: LocalEndpoint) -> None:
        """By the command that gives as many more."""
        found = run("list", JOB_ID, "--max-items=8", *PAGE, at=endpoint)
        assert found.code == 0
        more = Outcome(*shlex.split(found.err.removeprefix("There may be more: "))[1:])
        assert names(found.out) + names(more.out) == things(FLEET[:16])

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["list", "a/b"], "job_id must be 1 to 64 characters"),
            (["list", JOB_ID, "--page-size=0"], "page_size must be an int from 1 to 250"),
            (["list", JOB_ID, "--max-items=0"], "max_items must be an int of at least 1"),
            (["list", JOB_ID, "--resume-token=x"], "resume_token must be complete and unchanged"),
            (["list", JOB_ID, "--requests-per-second=0"], "requests_per_second must be"),
            (["summary", JOB_ID, "--plot=rollout.pdf"], "plot must end in .svg or .png"),
            (["list", JOB_ID, "--status=DONE"], "--status"),
            (["list", JOB_ID, "--page-size=many"], "--page-size"),
            (["wait", JOB_ID, "--timeout=-1"], "--timeout"),
            (["list"], "Missing argument"),
        ],
    )
    def test_a_wrong_argument_is_a_usage_error(
        self, arguments: list[str], text: str, endpoint: LocalEndpoint
    ) -> None:
        """Refused with the rule and code 2, before any request."""
        found = run(*arguments, at=endpoint)
        assert (found.code, found.out) == (2, "")
        assert text in found.err
        assert "To resume" not in found.err
        assert endpoint.requests == []

    @pytest.mark.parametrize("command", ["list", "summary", "wait"])
    def test_a_job_that_is_not_there_is_told_in_one_line(
        self, command: str, endpoint: LocalEndpoint
    ) -> None:
        """With nothing to go on with, and no traceback."""
        found = run(command, "no-such-job", at=endpoint)
        assert (found.code, found.out) == (1, "")
        assert len(found.err.splitlines()) == 1
        assert "ResourceNotFoundException" in found.err

    @pytest.mark.parametrize("command", ["list", "summary", "wait"])
    def test_debug_gives_the_traceback_first(self, command: str) -> None:
        """For those who ask for it."""
        with LocalEndpoint({JOB_ID: FLEET}, faults={1: AccessDeniedError}) as endpoint:
            found = run(command, JOB_ID, "--debug", at=endpoint)
        assert found.code == 1
        assert found.err.startswith("Traceback (most recent call last):")
        assert "botocore.exceptions.ClientError" in found.err

    def test_an_error_of_ours_is_told_in_one_line_too(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With a hint at --debug, and without letting it steer the terminal."""

        def fail(_: object) -> None:
            raise TypeError("what\x1b[2J?")

        monkeypatch.setattr("iotjobs_client.cli._app.summarize", fail)
        found = run("summary", JOB_ID, at=endpoint)
        expected = "iotjobs: unexpected TypeError: what\\x1b[2J?; see --debug\n"
        assert (found.code, found.err) == (1, expected)


class TestOutput:
    """With --output the file is there whole or not at all."""

    @pytest.mark.parametrize("old", [None, "of yesterday\n"])
    @pytest.mark.parametrize("output_format", ["csv", "ndjson", "table"])
    def test_a_file_is_replaced_when_all_is_there(
        self, old: str | None, output_format: str, tmp_path: Path
    ) -> None:
        """After two faults too: until then it is as it was, and nothing is left beside it."""
        file = tmp_path / "rows of today.txt"
        if old is not None:
            file.write_text(old)
        options = ["list", JOB_ID, f"--format={output_format}", *PAGE]
        with LocalEndpoint({JOB_ID: FLEET}, faults={2: ThrottlingError, 4: "reset"}) as endpoint:
            found = run(*options, f"--output={file}", at=endpoint)
            for _ in range(2):
                assert (found.code, found.out) == (1, "")
                assert (file.read_text() if file.exists() else None) == old
                found = resume(found)
            assert (found.code, found.out, found.err) == (0, "", "")
            whole = run(*options, at=endpoint)
        # The table's columns are as wide as the first rows of each run need.
        rows = [row.split() for row in file.read_text().splitlines()]
        assert rows == [row.split() for row in whole.lines]
        assert list(tmp_path.iterdir()) == [file]

    def test_a_fault_before_the_first_page_leaves_nothing(self, tmp_path: Path) -> None:
        """The command that goes on is then the same once more."""
        with LocalEndpoint({JOB_ID: FLEET}, faults={1: ThrottlingError}) as endpoint:
            found = run("list", JOB_ID, "--output=rows", at=endpoint)
            assert list(tmp_path.iterdir()) == []
            assert "--resume-token" not in found.err
            resume(found)
        assert names(Path("rows").read_text()) == things(FLEET)

    def test_a_fault_of_a_resumed_run_changes_nothing(self, tmp_path: Path) -> None:
        """Not before its first page: what was kept is kept for the same command."""
        faults = {2: ThrottlingError, 3: ThrottlingError}
        with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint:
            first = run("list", JOB_ID, "--output=rows", *PAGE, at=endpoint)
            kept = list(tmp_path.iterdir())
            second = resume(first)
            assert second.err.splitlines()[-1] == first.err.splitlines()[-1]
            assert list(tmp_path.iterdir()) == kept
            resume(second)
        assert names(Path("rows").read_text()) == things(FLEET)

    def test_the_next_executions_are_appended(self, endpoint: LocalEndpoint) -> None:
        """To a file that is whole, by the token at its end; with one header."""
        options = ["--format=csv", "--output=rows", "--max-items=8"]
        found = run("list", JOB_ID, *options, at=endpoint)
        assert len(Path("rows").read_text().splitlines()) == 9
        Outcome(*shlex.split(found.err.removeprefix("There may be more: "))[1:])
        head, *rows = Path("rows").read_text().splitlines()
        assert head == ",".join(FIELDS)
        assert [row.partition(",")[0] for row in rows] == things(FLEET[:16])

    def test_links_and_permissions_stay(self, endpoint: LocalEndpoint) -> None:
        """The file that a link leads to is replaced, not the link."""
        Path("real").touch(mode=0o640)
        Path("link").symlink_to("real")
        run("list", JOB_ID, "--output=link", at=endpoint)
        assert Path("link").is_symlink()
        assert names(Path("real").read_text()) == things(FLEET)
        assert stat.S_IMODE(Path("real").stat().st_mode) == 0o640

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("no-such-folder/rows", "cannot write no-such-folder/rows: No such file or directory"),
            (os.devnull, f"{os.devnull} is not a file"),
            ("x" * 245, f"cannot write {'x' * 245}: File name too long"),
        ],
    )
    def test_a_file_that_cannot_be_is_told_before_any_request(
        self, file: str, text: str, endpoint: LocalEndpoint
    ) -> None:
        """In one line."""
        found = run("list", JOB_ID, f"--output={file}", at=endpoint)
        assert (found.code, found.err) == (1, f"iotjobs: {text}\n")
        assert endpoint.requests == []

    def test_a_file_that_cannot_be_begun_or_ended_leaves_what_it_can(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing before the first row, and all rows where only the name cannot be given."""

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        Path("rows").write_text("before\n")
        with monkeypatch.context() as patch:
            patch.setattr("shutil.copyfileobj", fail)
            with pytest.raises(OSError, match="No space"):
                OutputFile(tmp_path / "rows", "token")
        assert [path.name for path in tmp_path.iterdir()] == ["rows"]
        output = OutputFile(tmp_path / "rows", None)
        output.write("after\n")
        Path("rows").unlink()
        Path("rows").mkdir()
        with pytest.raises(OSError, match="all rows are in") as caught:
            output.finish(None)
        assert Path(str(caught.value).rpartition(" ")[2]).read_text() == "after\n"

    def test_two_runs_at_once_do_not_mix(self, tmp_path: Path) -> None:
        """Not even with the same process id, as in two containers; the last to end counts."""
        first, second = (OutputFile(tmp_path / "rows", None) for _ in range(2))
        for number in range(3):
            first.write(f"first {number}\n")
            second.write(f"second {number}\n")
        second.finish(None)
        assert Path("rows").read_text() == "second 0\nsecond 1\nsecond 2\n"
        first.finish(None)
        assert Path("rows").read_text() == "first 0\nfirst 1\nfirst 2\n"
        assert list(tmp_path.iterdir()) == [tmp_path / "rows"]

    def test_a_token_without_the_rows_before_it_is_refused(self, endpoint: LocalEndpoint) -> None:
        """A file of the rest alone would be taken for the whole."""
        found = run("list", JOB_ID, "--max-items=8", at=endpoint)
        (token,) = re.findall(r"--resume-token=(\S+)", found.err)
        found = run("list", JOB_ID, "--output=rows", f"--resume-token={token}", at=endpoint)
        assert (found.code, len(endpoint.requests)) == (2, 1)
        assert "resume_token must follow rows, but neither" in found.err
        assert list(Path().iterdir()) == []

    def test_of_a_listing_whose_rest_is_gone_the_rows_are_whole(self) -> None:
        """And there is nothing more to resume."""
        client = FleetClient(FLEET[:10])
        listing = IoTJobsClient(client).list_job_executions_for_job
        rows = iter(listing(JOB_ID, page_size=5))
        first = [next(rows) for _ in range(8)]
        client.fleet = FLEET[:8]
        token = rows.resume_token
        Path("rows").write_text("before\n")
        output = OutputFile(Path("rows"), token)
        rest = RowWriter(
            listing(JOB_ID, page_size=5, resume_token=token),
            output,
            *to_formatter(Format.ndjson, in_colour=False),
            _terminal.Signals(),
        )
        rest.write()
        assert things(first) == things(FLEET[:8])
        assert (rest.is_complete, rest.resume_token) == (True, None)
        assert Path("rows").read_text() == "before\n"

    @pytest.mark.parametrize("name", ["truncate", "fsync"])
    def test_what_a_disk_does_not_keep_is_not_resumed_behind(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The command starts over, or says where the rows are: it never passes over some."""

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        faults: dict[int, Fault] = {2: ThrottlingError} if name == "truncate" else {}
        with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint:
            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail)
                found = run("list", JOB_ID, "--output=rows", *PAGE, at=endpoint)
            assert found.code == 1
            assert "--resume-token" not in found.err
            if name == "truncate":
                resume(found)
                assert names(Path("rows").read_text()) == things(FLEET)
            else:
                assert "To resume" not in found.err
                (path,) = re.findall(r"all rows are in (\S+)$", found.err)
                assert names(Path(path).read_text()) == things(FLEET)

    def test_rows_of_an_older_fault_do_not_stand_for_fresh_ones(self) -> None:
        """Even where the service gives the same token again."""
        with LocalEndpoint({JOB_ID: FLEET}, faults={2: ThrottlingError}) as endpoint:
            options = [*PAGE, "--output=rows"]
            run("list", JOB_ID, *options, "--format=csv", at=endpoint)
            assert len(list(Path().iterdir())) == 1
            found = run("list", JOB_ID, *options, "--max-items=5", at=endpoint)
            assert [path.name for path in Path().iterdir()] == ["rows"]
            command = found.err.removeprefix("There may be more: ")
            Outcome(*(w for w in shlex.split(command)[1:] if w[:5] != "--max"))
        assert names(Path("rows").read_text()) == things(FLEET)

    def test_of_a_page_that_a_full_disk_took_in_part_nothing_is_kept(self, tmp_path: Path) -> None:
        """What is kept ends where the token does."""
        output = OutputFile(tmp_path / "rows", None)
        output.write("first\n")
        output._file.write(b"sec")
        output.stop("token")
        (kept,) = tmp_path.iterdir()
        assert kept.read_text() == "first\n"
        output = OutputFile(tmp_path / "rows", "token")
        output.write("second\n")
        output.stop("token")  # a service may give the same one
        assert kept.read_text() == "first\nsecond\n"


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


class TestInterrupts:
    def writes_through(self, presses: int, *, can_be_forced: bool) -> bool:
        """Whether what is held comes to its end before Ctrl-C is raised."""
        signals = _terminal.Signals()
        is_written = False
        try:
            with signals.handled(), signals.deferred(can_be_forced=can_be_forced):
                for _ in range(presses):
                    interrupt()
                is_written = True
        except KeyboardInterrupt:
            return is_written
        raise AssertionError("Ctrl-C was lost")

    @pytest.mark.parametrize(("can_be_forced", "presses"), [(False, 1), (False, 2), (True, 1)])
    def test_ctrl_c_waits_until_a_page_is_written(
        self, presses: int, *, can_be_forced: bool
    ) -> None:
        """It is raised at the end, and afterwards all is what it was before."""
        assert self.writes_through(presses, can_be_forced=can_be_forced)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_a_second_ctrl_c_does_not_wait_for_somebody_to_read(self) -> None:
        """What would be written may never be."""
        assert not self.writes_through(2, can_be_forced=True)

    def test_another_signal_ends_a_command_as_a_shell_expects(self) -> None:
        """With 128 and its number, whatever comes after it."""

        def be_stopped() -> None:
            with _terminal.report_errors(debug=False):
                try:
                    signal.raise_signal(signal.SIGTERM)
                finally:
                    signal.raise_signal(signal.SIGHUP)
                    interrupt()

        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(typer.Exit) as caught:
            be_stopped()
        assert caught.value.exit_code == 143
        assert signal.getsignal(signal.SIGTERM) is before

    def test_ctrl_c_stays_ignored_in_the_background(self) -> None:
        """As a shell arranges it."""
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with _terminal.Signals().handled():
                interrupt()
        finally:
            signal.signal(signal.SIGINT, previous)

    @pytest.mark.parametrize("max_items", [None, 10])
    @pytest.mark.parametrize("at_page", [1, 2])
    def test_what_was_written_fits_the_token(self, at_page: int, max_items: int | None) -> None:
        """Ctrl-C during a write finds the page out; after the last page it comes too late."""

        class Output:
            is_empty = True
            is_streamed = True
            may_block = True
            pages = 0
            text = ""
            stopped: str | None = None
            is_finished = False
            finished_at: str | None = None

            def write(self, text: str) -> None:
                self.pages += 1
                self.text += text[:20]
                if self.pages == at_page:
                    interrupt()
                self.text += text[20:]

            def finish(self, resume_token: str | None) -> None:
                self.finished_at = resume_token
                self.is_finished = True

            def stop(self, resume_token: str | None) -> None:
                self.stopped = resume_token

        fleet = FLEET[: 10 if max_items is None else 12]
        client = IoTJobsClient(FleetClient(fleet))
        listing = client.list_job_executions_for_job(JOB_ID, page_size=5, max_items=max_items)
        output: Any = Output()
        signals = _terminal.Signals()
        rows = RowWriter(listing, output, *to_formatter(Format.ndjson, in_colour=False), signals)
        if at_page == 1:
            with pytest.raises(KeyboardInterrupt), signals.handled():
                rows.write()
            rest = client.list_job_executions_for_job(JOB_ID, resume_token=output.stopped)
            assert names(output.text) + things(list(rest)) == things(fleet)
            assert not output.is_finished
        else:
            with signals.handled():
                rows.write()
            assert names(output.text) == things(fleet[:10])
            assert output.is_finished
            assert output.finished_at == rows.resume_token

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
    )
    def test_a_signal_during_a_request_ends_it_in_order(
        self, number: signal.Signals, code: int
    ) -> None:
        """The first page is out while the second one hangs; it goes on from there."""
        with LocalEndpoint({JOB_ID: FLEET}, faults={2: "hang"}) as endpoint:
            process = start("list", JOB_ID, *PAGE, f"--endpoint-url={endpoint.url}")
            assert process.stdout is not None
            out = "".join(process.stdout.readline() for _ in range(5))
            process.send_signal(number)
            rest, err = process.communicate(timeout=60)
        assert process.returncode == code
        error, command = err.splitlines()
        assert (rest, error) == ("", "iotjobs: interrupted")
        with LocalEndpoint({JOB_ID: FLEET}) as again:
            command = command.removeprefix("To resume: ").replace(endpoint.url, again.url)
            words = shlex.split(command)
            assert words[:3] == ["python", "-m", "iotjobs_client"]
            assert names(out) + names(Outcome(*words[3:]).out) == things(FLEET)

    @pytest.mark.parametrize("second", [signal.SIGHUP, signal.SIGINT])
    def test_a_second_signal_loses_nothing(
        self, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As systemd sends it, or an impatient finger, while the rows are being kept."""
        stop = OutputFile.stop

        def stop_and_be_hurried(output: OutputFile, resume_token: str | None) -> None:
            signal.raise_signal(second)
            stop(output, resume_token)
            signal.raise_signal(second)

        with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
            with monkeypatch.context() as patch:
                patch.setattr(OutputFile, "stop", stop_and_be_hurried)
                patch.setattr(OutputFile, "write", fail_on_second(OutputFile.write))
                found = run("list", JOB_ID, "--output=rows", *PAGE, at=endpoint)
            assert found.code == 143
            resume(found)
        assert names(Path("rows").read_text()) == things(FLEET)

    def test_a_signal_after_a_fault_loses_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Though it is the first, and comes while the rows are being kept."""
        stop = OutputFile.stop

        def be_stopped(output: OutputFile, resume_token: str | None) -> None:
            signal.raise_signal(signal.SIGTERM)
            stop(output, resume_token)

        Path("rows").write_text("of yesterday\n")
        with LocalEndpoint({JOB_ID: FLEET}, faults={3: "garbage"}) as endpoint:
            with monkeypatch.context() as patch:
                patch.setattr(OutputFile, "stop", be_stopped)
                found = run("list", JOB_ID, "--output=rows", *PAGE, at=endpoint)
            assert found.code == 143
            resume(found)
        assert names(Path("rows").read_text()) == things(FLEET)
        assert [path.name for path in Path().iterdir()] == ["rows"]

    def test_in_a_file_a_second_signal_repeats_no_page(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It does not block, so nothing need be forced: a page is in it once."""
        write = StandardOutput.write

        def write_and_be_hurried(output: StandardOutput, text: str) -> None:
            write(output, text)
            interrupt()
            interrupt()

        path = tmp_path / "rows.ndjson"
        with LocalEndpoint({JOB_ID: FLEET}) as endpoint, path.open("w") as stream:
            with monkeypatch.context() as patch:
                patch.setattr(sys, "stdout", stream)
                err = io.StringIO()
                patch.setattr(sys, "stderr", err)
                patch.setattr(StandardOutput, "write", write_and_be_hurried)
                assert run_main("list", JOB_ID, *PAGE, f"--endpoint-url={endpoint.url}") == 130
            rest = Outcome("list", *shlex.split(err.getvalue().partition(" list ")[2]))
        assert names(path.read_text()) + names(rest.out) == things(FLEET)

    def test_a_burst_of_signals_waits_for_what_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The command that resumes, but not for ever: nobody may read it."""
        ended: list[int] = []
        monkeypatch.setattr(os, "_exit", ended.append)
        signals = _terminal.Signals()
        with signals.handled():
            signals.start_reporting()
            interrupt()
            assert ended == []
            monkeypatch.setattr(_terminal, "_REPORT_SECONDS", 0)
            signal.raise_signal(signal.SIGTERM)
        assert ended == [130]

    def test_what_is_told_can_be_interrupted(self) -> None:
        """By then nothing is to be kept, and a signal ends the process."""
        with LocalEndpoint({JOB_ID: make_fleet(3000)}) as endpoint:
            reader, writer = os.pipe()
            options: dict[str, Any] = {"stdout": writer, "stderr": writer}
            process = start("list", JOB_ID, f"--endpoint-url={endpoint.url}", **options)
            os.close(writer)
            wait_until(lambda: len(endpoint.requests) > 0)
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
            os.close(reader)
            # The last signal may come when the interpreter is on its way out.
            assert process.wait(1) in (143, -signal.SIGTERM)

    @pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell")
    @pytest.mark.parametrize("word", ["rows", "it's $HOME", "a\tb\n", "p\udcffmp", "é漢", "'\x1b"])
    @pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
    def test_a_shell_reads_every_word_as_it_is(
        self, word: str, encoding: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And no word steers the terminal that it is printed on."""
        with io.TextIOWrapper(io.BytesIO(), encoding=encoding) as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            quoted = _shell_quote(word)
            assert quoted.isprintable()
            shell = [b"bash", b"-c", b"printf %s " + quoted.encode(encoding)]
            assert subprocess.run(shell, capture_output=True, check=True).stdout == os.fsencode(
                word
            )


def fail_on_second(write: Callable[[OutputFile, str], None]) -> Callable[[OutputFile, str], None]:
    """``write``, but SIGTERM comes with the second page."""
    count = 0

    def write_and_stop(output: OutputFile, text: str) -> None:
        nonlocal count
        count += 1
        write(output, text)
        if count == 2:
            signal.raise_signal(signal.SIGTERM)

    return write_and_stop


class TestStandardOutput:
    def test_a_file_that_takes_no_more_ends_with_a_whole_page(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of rows that are out in part nothing is left, also where the stream has no buffer."""
        limit = 2_000

        class Disk(io.FileIO):
            def write(self, data: Any) -> int:
                left = limit - os.fstat(self.fileno()).st_size
                if left <= 0:
                    raise OSError(28, "No space left on device")
                return super().write(bytes(data)[: min(left, 300)])  # as a pipe may, not all

        with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
            for make in (Disk, lambda *args: io.BufferedWriter(Disk(*args))):
                raw: Any = make(str(tmp_path / "rows"), "w")
                shells = os.dup(raw.fileno())  # the shell that redirects it has it too
                with io.TextIOWrapper(raw) as stream, monkeypatch.context() as patch:
                    patch.setattr(sys, "stdout", stream)
                    stderr = io.StringIO()
                    patch.setattr(sys, "stderr", stderr)
                    assert run_main("list", JOB_ID, *PAGE, f"--endpoint-url={endpoint.url}") == 1
                    rows = names((tmp_path / "rows").read_text())
                    assert rows == things(FLEET[: len(rows)])
                    command = stderr.getvalue().partition(" list ")[2]
                    rest = Outcome("list", *shlex.split(command))
                    os.write(shells, rest.out.encode())
                os.close(shells)
                assert names((tmp_path / "rows").read_text()) == things(FLEET)

    def test_a_pipe_that_does_not_block_gets_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However late it is read."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        found: list[str] = []

        def read_late() -> None:
            wait_until(lambda: len(waits) > 0)
            with os.fdopen(reader) as file:
                found.append(file.read())

        waits: list[Any] = []

        def select_(*args: Any) -> None:
            waits.append(args)
            select.select(*args)

        monkeypatch.setattr("iotjobs_client.cli._output.select", select_)
        thread = threading.Thread(target=read_late)
        thread.start()
        fleet = make_fleet(500)
        with os.fdopen(writer, "w") as stream, LocalEndpoint({JOB_ID: fleet}) as large:
            monkeypatch.setattr(sys, "stdout", stream)
            assert run_main("list", JOB_ID, f"--endpoint-url={large.url}") in (0, None)
        thread.join()
        assert names(found[0]) == things(fleet)

    def test_what_its_encoding_lacks_is_escaped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a list and in a summary, in a real process."""
        monkeypatch.setenv("PYTHONIOENCODING", "ascii")
        with LocalEndpoint({JOB_ID: [make_execution("pümp:smile:", "FAILED")]}) as endpoint:
            for command in ("list", "summary"):
                options = ["--format=table", f"--endpoint-url={endpoint.url}"]
                process = start(command, JOB_ID, *options)
                out, err = process.communicate(timeout=60)
                assert (process.returncode, err) == (0, "")
                assert r"p\xfcmp:smile:" in out

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["list", JOB_ID], 1),
            (["summary", JOB_ID], 1),
            (["wait", "done"], 3),
            (["wait", JOB_ID, "--timeout=0"], 4),
            (["--help"], 1),
        ],
        ids=["list", "summary", "wait", "wait in vain", "help"],
    )
    def test_a_full_disk_is_one_line_and_a_code(self, arguments: list[str], code: int) -> None:
        """Of which waiting keeps its own, and nothing more comes up at exit."""
        jobs = {JOB_ID: FLEET, "done": [make_execution("a", "FAILED")]}
        with LocalEndpoint(jobs) as endpoint, Path("/dev/full").open("w") as full:
            options = [] if arguments == ["--help"] else [f"--endpoint-url={endpoint.url}"]
            process = start(*arguments, *options, stdout=full)
            _, err = process.communicate(timeout=60)
        assert process.returncode == code
        lines = [line for line in err.splitlines() if not line.startswith("To resume")]
        assert len(lines) == (0 if code == 3 else 1)

    def test_closed_streams_are_no_fault(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A shell closes them with >&- and 2>&-."""
        with monkeypatch.context() as patch:
            for name in ("stdout", "stderr"):
                patch.setattr(sys, name, None)
            options = ["--output=rows", f"--endpoint-url={endpoint.url}"]
            assert run_main("list", JOB_ID, *options) in (0, None)
            sys.stdout.close()
            sys.stderr.close()
        assert names(Path("rows").read_text()) == things(FLEET)


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own, as a shell starts it."""
    keys = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "iotjobs_client", *arguments]
    return subprocess.Popen(
        command,
        text=True,
        env={**os.environ, **keys},
        **options,
    )


class TestClosedPipe:
    def test_it_ends_quietly(self) -> None:
        """As ``| head`` does to it, in a real process."""
        with LocalEndpoint({JOB_ID: make_fleet(5000)}) as endpoint:
            process = start("list", JOB_ID, f"--endpoint-url={endpoint.url}")
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(process.stdout.readline())["thing_name"] == "thing-0"
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(timeout=60) == 0
            process.stderr.close()
            assert len(endpoint.requests) < 20

    @pytest.mark.parametrize("command", ["list", "summary"])
    def test_nothing_comes_up_at_exit(
        self, command: str, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of what was still to be written."""
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert run_main(command, JOB_ID, f"--endpoint-url={endpoint.url}") == 0


def run_main(*arguments: str) -> Any:
    """The exit code of the command, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["iotjobs", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
    return caught.value.code


class Terminal:
    """A pseudo-terminal, and all that was ever written to it."""

    def __init__(self) -> None:
        self._master, self.slave = os.openpty()
        self.text = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 65536):
                self.text += data.decode()
        except OSError:  # of a terminal that nobody has open any more
            pass

    def run(self, *arguments: str) -> Any:
        """The exit code of the command, with both outputs on this terminal."""
        with (
            os.fdopen(os.dup(self.slave), "w") as out,
            os.fdopen(os.dup(self.slave), "w") as err,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(_terminal, "_REDRAW_SECONDS", 0)
            return run_main(*arguments)

    def close(self) -> None:
        os.close(self.slave)
        self._thread.join(timeout=10)
        os.close(self._master)

    def shown(self) -> str:
        """What a person sees in the end: of each line what was drawn last, without colours."""
        lines = re.sub(r"\x1b\[[0-9;]*m", "", self.text).replace("\r\n", "\n").split("\n")
        return "\n".join(line.rpartition("\r")[2].replace("\x1b[K", "") for line in lines)


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


class TestTerminal:
    def test_a_table_with_progress_and_colours(
        self, terminal: Terminal, endpoint: LocalEndpoint
    ) -> None:
        """The progress is drawn over, and what stays is the table and how much it was."""
        options = [*PAGE, f"--endpoint-url={endpoint.url}"]
        assert terminal.run("list", JOB_ID, *options) == 0
        terminal.close()
        *table, progress = terminal.shown().splitlines()
        assert len(table) == 21
        assert re.fullmatch(r"20 executions in \d+ s, [\d,]+ a second", progress)
        assert "\x1b[32mSUCCEEDED" in terminal.text
        assert re.search(r"\r5 executions in \d+ s, .*\x1b\[K\r\x1b\[Kthing-5", terminal.text)

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_colours_can_be_switched_off(
        self,
        name: str,
        value: str,
        terminal: Terminal,
        endpoint: LocalEndpoint,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """By NO_COLOR, or by a terminal that knows none; the table stays."""
        monkeypatch.setenv(name, value)
        assert terminal.run("list", JOB_ID, f"--endpoint-url={endpoint.url}") == 0
        assert terminal.run("summary", JOB_ID, f"--endpoint-url={endpoint.url}") == 0
        terminal.close()
        assert "\nthing-19" in terminal.text
        assert "\x1b[3" not in terminal.text
        assert ("\x1b[K" in terminal.text) == (name == "NO_COLOR")

    def test_a_summary_has_colours_and_progress(
        self, terminal: Terminal, endpoint: LocalEndpoint
    ) -> None:
        """The progress is gone in the end."""
        assert terminal.run("summary", JOB_ID, f"--endpoint-url={endpoint.url}") == 0
        terminal.close()
        assert re.search(r"20 executions in \d+ s", terminal.text)
        assert terminal.shown().startswith(f"{JOB_ID}: 20 executions on 20 things: ")
        assert "\x1b[32m█" in terminal.text

    def test_a_narrow_terminal_cuts_nothing(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It breaks the lines."""
        monkeypatch.setenv("COLUMNS", "30")
        with LocalEndpoint({JOB_ID: make_fleet(100)}) as endpoint:
            assert terminal.run("summary", JOB_ID, f"--endpoint-url={endpoint.url}") == 0
        terminal.close()
        assert "…" not in terminal.shown()
        words = terminal.shown().split()
        assert {"IN_PROGRESS", "TIMED_OUT", "executions", "REJECTED"} <= set(words)

    def test_waiting_shows_what_for(
        self, terminal: Terminal, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one line, which is gone in the end."""
        Clock(monkeypatch)
        options = ["--timeout=5", f"--endpoint-url={endpoint.url}"]
        assert terminal.run("wait", JOB_ID, *options) == 4
        terminal.close()
        drawn = rf"\r{JOB_ID}: some are QUEUED; \d+ s so far\x1b\[K"
        assert len(re.findall(drawn, terminal.text)) == 5
        assert terminal.shown() == f"iotjobs: job '{JOB_ID}' is not done after 5 s\n"

    def test_a_terminal_that_is_closed_meanwhile_stops_nothing(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rows go on, without the line that says how far they are."""

        class Closed(io.StringIO):
            writes = 0

            def isatty(self) -> bool:
                return True

            def write(self, _: str) -> int:
                self.writes += 1
                if self.writes == 1:
                    return 0
                raise OSError(5, "Input/output error")

        closed = Closed()  # whose size cannot be had either
        monkeypatch.setattr(sys, "stderr", closed)
        monkeypatch.setattr(_terminal, "_REDRAW_SECONDS", 0)
        options = ["--output=rows", *PAGE, f"--endpoint-url={endpoint.url}"]
        assert run_main("list", JOB_ID, *options) in (0, None)
        assert closed.writes == 2
        assert names(Path("rows").read_text()) == things(FLEET)

    def test_a_real_process_on_a_real_terminal(
        self, terminal: Terminal, endpoint: LocalEndpoint
    ) -> None:
        """It is told from a pipe by itself."""
        options = ["--max-items=2", f"--endpoint-url={endpoint.url}"]
        process = start("list", JOB_ID, *options, stdout=terminal.slave, stderr=terminal.slave)
        assert process.wait(timeout=60) == 0
        terminal.close()
        assert terminal.shown().startswith("thing_name  status ")
        assert "2 executions in" in terminal.shown()


class Clock:
    """Time that passes by sleeping alone, and what happens meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *events: Callable[[], object]) -> None:
        self.now = 0.0
        self._events = list(events)
        monkeypatch.setattr(_wait, "monotonic", lambda: self.now)
        monkeypatch.setattr(_wait, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now % 10 == 0 and self._events:
            self._events.pop(0)()


def asked(endpoint: LocalEndpoint) -> list[str | None]:
    return [request.status for request in endpoint.requests]


UNSUCCESSFUL = ["FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED"]


class TestWait:
    def test_it_waits_until_all_succeeded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a request for one item while something is QUEUED, two while IN_PROGRESS."""
        fleet = [make_execution("a", "QUEUED"), make_execution("b", "SUCCEEDED")]
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            clock = Clock(
                monkeypatch,
                lambda: endpoint.move(JOB_ID, "a", "IN_PROGRESS"),
                lambda: endpoint.move(JOB_ID, "a", "SUCCEEDED"),
            )
            found = run("wait", JOB_ID, at=endpoint)
            assert (found.code, found.err) == (0, "")
            assert found.out == f"{JOB_ID} is done: all things succeeded\n"
            assert clock.now == 20
            assert asked(endpoint) == [
                *["QUEUED"],
                *["QUEUED", "IN_PROGRESS"],
                *["QUEUED", "IN_PROGRESS", "SUCCEEDED", "QUEUED", *UNSUCCESSFUL],
            ]
            assert [r.max_results for r in endpoint.requests[:7]] == ["1"] * 7

    def test_what_did_not_succeed_is_told(self, endpoint: LocalEndpoint) -> None:
        """With code 3, and how many things of which status."""
        endpoint.move(JOB_ID, "thing-19", "REJECTED")
        found = run("wait", JOB_ID, at=endpoint)
        assert found.code == 3
        counts = "2 FAILED, 2 TIMED_OUT, 1 REJECTED, 1 CANCELED"
        assert found.out == f"{JOB_ID} is done: not all things succeeded ({counts})\n"

    def test_a_retry_that_succeeded_counts(self) -> None:
        """A thing that failed before is no failure then; one that failed after it is."""
        fleet = [
            make_execution("a", "FAILED", execution_number=1),
            make_execution("a", "SUCCEEDED", execution_number=2),
            make_execution("b", "SUCCEEDED", execution_number=1),
        ]
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            assert run("wait", JOB_ID, at=endpoint).code == 0
        later = make_execution("b", "TIMED_OUT", execution_number=2)
        with LocalEndpoint({JOB_ID: [*fleet, later]}) as endpoint:
            found = run("wait", JOB_ID, at=endpoint)
        assert found.code == 3
        assert "not all things succeeded (1 TIMED_OUT)" in found.out

    def test_whatever_came_before_the_last_execution_does_not_count(self) -> None:
        """A thing may have been removed and added again."""
        fleet = [
            make_execution("a", "REMOVED", execution_number=1),
            make_execution("a", "SUCCEEDED", execution_number=2),
        ]
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            assert run("wait", JOB_ID, at=endpoint).code == 0

    @pytest.mark.parametrize(("status", "code"), [("SUCCEEDED", 0), ("FAILED", 3), ("QUEUED", 4)])
    @pytest.mark.parametrize("name", ["stdout", "stderr"])
    def test_the_code_tells_also_where_nobody_reads(
        self, name: str, status: str, code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A closed pipe is not taken for success."""
        with LocalEndpoint({JOB_ID: [make_execution("a", status)]}) as endpoint:
            reader, writer = os.pipe()
            os.close(reader)
            with os.fdopen(writer, "w") as stream:
                monkeypatch.setattr(sys, name, stream)
                options = ["--timeout=0", f"--endpoint-url={endpoint.url}"]
                assert (run_main("wait", JOB_ID, *options) or 0) == code

    def test_a_retry_that_is_queued_between_two_requests_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """QUEUED is asked for once more, when IN_PROGRESS has none any longer."""
        with LocalEndpoint({JOB_ID: [make_execution("a", "IN_PROGRESS")]}) as endpoint:
            has = _wait.Waiter._has_executions

            def then_fail(waiter: _wait.Waiter, status: Any) -> bool:
                if status == "IN_PROGRESS":
                    endpoint.move(JOB_ID, "a", "FAILED")
                    endpoint.move(JOB_ID, "a", "QUEUED")
                return has(waiter, status)

            monkeypatch.setattr(_wait.Waiter, "_has_executions", then_fail)
            found = run("wait", JOB_ID, "--timeout=0", at=endpoint)
            assert found.code == 4
            assert asked(endpoint) == ["QUEUED", "IN_PROGRESS", "SUCCEEDED", None, "QUEUED"]

    def test_a_job_without_executions_yet_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that was just made would else be taken for one that succeeded."""
        clock = Clock(monkeypatch)
        with LocalEndpoint({JOB_ID: []}) as endpoint:
            assert run("wait", JOB_ID, "--timeout=25", at=endpoint).code == 4
            assert asked(endpoint) == ["QUEUED", "IN_PROGRESS", "SUCCEEDED", None] * 4
        assert clock.now == 25

    def test_a_status_that_is_not_known_is_not_taken_for_success(self) -> None:
        """While there is nothing else."""
        with LocalEndpoint({JOB_ID: [make_execution("a", "PAUSED")]}) as endpoint:
            assert run("wait", JOB_ID, "--timeout=0", at=endpoint).code == 4

    def test_the_time_limit_cuts_the_last_pause(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a last look, it ends with code 4."""
        clock = Clock(monkeypatch)
        found = run("wait", JOB_ID, "--interval=4", "--timeout=10.5", at=endpoint)
        assert (found.code, found.out) == (4, "")
        assert found.err == f"iotjobs: job '{JOB_ID}' is not done after 10.5 s\n"
        assert clock.now == 10.5
        assert asked(endpoint) == ["QUEUED"] * 4

    def test_passing_faults_are_outlasted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each is told in a line; ten in a row are too many."""
        Clock(monkeypatch)
        faults = dict.fromkeys((*range(1, 10), *range(11, 21)), ThrottlingError)
        with LocalEndpoint({JOB_ID: FLEET}, faults=faults) as endpoint:
            found = run("wait", JOB_ID, at=endpoint)
            assert len(endpoint.requests) == 20
        assert found.code == 1
        assert [line.endswith("; will retry") for line in found.err.splitlines()] == [
            *[True] * 18,
            False,
        ]

    def test_ctrl_c_ends_it_with_130(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In one line."""
        Clock(monkeypatch, interrupt)
        with LocalEndpoint({JOB_ID: FLEET}) as endpoint:
            found = run("wait", JOB_ID, at=endpoint)
        assert (found.code, found.out, found.err) == (130, "", "iotjobs: interrupted\n")


class TestSummary:
    def test_a_table_says_how_it_stands(self, endpoint: LocalEndpoint) -> None:
        """Counts with bars, durations, and what failed last."""
        found = run("summary", JOB_ID, at=endpoint)
        assert (found.code, found.err) == (0, "")
        words = [line.split() for line in found.lines]
        assert ["QUEUED", "1", "1", "██", "5.0%"] in words
        assert ["SUCCEEDED", "14", "14", "█" * 21, "70.0%"] in words
        assert ["waiting", "19", "0:05:31", "0:17:00", "0:17:08"] in words
        assert words[-4] == ["thing-18", "FAILED", "2026-01-01", "00:13:45", "UTC"]

    def test_a_table_of_a_job_without_failures_or_times(self) -> None:
        """It says so with dashes, and takes no name for markup or for a command."""
        fleet = [make_execution("[red]\x1b[2J", "FAILED", last_updated_at=None)]
        with LocalEndpoint({JOB_ID: fleet, "none": []}) as endpoint:
            assert r"[red]\x1b[2J  FAILED  - " in run("summary", JOB_ID, at=endpoint).out
            found = run("summary", "none", at=endpoint)
        assert "failed last" not in found.out
        assert ["running", "0", "-", "-", "-"] in [line.split() for line in found.lines]

    def test_json_says_the_same(self) -> None:
        """With durations in seconds, and null for what is not known."""
        retried = make_execution("a", "SUCCEEDED", execution_number=2)
        with LocalEndpoint({JOB_ID: [make_execution("a", "FAILED"), retried]}) as endpoint:
            found = run("summary", JOB_ID, "--format=json", at=endpoint)
        assert json.loads(found.out) == {
            "job_id": JOB_ID,
            "executions": {"total": 2, "by_status": {"SUCCEEDED": 1, "FAILED": 1}},
            "things": {
                "total": 1,
                "succeeded": 1,
                "failed": 0,
                "withdrawn": 0,
                "waiting": 0,
                "by_status": {"SUCCEEDED": 1},
            },
            "waiting_seconds": {"count": 2, "median": 60.0, "p90": 60.0, "max": 60.0},
            "running_seconds": {"count": 2, "median": 60.0, "p90": 60.0, "max": 60.0},
            "failed_last": [],
        }

    @pytest.mark.parametrize(
        "fleet", [FLEET, [make_execution("a", "PAUSED")], []], ids=["fleet", "no ends", "empty"]
    )
    def test_a_plot_as_svg(self, fleet: list[JobExecutionSummary]) -> None:
        """With a title, units, and a line in the legend for each status that executions end in."""
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            assert run("summary", JOB_ID, "--plot=rollout.svg", at=endpoint).code == 0
        drawn = Path("rollout.svg").read_text()
        assert ET.fromstring(drawn).tag.endswith("svg")
        ended = {e.status.value for e in fleet if e.status.is_terminal}
        texts = set(re.findall(r"<!-- (.*) -->", drawn))
        assert {f"Rollout of {JOB_ID}", "time (UTC)", "executions, cumulative"} <= texts
        in_legend = {text.split()[0] for text in texts if re.fullmatch(r"\w+  [\d,]+", text)}
        assert in_legend == {"queued", "started", *ended}

    def test_a_plot_that_cannot_be_written_is_refused_before_the_listing(
        self, endpoint: LocalEndpoint
    ) -> None:
        """Which may take minutes."""
        found = run("summary", JOB_ID, "--plot=no-such-folder/x.svg", at=endpoint)
        assert (found.code, found.err[:20]) == (1, "iotjobs: cannot writ")
        assert endpoint.requests == []

    def test_a_plot_that_a_full_disk_does_not_take_leaves_nothing(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even a part."""

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(OutputFile, "write_bytes", fail)
        assert run("summary", JOB_ID, "--plot=x.svg", at=endpoint).code == 1
        assert list(Path().iterdir()) == []

    def test_no_name_is_cut_where_no_line_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is anything but text in a pipe, whatever colours are forced elsewhere."""
        monkeypatch.setenv("FORCE_COLOR", "1")
        name = "pump-" + "x" * 120
        with LocalEndpoint({JOB_ID: [make_execution(name, "FAILED")]}) as endpoint:
            found = run("summary", JOB_ID, at=endpoint)
        assert f"\n{name}  FAILED" in found.out
        assert "\x1b" not in found.out

    def test_a_plot_as_png(self, endpoint: LocalEndpoint) -> None:
        """Whole, as all files are."""
        assert run("summary", JOB_ID, "--plot=rollout.PNG", at=endpoint).code == 0
        assert Path("rollout.PNG").read_bytes().startswith(b"\x89PNG")
        assert [path.name for path in Path().iterdir()] == ["rollout.PNG"]

    def test_a_plot_is_the_same_each_time(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the user's matplotlibrc says."""
        run("summary", JOB_ID, "--plot=first.svg", at=endpoint)
        monkeypatch.setitem(matplotlib.rcParams, "text.color", "white")
        monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "black")
        run("summary", JOB_ID, "--plot=second.svg", at=endpoint)
        assert Path("first.svg").read_bytes() == Path("second.svg").read_bytes()

    def test_a_single_moment_can_be_seen(self) -> None:
        """A line of one point has a mark, and some time on both sides."""
        figure = _plot._figure(JOB_ID, summarize([make_execution("a", "QUEUED")]))
        (axes,) = figure.axes
        assert {line.get_marker() for line in axes.lines} == {"o"}
        left, right = axes.get_xlim()
        assert 0 < right - left < 0.01  # days

    def test_times_that_cannot_be_drawn_are_told_in_a_line(self) -> None:
        """As what is wrong with the picture, which is not there then."""
        last = datetime.max.replace(tzinfo=timezone.utc)
        fleet = [make_execution("a", "QUEUED", queued_at=last, last_updated_at=last)]
        with pytest.raises(OSError, match="cannot draw times"):
            _plot._draw(Path("x.svg"), JOB_ID, summarize(fleet))
        assert list(Path().iterdir()) == []

    @pytest.mark.parametrize("fleet", [[], [make_execution("a", queued_at=None)]])
    def test_without_times_a_plot_says_so(self, fleet: list[JobExecutionSummary]) -> None:
        """In place of ticks of a time that was not."""
        figure = _plot._figure(JOB_ID, summarize(fleet))
        (axes,) = figure.axes
        assert "no times to draw" in [text.get_text() for text in axes.texts]
        assert list(axes.get_xticks()) == []

    def test_the_longest_job_id_fits_into_a_plot(self) -> None:
        """Even of the widest letter."""
        figure = _plot._figure("W" * 64, summarize(make_fleet(100)))
        figure.savefig(io.BytesIO())
        title = figure.axes[0].get_title(loc="left")
        (drawn,) = (t for t in figure.findobj(matplotlib.text.Text) if t.get_text() == title)
        assert drawn.get_window_extent().x1 < figure.bbox.x1

    def test_each_line_has_a_look_of_its_own(self) -> None:
        """By its dash too, since not all people see its colour; all but the one above alone."""
        dashes = [str(dash) for _, dash in _plot._LINE_STYLES.values()]
        assert len(set(dashes[1:])) == len(dashes[1:])
        assert len({colour for colour, _ in _plot._LINE_STYLES.values()}) == len(_plot._LINE_STYLES)

    def test_without_matplotlib_a_plot_says_what_to_install(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before any request."""
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        found = run("summary", JOB_ID, "--plot=rollout.svg", at=endpoint)
        install = "python -m pip install 'iotjobs-client[plot]'"
        assert (found.code, found.err) == (
            1,
            f"iotjobs: --plot needs the extra 'plot': {install}\n",
        )
        assert endpoint.requests == []


class TestProgram:
    def test_without_its_extra_it_says_what_to_install(self) -> None:
        """In a process that finds no typer: one line, and code 1."""
        code = "import sys; sys.modules['typer'] = None; import iotjobs_client.__main__"
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        install = "python -m pip install 'iotjobs-client[cli]'"
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == f"iotjobs needs the extra 'cli': {install}\n"

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (
                ModuleNotFoundError(name="rich.console"),
                "iotjobs needs the extra 'cli': python -m pip",
            ),
            (KeyboardInterrupt(), 130),
            (OSError(28, "No space left on device"), "iotjobs: [Errno 28] No space left"),
        ],
        ids=["no rich", "Ctrl-C", "full disk"],
    )
    def test_what_goes_wrong_around_a_command(
        self, error: BaseException, expected: str | int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Is told as what goes wrong within one."""

        def fail() -> None:
            raise error

        monkeypatch.setattr("iotjobs_client.cli._app.app", fail)
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        assert str(run_main()).startswith(str(expected))

    def test_a_broken_installation_is_not_taken_for_a_missing_extra(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A module of somebody else that is missing shows as what it is."""

        def fail() -> None:
            raise ModuleNotFoundError(name="boto3")

        monkeypatch.setattr("iotjobs_client.cli._app.app", fail)
        with pytest.raises(ModuleNotFoundError):
            main()

    def test_python_m_runs_it_too(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It knows its version."""
        monkeypatch.setattr(sys, "argv", ["iotjobs", "--version"])
        with pytest.raises(SystemExit) as caught:
            runpy.run_module("iotjobs_client", run_name="__main__")
        assert caught.value.code == 0
        assert re.fullmatch(r"iotjobs [\d.]+\n", capsys.readouterr().out)

    def test_a_shell_completes_statuses(self) -> None:
        """In any case, as bash asks for them."""
        asked = {
            "_IOTJOBS_COMPLETE": "complete_bash",
            "COMP_WORDS": "iotjobs list firmware-42 --status re",
            "COMP_CWORD": "4",
        }
        code = (
            "import sys; from iotjobs_client.cli import main; sys.argv = ['iotjobs'];"
            "sys.modules['__main__'].__package__ = ''; main()"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=asked, check=True
        )
        assert ended.stdout.split() == ["REJECTED", "REMOVED"]

    def test_no_command_loads_what_it_does_not_need(self) -> None:
        """The start of each is what one waits for; boto3 comes with the first request."""
        code = (
            "import sys, iotjobs_client.cli._app; print([m for m in"
            " ('boto3', 'botocore', 'rich.console', 'matplotlib') if m in sys.modules])"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert ended.stdout == b"[]\n"
