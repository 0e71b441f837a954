"""The destinations of rows: standard output, or a file that is written atomically."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from contextlib import suppress
from glob import escape
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from time import sleep
from typing import Any

import click


class StandardOutput:
    """Standard output, which may be a terminal, a pipe or a file.

    A page is visible as soon as it is written, so nothing remains to be done at the end of a
    listing or after an error.

    Args:
        resume_token: The token that the listing resumes from; ``None`` if it starts at the
            beginning.

    Attributes:
        count: The number of executions whose rows were written.
        resume_token: The token that resumes the listing after them; ``None`` at its end.
        is_empty: Whether no rows were written before this run.
        is_finished: Whether all rows were written.
        is_terminal: Whether it is a terminal.
        may_block: Whether a write may wait for a reader, as on a pipe or a terminal.
        kept: ``None``; see :class:`OutputFile`.
    """

    kept: Path | None = None

    def __init__(self, resume_token: str | None = None) -> None:
        self.count = 0
        self.resume_token = resume_token
        self.is_empty = resume_token is None
        self.is_finished = False
        self.is_terminal = sys.stdout.isatty()
        self.may_block = _regular_file_size(_raw_stdout()) is None

    def write(self, text: str, count: int = 0, resume_token: str | None = None) -> None:
        """Write the rows of ``count`` executions without buffering.

        If a write to a regular file fails, the file is truncated to its size before the call.

        Raises:
            OSError: The write failed.
        """
        data = memoryview(text.encode(sys.stdout.encoding, errors="backslashreplace"))
        out = _raw_stdout()
        size = _regular_file_size(out)
        try:
            while data:
                written = out.write(data)
                if written is None:  # A non-blocking pipe is full.
                    sleep(0.01)
                else:
                    data = data[written:]
        except OSError:
            if size is not None:
                os.ftruncate(out.fileno(), size)
                os.lseek(out.fileno(), 0, os.SEEK_END)
            raise
        self.count += count
        self.resume_token = resume_token

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


class OutputFile:
    """A file that is replaced atomically when all rows are there.

    Until then, the rows are in a temporary file beside it. After an error, that file is renamed
    to a name derived from the resume token, so only the run that resumes from this token finds
    it. No row is lost or duplicated.

    Args:
        path: The file. A run that does not resume replaces an existing one.
        resume_token: The token that the listing resumes from. The rows are appended to those that
            were kept for this token, or else to those in ``path``.

    Attributes:
        count: The number of executions whose rows this run added to ``path``, or kept.
        resume_token: The token that resumes the listing after them; ``None`` at its end.
        is_empty: Whether there are no rows from earlier runs to append to.
        is_finished: Whether all rows were written, even if the file could not be renamed.
        is_terminal: Whether it is a terminal: never.
        may_block: Whether a write may wait for a reader: never.
        kept: The file with the rows that the next run appends to; ``None`` if there is none.

    Raises:
        click.UsageError: There are no earlier rows to append to.
        OSError: The file cannot be written.
    """

    is_terminal = False
    may_block = False

    def __init__(self, path: Path, resume_token: str | None = None) -> None:
        self.count = 0
        self.resume_token = resume_token
        self.kept: Path | None = None
        self._written: tuple[int, str | None] | None = None
        self.is_finished = False
        self._path = Path(os.path.realpath(path))  # Replace a link's target, not the link.
        if self._path.exists() and not self._path.is_file():
            raise OSError(f"{path} is not a file")
        earlier = None if resume_token is None else self._find_earlier_rows(resume_token)
        # The name is random, because processes in different containers may share a process ID.
        self._temporary = self._path.with_name(f".{self._path.name}.{token_hex(6)}")
        try:
            # A file of the tempfile module could be read by its owner only.
            self._file = self._temporary.open("xb")
        except OSError as error:
            raise OSError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._copy_earlier_rows(earlier)
        except BaseException:
            self.stop()
            raise
        self.is_empty = self._size == 0

    def _find_earlier_rows(self, resume_token: str) -> Path:
        part = self._part(resume_token)
        if part.exists():
            self.kept = part
            return part
        if self._path.exists():
            return self._path
        raise click.UsageError(
            f"--resume-token must follow rows, but neither {str(self._path)!r} nor {part.name!r} "
            "exists; without it, the listing starts over"
        )

    def _copy_earlier_rows(self, earlier: Path | None) -> None:
        if self._path.exists():
            shutil.copymode(self._path, self._temporary)
        if earlier is not None:
            with earlier.open("rb") as source:
                shutil.copyfileobj(source, self._file)
            self._file.flush()
        self._size = self._file.tell()

    def _part(self, resume_token: str) -> Path:
        digest = blake2b(resume_token.encode(errors="replace"), digest_size=6).hexdigest()
        return self._path.with_name(f"{self._path.name}.{digest}.part")

    def write(self, text: str | bytes, count: int = 0, resume_token: str | None = None) -> None:
        """Append the rows of ``count`` executions to the temporary file."""
        self._file.write(text.encode() if isinstance(text, str) else text)
        self._file.flush()
        self._size = self._file.tell()
        earlier = 0 if self._written is None else self._written[0]
        self._written = earlier + count, resume_token

    def finish(self) -> None:
        """Rename the temporary file to ``path``, and delete the rows that earlier runs kept.

        Raises:
            OSError: The file could not be saved or renamed. The message names the temporary file,
                which still has all rows.
        """
        self.is_finished = True
        try:
            with self._file:
                os.fsync(self._file.fileno())
            self._temporary.replace(self._path)
        except OSError as error:
            raise OSError(f"{error.strerror}: all rows are in {self._temporary}") from error
        self.count, self.resume_token = self._written or (0, None)
        self.kept = None
        for part in self._path.parent.glob(f"{escape(self._path.name)}.{'[0-9a-f]' * 12}.part"):
            part.unlink(missing_ok=True)

    def stop(self) -> None:
        """Keep the rows for the run that resumes after them; delete the file if there are none.

        Raises:
            OSError: The rows could not be kept.
        """
        if self.is_finished:
            return
        count, resume_token = self._written or (0, None)
        if self._written is not None and resume_token is None:
            self.finish()  # All rows are there.
            return
        with suppress(OSError):  # Closing flushes, which fails again if the disk is full.
            self._file.close()
        if resume_token is None:
            self._temporary.unlink()
            return
        os.truncate(self._temporary, self._size)  # Remove a page that was written only in part.
        kept = self._part(resume_token)
        self._temporary.replace(kept)
        if self.kept is not None and self.kept != kept:
            self.kept.unlink(missing_ok=True)
        self.count, self.resume_token, self.kept = count, resume_token, kept
