"""The command line, ``iotjobs`` or ``python -m iotjobs_client``; it needs the extra ``cli``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command that the process's arguments name, and exit with its code."""
    for name in ("stdout", "stderr"):  # which a shell may have closed
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  (to the end)
    try:
        from iotjobs_client.cli._app import app

        app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("rich", "typer"):
            raise
        sys.exit("iotjobs needs the extra 'cli': python -m pip install 'iotjobs-client[cli]'")
    except OSError as error:  # of what takes no help text; a command tells of its own
        from iotjobs_client.cli._terminal import to_nowhere

        to_nowhere(sys.stdout)
        sys.exit(f"iotjobs: {error}")
    except KeyboardInterrupt:  # before a command was there to tell of it
        sys.exit(_INTERRUPTED)
