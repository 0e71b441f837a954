"""Checks whether the file of an option can be replaced, and copies its owner and mode."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

_IS_WINDOWS = os.name == "nt"
_MOUNTS = Path("/proc/self/mountinfo")


def is_stdout(path: Path) -> bool:
    """Return whether ``path`` leads to standard output, as ``/dev/stdout`` does."""
    try:
        status = path.stat()
        # On Windows, the number of pipes and devices is 0.
        return status.st_ino != 0 and os.path.samestat(status, os.fstat(sys.stdout.fileno()))
    except OSError:  # There is no such file, or the stream has no file descriptor.
        return False


def find_obstacle(path: Path) -> str | None:
    """Return why the file that ``path`` leads to cannot be replaced; ``None`` if it can.

    A command checks this first, because a listing may take minutes.
    """
    target = Path(os.path.realpath(path))
    if is_stdout(path) or _is_stream(path):
        kind = "an open stream"
    elif not target.exists():
        return None
    elif not target.is_file():
        kind = "not a regular file"
    elif _is_mount_point(target):
        kind = "a mount point"
    else:
        return _find_obstacle_of_windows(target)
    return f"it is {kind}; redirect standard output instead (> FILE)"


def _find_obstacle_of_windows(target: Path) -> str | None:
    if _IS_WINDOWS and not target.stat().st_mode & stat.S_IWUSR:
        return "it is read-only"
    try:
        target.replace(target)  # Windows refuses this if another program has the file open.
    except OSError as error:
        return error.strerror
    return None


def _is_stream(path: Path) -> bool:
    """Return whether ``path`` leads to an open file of a process, as ``/dev/stderr`` does."""
    while path.exists() and path.is_symlink():
        if re.fullmatch(r"/proc/\d+(/task/\d+)?/fd", os.path.realpath(path.parent)):
            return True
        path = path.parent / path.readlink()
    return False


def _is_mount_point(path: Path) -> bool:
    """Return whether a file is mounted on ``path``; only Linux allows this.

    ``os.path.ismount`` does not notice a file of the same device.
    """
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    escaped = re.sub(rb"[ \t\n\\]", lambda match: b"\\%03o" % ord(match[0]), os.fsencode(path))
    return escaped in (line.split()[4] for line in lines)


def copy_owner_and_mode(source: Path, target: Path) -> None:
    """Copy what the process may set; do nothing if ``source`` does not exist."""
    if not source.exists():
        return
    status = source.stat()
    for owner, group in ((status.st_uid, -1), (-1, status.st_gid)):
        with suppress(OSError, AttributeError):  # Windows has no chown().
            os.chown(target, owner, group)
    shutil.copymode(source, target)
