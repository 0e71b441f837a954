"""Random sequences of runs to one file, with commands of earlier runs, mix and double no rows."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from unittest import mock

import click
import pytest
from commands import limited_file_size
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from iotjobs_client.cli._output import JobsPosition, OutputFile

pytestmark = pytest.mark.one_python

# Listings begin with the same rows, and some pages have none.
LISTINGS = {
    "job a": ["1\n", "", "2\n2\n", "3\n"],
    "job b": ["1\n", "", "2\n2\n", "", "4\n"],
    "job c": ["", "5\n", "2\n"],
}
ENDS = ["completed", "error", "full disk", "killed", "killed while kept", "killed when completed"]
SINCE = ["", "1", "9"]


class Command(NamedTuple):
    """A command that lists the pages from ``start``; ``token`` follows those before it."""

    listing: str
    since: str = ""
    start: int = 0
    token: str | None = None

    def rows(self, end: int) -> str:
        """Return the rows of the pages before ``end`` that ``since`` selects."""
        lines = "".join(LISTINGS[self.listing][:end]).splitlines(keepends=True)
        return "".join(line for line in lines if line > self.since)

    def open(self, file: Path) -> OutputFile:
        return OutputFile(file, self.since, JobsPosition((self.listing,), self.token))


class Resumptions(RuleBasedStateMachine):
    """Runs of commands to one file, new ones and printed ones, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.file = Path(self.folder.name) / "rows"
        self.printed: list[Command] = []
        self.fsync = mock.patch("os.fsync")  # It is slow, and nothing here notices it.
        self.fsync.start()

    def teardown(self) -> None:
        self.fsync.stop()
        self.folder.cleanup()

    def contents(self) -> dict[str, str]:
        """Return the contents of the files, without the hidden ones of runs that were killed."""
        return {file.name: file.read_text() for file in self.file.parent.glob("[!.]*")}

    def run(self, command: Command, end: str, page_count: int) -> None:
        output = command.open(self.file)
        before = self.contents()
        pages = LISTINGS[command.listing]
        reached = min(command.start + page_count, len(pages))
        for index in range(command.start, reached):
            is_last = index + 1 == len(pages)
            position = None if is_last else JobsPosition((command.listing,), f"token-{index + 1}")
            output.write(command.rows(index + 1).removeprefix(command.rows(index)), 1, position)
        if end == "full disk" and reached < len(pages):
            with (
                limited_file_size(output._temporary.stat().st_size + 1),
                pytest.raises(OSError, match="too large"),
            ):
                output.write("page\n", 1, JobsPosition((command.listing,), "token"))
        if end == "killed while kept":  # Its own rows are not deleted yet.
            part = output._part(output._hash.hexdigest())
            part.unlink(missing_ok=True)
            os.link(output._temporary, part)
        if end == "killed when completed":
            output._temporary.replace(self.file)
        if end.startswith("killed"):
            output._file.close()
            return
        if end == "completed" and reached > command.start:
            output.finish()
        else:
            output.stop()
        if output.is_finished:
            assert self.contents() == {self.file.name: command.rows(reached)}
        else:
            assert self.contents().get(self.file.name) == before.get(self.file.name)
        if output.position is not None and output.position.resume_token is not None:
            printed = command._replace(start=reached, token=output.position.resume_token)
            printed.open(self.file).stop()  # It is not refused.
            self.printed.append(printed)

    @rule(
        listing=st.sampled_from(sorted(LISTINGS)),
        since=st.sampled_from(SINCE),
        end=st.sampled_from(ENDS),
        page_count=st.integers(0, 5),
    )
    def run_a_new_command(self, listing: str, since: str, end: str, page_count: int) -> None:
        self.run(Command(listing, since), end, page_count)

    @precondition(lambda self: self.printed)
    @rule(
        data=st.data(),
        since=st.none() | st.sampled_from(SINCE),
        end=st.sampled_from(ENDS),
        page_count=st.integers(0, 5),
    )
    def run_a_printed_command(
        self, data: st.DataObject, since: str | None, end: str, page_count: int
    ) -> None:
        command = data.draw(st.sampled_from(self.printed))
        if since is not None:
            command = command._replace(since=since)
        before = self.contents()
        try:
            command.open(self.file).stop()
        except click.UsageError:
            assert self.contents() == before
        else:
            self.run(command, end, page_count)

    @rule(rows=st.sampled_from(["", "1\n", "5\n"]))
    def write_the_file_anew(self, rows: str) -> None:
        self.file.write_text(rows)


TestResumptions = Resumptions.TestCase
