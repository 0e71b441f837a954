"""The destinations of rows, and the position up to which they have the rows."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from contextlib import suppress
from glob import escape
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from time import sleep
from typing import Any, NamedTuple

import click

from iotjobs_client.cli._target import copy_owner_and_mode, find_obstacle


class JobsPosition(NamedTuple):
    """The place at which a listing of several jobs continues.

    Attributes:
        job_ids: The jobs that are left, the one to continue first.
        resume_token: The token for this one; ``None`` for its start.
    """

    job_ids: tuple[str, ...]
    resume_token: str | None = None


_CHUNK_SIZE = 1 << 20
_DIGEST_SIZE = 8  # bytes


class StandardOutput:
    """Standard output, which may be a terminal, a pipe or a file.

    A page is visible as soon as it is written, so nothing remains to be done at the end of a
    listing or after an error.

    Args:
        position: Where the listing starts.

    Attributes:
        count: The number of executions whose rows were written.
        position: Where the listing continues after them; ``None`` at its end.
        is_empty: Whether no rows were written before this run.
        is_finished: Whether all rows were written.
        is_terminal: Whether it is a terminal.
        may_block: Whether a write may wait for a reader, as on a pipe or a terminal.
        kept: ``None``; see :class:`OutputFile`.
    """

    kept: Path | None = None

    def __init__(self, position: JobsPosition | None = None) -> None:
        self.count = 0
        self.position = position
        self.is_empty = position is None or position.resume_token is None
        self.is_finished = False
        self.is_terminal = sys.stdout.isatty()
        self.may_block = _regular_file_size(_raw_stdout()) is None

    def write(self, text: str, count: int = 0, position: JobsPosition | None = None) -> None:
        """Write the rows of ``count`` executions without buffering.

        Raises:
            OSError: The write failed.
        """
        _append(_raw_stdout(), text.encode(sys.stdout.encoding, errors="backslashreplace"))
        self.count += count
        self.position = position

    def finish(self) -> None:
        """Mark that all rows were written; they are visible already."""
        self.is_finished = True

    def stop(self) -> None:
        """Do nothing, because the rows written so far are visible already."""


def _raw_stdout() -> Any:
    # After a failed write, a buffer would keep the data and write it again later.
    return getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)


def _regular_file_size(out: Any) -> int | None:
    """Return the size of ``out`` if it is a regular file; ``None`` for a pipe or a terminal."""
    try:
        status = os.fstat(out.fileno())
    except OSError:  # The stream has no file descriptor.
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _append(out: Any, data: bytes) -> None:
    """Write ``data`` without buffering.

    If this fails, a regular file is truncated to its size before the call.

    Raises:
        BrokenPipeError: The pipe has no reader.
        OSError: The write failed.
    """
    left = memoryview(data)
    size = _regular_file_size(out)
    try:
        while left:
            written = out.write(left)
            if written is None:  # A non-blocking pipe is full.
                sleep(0.01)
            else:
                left = left[written:]
    except OSError as error:
        if size is not None:
            os.ftruncate(out.fileno(), size)
            os.lseek(out.fileno(), 0, os.SEEK_END)
        elif error.errno == errno.EINVAL:  # Windows reports a closed pipe like this.
            raise BrokenPipeError from error
        raise


class OutputFile:
    """A file that is replaced atomically when all rows are there.

    Rows are written to a temporary file beside it. :meth:`finish` renames this file to ``FILE``,
    and :meth:`stop` to ``FILE.DIGEST.part``. The digest of the rows also follows the token in the
    printed command. A run with this command copies the rows that have the digest, from either file.
    If neither has them, it is refused. So no row is lost, duplicated or mixed with rows of another
    listing.

    Args:
        path: The file. A run that does not resume replaces an existing one.
        shape: What rows depend on beside the listing. It is part of the digest.
        position: Where the listing starts. Its token is followed by the digest of the rows before
            it: ``TOKEN.DIGEST``.

    Attributes:
        count: The number of executions whose rows this run added to ``path``, or kept.
        position: Where the listing continues after them, with the digest of all rows; ``None`` at
            its end.
        is_empty: Whether there are no rows from earlier runs.
        is_finished: Whether all rows were written, even if the file could not be renamed.
        is_terminal: Whether it is a terminal: never.
        may_block: Whether a write may wait for a reader: never.
        kept: The ``.part`` file with the rows of a run that stopped; ``None`` if there is none.

    Raises:
        click.UsageError: No file has the rows that the token follows.
        OSError: The file cannot be written or replaced.
    """

    is_terminal = False
    may_block = False

    def __init__(self, path: Path, shape: str = "", position: JobsPosition | None = None) -> None:
        self.count = 0
        self.position = position
        self.kept: Path | None = None
        self.is_finished = False
        self._written: tuple[int, JobsPosition | None] | None = None
        self._path = Path(os.path.realpath(path))  # Replace a link's target, not the link.
        self._hash = blake2b(shape.encode(), digest_size=_DIGEST_SIZE)
        if obstacle := find_obstacle(path):
            raise OSError(f"cannot replace {path}: {obstacle}")
        # The name is random, because processes in different containers may share a process ID. It
        # is as long as that of a .part file, so a name that is too long fails here.
        self._temporary = self._path.with_name(f".{self._path.name}.{token_hex(_DIGEST_SIZE)}.new")
        try:
            # A file of the tempfile module could be read by its owner only.
            self._file = self._temporary.open("xb", buffering=0)
        except OSError as error:
            raise OSError(f"cannot write {path}: {error.strerror}") from error
        try:
            copy_owner_and_mode(self._path, self._temporary)
            if position is not None and position.resume_token is not None:
                self._copy_rows(position.resume_token)
        except BaseException:
            self.stop()
            raise
        self.is_empty = self._file.tell() == 0

    def _copy_rows(self, resume_token: str) -> None:
        match = re.fullmatch(rf"[^.]+\.([0-9a-f]{{{2 * _DIGEST_SIZE}}})", resume_token)
        if match is None:
            raise click.UsageError(
                "--resume-token with --output must be TOKEN.DIGEST, as in the command that was "
                "printed; without it, the listing starts over"
            )
        part = self._part(match[1])
        self.kept = part if part.exists() else None
        with suppress(FileNotFoundError), (self.kept or self._path).open("rb") as rows:
            while data := rows.read(_CHUNK_SIZE):
                self._append(data)
        if self._hash.hexdigest() != match[1]:
            raise click.UsageError(
                f"--resume-token must follow rows, but they are neither in {self._path} nor in a "
                ".part file: the command was run before, or the file or an option has changed; "
                "without --resume-token, the listing starts over"
            )

    def _part(self, digest: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{digest}.part")

    def _append(self, data: bytes) -> None:
        _append(self._file, data)
        self._hash.update(data)

    def write(
        self, text: str | bytes, count: int = 0, position: JobsPosition | None = None
    ) -> None:
        """Append the rows of ``count`` executions to the temporary file."""
        self._append(text.encode() if isinstance(text, str) else text)
        earlier = 0 if self._written is None else self._written[0]
        self._written = earlier + count, position

    def finish(self) -> None:
        """Rename the temporary file to ``path``, and delete the rows that earlier runs kept.

        Raises:
            OSError: The file could not be saved or renamed. The message names the temporary file,
                which still has the rows.
        """
        self.is_finished = True
        rows = "the rows, perhaps not all,"
        try:
            with self._file:
                os.fsync(self._file.fileno())
            rows = "all rows"
            self._rename(self._path)
        except OSError as error:
            raise OSError(f"{error.strerror}: {rows} are in {self._temporary}") from error
        digits = "[0-9a-f]" * 2 * _DIGEST_SIZE
        for part in self._path.parent.glob(f"{escape(self._path.name)}.{digits}.part"):
            with suppress(OSError):  # Another process may have deleted it, or have it open.
                part.unlink()

    def stop(self) -> None:
        """Keep the rows for the run that resumes after them; delete the file if there are none.

        Raises:
            OSError: The rows could not be kept.
        """
        if self.is_finished:
            return
        if self._written is not None and self._written[1] is None:
            self.finish()  # All rows are there.
            return
        self._file.close()
        if self._written is None:
            self._temporary.unlink()
            return
        self.kept = self._part(self._hash.hexdigest())
        self._rename(self.kept)

    def _rename(self, path: Path) -> None:
        self._temporary.replace(path)
        self.count, position = self._written or (0, None)
        if position is not None:
            digest = self._hash.hexdigest()
            position = position._replace(resume_token=f"{position.resume_token}.{digest}")
        self.position = position
