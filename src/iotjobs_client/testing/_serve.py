"""The command ``python -m iotjobs_client.testing``, which serves a fleet on this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import sleep
from typing import Any, get_args

from iotjobs_client.exceptions import InvalidArgumentError
from iotjobs_client.models import JobExecutionStatus
from iotjobs_client.testing import LocalEndpoint, NamedFault, make_fleet
from iotjobs_client.testing._factories import TERMINAL_WEIGHTS
from iotjobs_client.testing._faults import ERRORS

_FAULTS = (*get_args(NamedFault), *ERRORS)
_MOST_DIGITS = 7
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_EXIT_NOT_FOUND, _EXIT_SIGNAL = 127, 128
# Only Windows has SIGBREAK, which Ctrl-Break and closing the console send.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
]
# These would take precedence over the credentials of the endpoint.
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
_IS_WINDOWS = os.name == "nt"
_GREETING = """\
{jobs} at {url}, until Ctrl-C.{note}

{variables}

aws iot list-job-executions-for-job --job-id {job_id} --max-items 3

{start}
from iotjobs_client import IoTJobsClient

with IoTJobsClient() as client:
    for execution in client.list_job_executions_for_job("{job_id}", max_items=3):
        print(execution.thing_name, execution.status, execution.last_updated_at)
{end}
"""


def _to_job(text: str) -> tuple[str, int]:
    job_id, _, size = text.partition("=")
    if not size.isdecimal() or len(size) > _MOST_DIGITS:
        rule = f"ID=SIZE, such as firmware-42=1000, with at most {_MOST_DIGITS} digits"
        raise ArgumentTypeError(f"must be {rule}, not {text!r}")
    return job_id, int(size)


def _to_fault(text: str) -> tuple[int, Any]:
    number, _, fault = text.partition("=")
    if not number.isdecimal():
        raise ArgumentTypeError(f"must be NUMBER=FAULT, such as 3=disconnect, not {text!r}")
    if fault not in _FAULTS:
        raise ArgumentTypeError(f"the fault must be one of {', '.join(_FAULTS)}, not {fault!r}")
    return int(number), ERRORS.get(fault, fault)


def _to_status(text: str) -> tuple[str, int]:
    status, equals, weight = text.partition("=")
    if status.upper() not in [*JobExecutionStatus]:
        choices = ", ".join(JobExecutionStatus)
        raise ArgumentTypeError(f"the status must be one of {choices}, not {status!r}")
    if equals and not (weight.isdecimal() and len(weight) <= _MOST_DIGITS):
        rule = f"a number of at most {_MOST_DIGITS} digits, such as in SUCCEEDED=95"
        raise ArgumentTypeError(f"the weight must be {rule}, not {weight!r}")
    return status.upper(), int(weight or 1)


def _to_seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        rule = "a number of seconds, or a duration such as 30s or 5m"
        raise ArgumentTypeError(f"must be {rule}, not {text!r}")
    return float(match[1]) * _SECONDS[match[2]]


def to_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="python -m iotjobs_client.testing",
        description=(
            "Serve ListJobExecutionsForJob over HTTP on this machine, following the API reference. "
            "With COMMAND, run it with the environment set for it, and exit with its code; without "
            "one, serve until Ctrl-C."
        ),
        usage="%(prog)s [options] [-- COMMAND ...]",
        epilog=f"faults: {', '.join(get_args(NamedFault))}\nerrors: {', '.join(ERRORS)}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    add(
        "--job",
        type=_to_job,
        action="append",
        default=[],
        metavar="ID=SIZE",
        help="a job and how many things it has; may be repeated (default: firmware-42=1000)",
    )
    add("--seed", type=int, default=0, help="a different seed makes a different fleet (default: 0)")
    add(
        "--status",
        type=_to_status,
        action="append",
        default=[],
        metavar="STATUS[=WEIGHT]",
        help="a status that executions end with, and its weight, such as FAILED=5; may be repeated "
        "(default: all statuses; with --play, the terminal ones)",
    )
    add(
        "--play",
        type=_to_seconds,
        metavar="SECONDS",
        help="queue, start and end the executions within this time, such as 30s or 5m, from the "
        "first request on (default: all are as they end)",
    )
    add(
        "--latency",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="seconds to wait before each response",
    )
    add(
        "--requests-per-second",
        type=float,
        metavar="RATE",
        help="throttle above this rate (default: no limit)",
    )
    add(
        "--fault",
        type=_to_fault,
        action="append",
        default=[],
        metavar="NUMBER=FAULT",
        help="the fault of the request with this number, from 1; may be repeated",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the command ends, or without one, until Ctrl-C, Ctrl-Break or SIGTERM.

    Args:
        arguments: The command-line arguments, without the program's name; ``None`` for those of
            the process.

    Returns:
        The exit code: that of the command; 127 if there is no such command; 0 after Ctrl-C; 1 if
        it cannot listen on the port. Wrong arguments exit with 2.
    """
    parser = to_parser()
    given_arguments = list(sys.argv[1:] if arguments is None else arguments)
    # argparse could take an option of the command for one of its own.
    end = (*given_arguments, "--").index("--")
    options, command = parser.parse_args(given_arguments[:end]), given_arguments[end + 1 :]
    for name, key in (("job", "ID"), ("fault", "NUMBER"), ("status", "STATUS")):
        given: list[tuple[object, object]] = getattr(options, name)
        if len(dict(given)) < len(given):
            parser.error(f"argument --{name}: each {key} may be given only once")
    # A shell may start a background command with SIGINT ignored.
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler)
    sizes: dict[str, int] = dict(options.job or [("firmware-42", 1000)])
    weights = dict(options.status) or (None if options.play is None else TERMINAL_WEIGHTS)
    with suppress(KeyboardInterrupt):
        try:
            endpoint = LocalEndpoint(
                {
                    job_id: make_fleet(size, seed=options.seed, statuses=weights)
                    for job_id, size in sizes.items()
                },
                play=options.play,
                latency=options.latency,
                requests_per_second=options.requests_per_second,
                faults=dict(options.fault),
                port=options.port,
            )
        except InvalidArgumentError as error:
            parser.error(str(error))
        except OSError as error:
            print(f"cannot listen on port {options.port}: {error}", file=sys.stderr)
            return 1
        with endpoint:
            if command:
                return _run(command, endpoint)
            print(_greeting(endpoint, sizes, options.play), flush=True)
            # Windows cannot interrupt an endless wait, and a signal may come just before a wait.
            while True:
                sleep(1)
    return 0


