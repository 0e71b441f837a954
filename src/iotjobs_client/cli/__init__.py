"""The command line, ``iotjobs`` or ``python -m iotjobs_client``; it needs the extra ``cli``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["main"]

_EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command that the process's arguments name, and exit with its code."""
    # If the shell closed a stream, for example with `>&-`, Python sets it to None.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  (open until exit)
    try:
        from iotjobs_client.cli._app import app

        app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("rich", "typer"):
            raise
        sys.exit("iotjobs needs the extra 'cli': python -m pip install 'iotjobs-client[cli]'")
    except OSError as error:
        # The help text could not be written. A command reports its own errors.
        from iotjobs_client.cli._terminal import redirect_to_devnull

        redirect_to_devnull(sys.stdout)
        sys.exit(f"iotjobs: {error}")
    except KeyboardInterrupt:
        # The interrupt came before a command could report it.
        sys.exit(_EXIT_INTERRUPTED)
