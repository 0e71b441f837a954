"""How rows are written: ndjson, csv, or a table for a terminal.

What the service sends must not steer a terminal or become a formula, whatever reads the rows.
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
# What spreadsheets take for the start of a formula.
_FORMULA = ("=", "+", "-", "@")
COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "REJECTED": "red",
    "IN_PROGRESS": "yellow",
}
# Without the ARN, which says no more than the name and is long.
_COLUMNS = (
    FIELDS[0],
    "status",
    *(name for name in _MEMBERS if name not in ("thing_arn", "status")),
)
_HEADINGS = {"execution_number": "#", "retry_attempt": "retry"}


class Format(str, Enum):
    """What ``iotjobs list`` writes."""

    table = "table"
    ndjson = "ndjson"
    csv = "csv"


def printable(text: str) -> str:
    r"""``text`` with ``\x1b`` and the like in place of what steers a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, noun: str) -> str:
    """Such as ``1 thing`` or ``1,000 things``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def to_row(execution: JobExecutionSummary) -> dict[str, _Value]:
    """The execution's members by their names, with its thing's name; times in ISO 8601, UTC."""
    # Not in a loop over the members, which takes twice as long.
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


Rows = Callable[[Iterable[JobExecutionSummary]], str]
"""Makes the lines of some executions."""


def rows_as(
    output_format: Format, *, in_colour: bool, with_headings: bool = True
) -> tuple[str, Rows]:
    """What comes before the first row of a file, and what makes the rows."""
    if output_format is Format.csv:
        return _to_csv([FIELDS]), _csv
    return "", _Table(in_colour, with_headings) if output_format is Format.table else _ndjson


def _ndjson(executions: Iterable[JobExecutionSummary]) -> str:
    rows = json.dumps([*map(to_row, executions)])[1:-1]
    # One call for all is twice as fast as one each. In no value can this be, where " is \".
    lines = rows.replace('}, {"thing_name": ', '}\n{"thing_name": ')
    return to_harmless_json(f"{lines}\n") if rows else ""


def to_harmless_json(text: str) -> str:
    """``text`` without DEL, which alone JSON leaves as it is of what steers a terminal."""
    return text.replace("\x7f", "\\u007f")


def _csv(executions: Iterable[JobExecutionSummary]) -> str:
    return _to_csv(map(_to_cell, to_row(execution).values()) for execution in executions)


def _to_csv(rows: Iterable[Iterable[_Value]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _to_cell(value: _Value) -> _Value:
    if not isinstance(value, str):
        return value
    cell = printable(value)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


class _Table:
    """Columns for people, as wide as the first rows need; times to the second."""

    def __init__(self, in_colour: bool, with_headings: bool) -> None:  # noqa: FBT001
        self._in_colour = in_colour
        self._with_headings = with_headings
        self._widths: Mapping[str, int] = {}

    def __call__(self, executions: Iterable[JobExecutionSummary]) -> str:
        """The lines, after the headings if these are the first of all."""
        table = [
            {name: _to_text(name, row[name]) for name in _COLUMNS}
            for row in map(to_row, executions)
        ]
        if table and not self._widths:
            headings = {name: _HEADINGS.get(name, name) for name in _COLUMNS}
            widest = [headings, *table]
            self._widths = {name: max(len(row[name]) for row in widest) for name in _COLUMNS}
            if self._with_headings:
                table = widest
        return "".join(f"{self._line(row)}\n" for row in table)

    def _line(self, row: Mapping[str, str]) -> str:
        cells = {name: text.ljust(self._widths[name]) for name, text in row.items()}
        if self._in_colour and row["status"] in COLOURS:
            cells["status"] = typer.style(cells["status"], fg=COLOURS[row["status"]])
        return "  ".join(cells.values()).rstrip()


def _to_text(name: str, value: _Value) -> str:
    if value is None:
        return "-"
    if name.endswith("_at"):
        return f"{str(value)[:19]}Z"
    return printable(str(value))