def _run(command: Sequence[str], endpoint: LocalEndpoint) -> int:
    """Run ``command`` with the environment of ``endpoint``, and return its exit code."""
    environment = {**os.environ, **endpoint.environment}
    for name in _UNSET:
        environment.pop(name, None)
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603  (the user's own)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return _EXIT_NOT_FOUND

    def pass_on(number: int, _frame: object) -> None:
        # A console sends Ctrl-C and Ctrl-Break to the command too, which decides what to do.
        if number == signal.SIGTERM:
            process.terminate()

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    with process:
        code = process.wait()
    return code if code >= 0 else _EXIT_SIGNAL - code


def _greeting(endpoint: LocalEndpoint, sizes: Mapping[str, int], play: float | None) -> str:
    if _IS_WINDOWS:  # The user pastes into PowerShell.
        unset, export, start, end = "$env:{} = $null", "$env:{} = '{}'", "@'", "'@ | python -"
    else:
        unset, export, start, end = "unset {}", "export {}={}", "python - <<'END'", "END"
    variables = [unset.format(name) for name in _UNSET]
    variables += [export.format(*variable) for variable in endpoint.environment.items()]
    return _GREETING.format(
        jobs=" and ".join(f"{job_id} with {size} things" for job_id, size in sizes.items()),
        url=endpoint.url,
        note="" if play is None else f"\nThe first request starts a rollout of {play:g} seconds.",
        variables="\n".join(variables),
        job_id=next(iter(sizes)),
        start=start,
        end=end,
    )
