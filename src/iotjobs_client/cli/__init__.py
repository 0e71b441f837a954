"""The command line, ``iotjobs`` or ``python -m iotjobs_client``; it needs the extra ``cli``."""

from __future__ import annotations

import errno
import os
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["main"]

_EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command that the process's arguments name, and exit with its code."""
    # If the shell closed a stream, for example with `>&-`, Python sets it to None.
    # Windows takes its null device for a terminal, so the status line is written to it.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            devnull = Path(os.devnull).open("w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  (open until exit)
            setattr(sys, name, devnull)
    try:
        if find_spec("click") is None or find_spec("rich") is None:
            sys.exit("iotjobs needs click and rich: install this package with its extra 'cli'")
        import click

        from iotjobs_client.cli._app import iotjobs
    except KeyboardInterrupt:
        sys.exit(_EXIT_INTERRUPTED)
    try:
        # click's standalone mode would exit with 1 after Ctrl-C.
        sys.exit(iotjobs.main(standalone_mode=False))
    except click.ClickException as error:
        from iotjobs_client._text import to_printable

        if not isinstance(error, click.exceptions.NoArgsIsHelpError):
            # It may contain an argument, such as the name of a file, with control characters.
            vars(error)["message"] = to_printable(error.message)
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):  # The interrupt came before a command reported it.
        sys.exit(_EXIT_INTERRUPTED)
    except OSError as error:  # The help text could not be written. A command reports its own.
        from iotjobs_client.cli._terminal import redirect_to_devnull

        redirect_to_devnull(sys.stdout)
        # Windows reports a closed pipe as an invalid argument.
        sys.exit(0 if error.errno == errno.EINVAL else f"iotjobs: {error}")
