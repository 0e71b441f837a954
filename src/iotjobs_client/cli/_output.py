"""Where rows go: standard output, or a file that is there whole or not at all."""

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
    """What a shell may redirect. What was written is out, so an end or a fault changes nothing.

    Args:
        resume_token: Where the listing resumes, which began somewhere else.

    Attributes:
        is_empty: Whether nothing was written yet, in this run or in those before.
        is_out_at_once: Whether what is written need not be kept: always.
        may_block: Whether a write can wait for somebody who reads.
    """

    is_out_at_once = True

    def __init__(self, resume_token: str | None) -> None:
        self.is_empty = resume_token is None
        self.may_block = _size_of_file(_raw_stdout()) is None

    def write(self, text: str) -> None:
        """Write at once, for the reader need not wait for more; a file gets all or nothing."""
        data = memoryview(text.encode(sys.stdout.encoding, errors="backslashreplace"))
        out = _raw_stdout()
        size = _size_of_file(out)
        try:
            while data:
                written = out.write(data)
                if written is None:  # by a pipe that does not block, and is full
                    select([], [out], [])
                else:
                    data = data[written:]
        except OSError:
            if size is not None:
                os.ftruncate(out.fileno(), size)
                os.lseek(out.fileno(), 0, os.SEEK_END)
            raise

    def finish(self, resume_token: str | None) -> None:
        """See above."""

    def stop(self, resume_token: str | None) -> None:
        """See above."""


def _raw_stdout() -> Any:
    # Without the buffer, which would keep what a full disk did not take, and write it later.
    return getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)


def _size_of_file(out: Any) -> int | None:
    """The size of what is redirected to a file; ``None`` for a pipe or a terminal."""
    try:
        status = os.fstat(out.fileno())
    except OSError:  # of what is no file of the system's
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class OutputFile:
    """Rows collected beside ``path``, in a file that takes its name when all are there.

    After a fault they are kept under a name that is made from the resume token: only the run
    that resumes right there finds them. So nothing is lost, and nothing is in the file twice.

    Args:
        path: The file. If it is there, a run that does not resume replaces it.
        resume_token: Where the listing resumes: after the rows that were kept for this token,
            or else after those in ``path``.

    Attributes:
        is_empty: Whether there are no rows yet, not even of the runs before.
        is_out_at_once: As for standard output: never.
        may_block: Likewise.

    Raises:
        InvalidArgumentError: There are no rows that ``resume_token`` could follow.
        OSError: There can be no such file.
    """

    is_out_at_once = False
    may_block = False

    def __init__(self, path: Path, resume_token: str | None) -> None:
        self._path = Path(os.path.realpath(path))  # of a link, what it leads to
        if self._path.exists() and not self._path.is_file():
            raise OSError(f"{path} is not a file")
        self._kept = None if resume_token is None else self._name_for(resume_token)
        before = None if self._kept is None else self._rows_before(self._kept)
        # No other process has this name, whatever its number is in a container of its own.
        self._part = self._path.with_name(f".{self._path.name}.{token_hex(6)}")
        try:
            with suppress(FileNotFoundError):
                os.lstat(self._name_for(""))  # the longest of the names
            self._file = self._part.open("xb")
        except OSError as error:
            raise OSError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._size = self._begin(before)
        except BaseException:
            self.stop(None)
            raise
        self.is_empty = self._size == 0

    def _rows_before(self, kept: Path) -> Path:
        for rows in (kept, self._path):
            if rows.exists():
                return rows
        raise InvalidArgumentError(
            f"resume_token must follow rows, but neither {str(self._path)!r} nor {kept.name!r} "
            "is there; without it, the listing starts over"
        )

    def _begin(self, before: Path | None) -> int:
        if self._path.exists():
            shutil.copymode(self._path, self._part)
        if before is not None:
            with before.open("rb") as source:
                shutil.copyfileobj(source, self._file)
            self._file.flush()
        return self._file.tell()

    def _name_for(self, resume_token: str) -> Path:
        digest = blake2b(resume_token.encode(errors="replace"), digest_size=6).hexdigest()
        return self._path.with_name(f"{self._path.name}.{digest}.part")

    def write(self, text: str) -> None:
        """Add to the part."""
        self.write_bytes(text.encode())

    def write_bytes(self, data: bytes) -> None:
        """Likewise, of what is no text."""
        self._file.write(data)
        self._file.flush()
        self._size = self._file.tell()

    def finish(self, resume_token: str | None) -> None:
        """Give the part its name; who resumes from ``resume_token`` appends to it."""
        try:
            with self._file:
                os.fsync(self._file.fileno())
            self._part.replace(self._path)
        except OSError as error:
            raise OSError(f"{error.strerror}: all rows are in {self._part}") from error
        following = None if resume_token is None else self._name_for(resume_token)
        for kept in (self._kept, following):
            if kept is not None:
                kept.unlink(missing_ok=True)

    def stop(self, resume_token: str | None) -> None:
        """Keep what was written for whoever resumes there."""
        with suppress(OSError):  # of a full disk, again
            self._file.close()
        if resume_token is None:
            self._part.unlink()
            return
        os.truncate(self._part, self._size)  # what a full disk took of the last page
        kept = self._name_for(resume_token)
        self._part.replace(kept)
        if self._kept not in (None, kept):
            self._kept.unlink(missing_ok=True)
