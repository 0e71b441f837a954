"""The options that several commands share, and the conversion and completion of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TextIO, TypeVar

import click

from iotjobs_client import JobExecutionStatus
from iotjobs_client.cli._format import parse_time
from iotjobs_client.cli._input import open_rows

_Command = TypeVar("_Command", bound=Callable[..., object])
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_STATUSES = [status.value for status in JobExecutionStatus]


def _to_job_ids(
    _ctx: click.Context, _argument: click.Parameter, values: Sequence[str]
) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def jobs_argument(*, is_required: bool = True) -> Callable[[_Command], _Command]:
    """Return the argument for one or several jobs; a job that is named twice counts once."""
    return click.argument(
        "job_ids",
        nargs=-1,
        required=is_required,
        metavar="JOB..." if is_required else "[JOB...]",
        callback=_to_job_ids,
    )


def file_option(*names: str, text: str) -> Callable[[_Command], _Command]:
    """Return the option for a file, with ``text`` as its help."""
    return click.option(
        *names,
        type=click.Path(readable=False, path_type=Path),
        multiple=True,
        callback=_to_file,
        metavar="FILE",
        help=text,
    )


def _to_file(_ctx: click.Context, _option: click.Parameter, values: Sequence[Path]) -> Path | None:
    if len(values) > 1:
        raise click.BadParameter(f"is given {len(values)} times.")
    return values[0] if values else None


def _to_rows(
    ctx: click.Context, _option: click.Parameter, values: Sequence[str]
) -> Sequence[TextIO]:
    streams: list[TextIO] = []
    for value in dict.fromkeys(values):
        try:
            streams.append(ctx.with_resource(open_rows(value)))
        except OSError as error:
            raise click.BadParameter(f"{value!r}: {error.strerror}") from error
    return streams


rows_option = click.option(
    "--input",
    "rows",
    type=click.Path(),
    multiple=True,
    callback=_to_rows,
    metavar="FILE",
    help="Read rows that 'iotjobs list' wrote; - is standard input. May be repeated.",
)


def to_statuses(
    _ctx: click.Context, _option: click.Parameter, values: Sequence[str]
) -> tuple[JobExecutionStatus, ...]:
    """Return the statuses of all values, each of which has one or more, separated by commas."""
    words = [word.strip() for value in values for word in value.split(",")]
    for word in words:
        if word.upper() not in _STATUSES:
            raise click.BadParameter(f"{word!r} is not one of {', '.join(_STATUSES)}.")
    return tuple(dict.fromkeys(JobExecutionStatus(word.upper()) for word in words))


def complete_statuses(_ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Return the statuses that the word after the last comma may become."""
    before, comma, word = incomplete.rpartition(",")
    return [f"{before}{comma}{s}" for s in _STATUSES if s.startswith(word.upper())]


def _complete_profiles(_ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    import botocore.session

    try:
        profiles = botocore.session.Session().available_profiles
    except Exception:  # noqa: BLE001  (a shell shows the traceback of a completion)
        return []
    return [name for name in profiles if name.startswith(incomplete)]


def to_seconds(_ctx: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a duration such as ``30``, ``30s``, ``15m``, ``2h`` or ``1d``."""
    try:
        return None if value is None else _to_seconds(value)
    except ValueError:
        rule = "must be a number of seconds, or a duration such as 30s, 15m, 2h or 1d"
        raise click.BadParameter(f"{value!r} {rule}.") from None


def _to_seconds(text: str, *, unit: str = "[smhd]?") -> float:
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)({unit})", text)
    if match is None:
        raise ValueError
    return float(match[1]) * _SECONDS[match[2]]


def to_time(_ctx: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Return a time in UTC, from a date with dashes or the duration since then, such as ``2h``."""
    if value is None:
        return None
    try:
        if re.match(r"\d{4}-\d\d-\d\d(?![^Tt ])", value):
            return parse_time(value).astimezone(timezone.utc)
        seconds = _to_seconds(value, unit="[smhd]")
        return datetime.now(timezone.utc) - timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        rule = "must be a date with dashes, such as 2026-01-31 or 2026-01-31T12:00Z, or a number "
        raise click.BadParameter(f"{value!r} {rule}with its unit, such as 2h or 1d.") from None


def client_options(command: _Command) -> _Command:
    """Add the options of the client, named like the arguments of ``IoTJobsClient``."""
    for option in (
        click.option("--debug", is_flag=True, help="Print tracebacks."),
        click.option(
            "--requests-per-second",
            type=click.FloatRange(min=0, min_open=True),
            metavar="N",
            help="Send at most N requests per second.",
        ),
        click.option("--endpoint-url", metavar="URL", help="Send requests to this URL."),
        click.option(
            "--profile",
            "profile_name",
            metavar="NAME",
            shell_complete=_complete_profiles,
            help="The profile in the AWS configuration.",
        ),
        click.option("--region", "region_name", metavar="NAME", help="The AWS region."),
    ):
        command = option(command)
    return command
