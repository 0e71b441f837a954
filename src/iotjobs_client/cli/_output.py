"""The destinations of rows: standard output, or a file that is written atomically."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from select import select
from typing import Any

from iotjobs_client import InvalidArgumentError


class StandardOutput:
    """Standard output, which may be a terminal, a pipe or a file.

    A page is visible as soon as it is written, so nothing remains to be done at the end of a
    listing or after an error.

    Args:
        resume_token: The token that the listing resumes from; ``None`` if it starts at the
            beginning.

    Attributes:
        is_empty: Whether no rows were written, neither by this run nor by those before it.
        is_streamed: Whether rows are visible as soon as they are written: always.
        may_block: Whether a write may wait for a reader, as on a pipe or a terminal.
    """

    is_streamed = True

    def __init__(self, resume_token: str | None) -> None:
        self.is_empty = resume_token is None
        self.may_block = _regular_file_size(_raw_stdout()) is None

    def write(self, text: str) -> None:
        """Write ``text`` without buffering.

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
                    select([], [out], [])
                else:
                    data = data[written:]
        except OSError:
            if size is not None:
                os.ftruncate(out.fileno(), size)
                os.lseek(out.fileno(), 0, os.SEEK_END)
            raise

    def finish(self, resume_token: str | None) -> None:
        """Do nothing, because all rows are visible already."""

    def stop(self, resume_token: str | None) -> None:
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
        is_empty: Whether there are no rows yet, neither from this run nor from those before it.
        is_streamed: Whether rows are visible as soon as they are written: never.
        may_block: Whether a write may wait for a reader: never.

    Raises:
        InvalidArgumentError: There are no earlier rows to append to.
        OSError: The file cannot be written.
    """

    is_streamed = False
    may_block = False

    def __init__(self, path: Path, resume_token: str | None) -> None:
        self._path = Path(os.path.realpath(path))  # Replace a link's target, not the link.
        if self._path.exists() and not self._path.is_file():
            raise OSError(f"{path} is not a file")
        self._kept = None if resume_token is None else self._kept_path(resume_token)
        earlier = None if self._kept is None else self._find_earlier_rows(self._kept)
        # The name is random, because processes in different containers may share a process ID.
        self._temporary = self._path.with_name(f".{self._path.name}.{token_hex(6)}")
        try:
            # Fail now if the longest of the names is too long.
            with suppress(FileNotFoundError):
                os.lstat(self._kept_path(""))
            self._file = self._temporary.open("xb")
        except OSError as error:
            raise OSError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._size = self._copy_earlier_rows(earlier)
        except BaseException:
            self.stop(None)
            raise
        self.is_empty = self._size == 0

    def _find_earlier_rows(self, kept: Path) -> Path:
        for path in (kept, self._path):
            if path.exists():
                return path
        raise InvalidArgumentError(
            f"resume_token must follow rows, but neither {str(self._path)!r} nor {kept.name!r} "
            "exists; without it, the listing starts over"
        )

    def _copy_earlier_rows(self, earlier: Path | None) -> int:
        if self._path.exists():
            shutil.copymode(self._path, self._temporary)
        if earlier is not None:
            with earlier.open("rb") as source:
                shutil.copyfileobj(source, self._file)
            self._file.flush()
        return self._file.tell()

    def _kept_path(self, resume_token: str) -> Path:
        digest = blake2b(resume_token.encode(errors="replace"), digest_size=6).hexdigest()
        return self._path.with_name(f"{self._path.name}.{digest}.part")

    def write(self, text: str) -> None:
        """Append ``text`` to the temporary file."""
        self.write_bytes(text.encode())

    def write_bytes(self, data: bytes) -> None:
        """Append ``data`` to the temporary file."""
        self._file.write(data)
        self._file.flush()
        self._size = self._file.tell()

    def finish(self, resume_token: str | None) -> None:
        """Rename the temporary file to ``path``; a run with ``resume_token`` appends to it.

        Raises:
            OSError: The file could not be saved or renamed. The message names the temporary file,
                which still has all rows.
        """
        try:
            with self._file:
                os.fsync(self._file.fileno())
            self._temporary.replace(self._path)
        except OSError as error:
            raise OSError(f"{error.strerror}: all rows are in {self._temporary}") from error
        following = None if resume_token is None else self._kept_path(resume_token)
        for kept in (self._kept, following):
            if kept is not None:
                kept.unlink(missing_ok=True)

    def stop(self, resume_token: str | None) -> None:
        """Keep the rows for the run that resumes from ``resume_token``, or delete them without it.

        Raises:
            OSError: The rows could not be kept.
        """
        with suppress(OSError):  # Closing flushes, which fails again if the disk is full.
            self._file.close()
        if resume_token is None:
            self._temporary.unlink()
            return
        os.truncate(self._temporary, self._size)  # Remove a page that was written only in part.
        kept = self._kept_path(resume_token)
        self._temporary.replace(kept)
        if self._kept not in (None, kept):
            self._kept.unlink(missing_ok=True)
