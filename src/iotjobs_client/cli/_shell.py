"""The commands that ``iotjobs`` prints, written for a shell."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

import click

from iotjobs_client.cli._format import format_time


def to_command(ctx: click.Context, **changes: Any) -> str:
    """Return the command of ``ctx`` for a shell, with ``changes`` to the values of its options.

    Options are written as ``--name=value``, and ``--`` precedes the jobs if needed, because a
    value may begin with a dash. A user and a password in the URL of the endpoint are left out.
    """
    values = {**ctx.params, **changes}
    job_ids: Sequence[str] = values.pop("job_ids")
    words = ctx.command_path.split()
    for option in ctx.command.params:
        # Two options may set the same value. The first one is written.
        value = values.pop(option.name, None)
        if not isinstance(option, click.Option) or value in (None, False, ()):
            continue
        name = max(option.opts, key=len)
        if value is True:
            words.append(name)
        elif value != option.get_default(ctx):
            words.append(f"{name}={_to_text(value)}")
    return _join([*words, *(["--"] if job_ids[0].startswith("-") else []), *job_ids])


def join_for_cmd(words: Iterable[str]) -> str:
    """Return ``words`` as a command for ``cmd.exe``, which knows no single quotes."""
    return " ".join(
        word
        if re.fullmatch(r"[A-Za-z0-9_\-=.:\\/]+", word)
        else '"{}"'.format(word.replace('"', '""'))
        for word in words
    )


_join = join_for_cmd if os.name == "nt" else shlex.join


def _to_text(value: Any) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, tuple):
        return ",".join(cast("tuple[str, ...]", value))
    # Only a URL contains ://. A password in it may contain @ and /.
    return re.sub(r"(?<=://).*@", "", str(value))
