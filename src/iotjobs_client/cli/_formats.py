"""The formats of rows: ndjson, csv, or a table for a terminal.

The service's data is untrusted: it must neither control a terminal nor run as a formula in a
spreadsheet, whatever program reads the rows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from io import StringIO

import attrs
import typer

from iotjobs_client import JobExecutionSummary

_MEMBERS = tuple(field.name for field in attrs.fields(JobExecutionSummary))
FIELDS = ("thing_name", *_MEMBERS)
_Value = str | int | None
# Spreadsheets treat a cell that begins with one of these as a formula.
_FORMULA_PREFIXES = ("=", "+", "-", "@")
COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "REJECTED": "red",
    "IN_PROGRESS": "yellow",
}
# The table omits the ARN, which is long and adds nothing to the thing's name.
_COLUMNS = (
    FIELDS[0],
    "status",
    *(name for name in _MEMBERS if name not in ("thing_arn", "status")),
)
_HEADINGS = {"execution_number": "#", "retry_attempt": "retry"}


class Format(str, Enum):
    """The output formats of ``iotjobs list``."""

    table = "table"
    ndjson = "ndjson"
    csv = "csv"


def to_printable(text: str) -> str:
    r"""Return ``text`` with escapes such as ``\x1b`` in place of unprintable characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 thing`` or ``1,000 things``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def to_record(execution: JobExecutionSummary) -> dict[str, _Value]:
    """Return the execution's members by name, and the thing's name; times are ISO 8601 in UTC."""
    # Spelled out, because a loop over the members takes twice as long.
    queued, started = execution.queued_at, execution.started_at
    updated = execution.last_updated_at
    return {
        "thing_name": execution.thing_name,
        "thing_arn": execution.thing_arn,
        "status": execution.status,
        "execution_number": execution.execution_number,
        "queued_at": None if queued is None else queued.isoformat(),
        "started_at": None if started is None else started.isoformat(),
        "last_updated_at": None if updated is None else updated.isoformat(),
        "retry_attempt": execution.retry_attempt,
    }


RowFormatter = Callable[[Iterable[JobExecutionSummary]], str]
"""A function that returns the lines for some executions."""


def to_formatter(
    output_format: Format, *, in_colour: bool, with_headings: bool = True
) -> tuple[str, RowFormatter]:
    """Return the text before the first row of a file, and the function that formats the rows."""
    if output_format is Format.csv:
        return _to_csv([FIELDS]), _format_csv
    if output_format is Format.ndjson:
        return "", _format_ndjson
    return "", _TableFormatter(in_colour, with_headings)


def _format_ndjson(executions: Iterable[JobExecutionSummary]) -> str:
    # One call of `dumps` for all rows is twice as fast as one call for each. No value can contain
    # the separator, because JSON escapes the quotes in a string.
    rows = json.dumps([*map(to_record, executions)])[1:-1]
    lines = rows.replace('}, {"thing_name": ', '}\n{"thing_name": ')
    return escape_del(f"{lines}\n") if rows else ""


def escape_del(text: str) -> str:
    """Return JSON with DEL escaped, the only control character that ``json.dumps`` leaves."""
    return text.replace("\x7f", "\\u007f")


def _format_csv(executions: Iterable[JobExecutionSummary]) -> str:
    return _to_csv(map(_to_cell, to_record(execution).values()) for execution in executions)


def _to_csv(rows: Iterable[Iterable[_Value]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _to_cell(value: _Value) -> _Value:
    if not isinstance(value, str):
        return value
    cell = to_printable(value)
    return f"'{cell}" if cell.startswith(_FORMULA_PREFIXES) else cell


class _TableFormatter:
    """Formats aligned columns, as wide as the first call's rows need; times to the second."""

    def __init__(self, in_colour: bool, with_headings: bool) -> None:  # noqa: FBT001
        self._in_colour = in_colour
        self._with_headings = with_headings
        self._widths: Mapping[str, int] = {}

    def __call__(self, executions: Iterable[JobExecutionSummary]) -> str:
        """Return the lines; the headings precede the first rows."""
        table = [
            {name: _to_text(name, record[name]) for name in _COLUMNS}
            for record in map(to_record, executions)
        ]
        if table and not self._widths:
            headings = {name: _HEADINGS.get(name, name) for name in _COLUMNS}
            with_headings = [headings, *table]
            self._widths = {name: max(len(row[name]) for row in with_headings) for name in _COLUMNS}
            if self._with_headings:
                table = with_headings
        return "".join(f"{self._to_line(row)}\n" for row in table)

    def _to_line(self, row: Mapping[str, str]) -> str:
        cells = {name: text.ljust(self._widths[name]) for name, text in row.items()}
        if self._in_colour and row["status"] in COLOURS:
            cells["status"] = typer.style(cells["status"], fg=COLOURS[row["status"]])
        return "  ".join(cells.values()).rstrip()


def _to_text(name: str, value: _Value) -> str:
    if value is None:
        return "-"
    if name.endswith("_at"):
        return f"{str(value)[:19]}Z"
    return to_printable(str(value))
