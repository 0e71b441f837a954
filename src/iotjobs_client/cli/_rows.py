"""The formats of rows: ndjson, csv, names, or a table for a terminal.

The service's data is untrusted: it must neither control a terminal nor run as a formula in a
spreadsheet, whatever program reads the rows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import StringIO

import attrs
import click

from iotjobs_client import JobExecutionSummary
from iotjobs_client._text import to_printable
from iotjobs_client.cli._format import COLOURS, format_time

FORMATS = ("table", "ndjson", "csv", "names")
MEMBERS = tuple(field.name for field in attrs.fields(JobExecutionSummary))
FIELDS = ("job_id", "thing_name", *MEMBERS[:-1])
# Spreadsheets treat a cell that begins with one of these as a formula.
FORMULA_PREFIXES = ("=", "+", "-", "@")
# The table omits the ARN, which is long and adds nothing to the thing's name.
_COLUMNS = ("thing_name", "status", *MEMBERS[2:-1])
# A narrow terminal loses these columns, the first one first.
_DISPENSABLE = ("retry_attempt", "queued_at", "started_at", "execution_number", "last_updated_at")
_HEADINGS = {"execution_number": "#", "retry_attempt": "retry"}
_to_json_string = json.JSONEncoder().encode  # faster than json.dumps


class RowFormatter:
    """Formats executions as rows.

    Args:
        output_format: One of ``FORMATS``.
        with_headings: Whether the first rows of a table or csv have headings.
        job_ids: The jobs. A table has a column for them, except that of one job on a terminal.
        in_colour: Whether a table has colours.
        width: The columns of the terminal; ``None`` if the table need not fit one.
    """

    def __init__(
        self,
        output_format: str,
        *,
        with_headings: bool = True,
        job_ids: Sequence[str] = (),
        in_colour: bool = False,
        width: int | None = None,
    ) -> None:
        self._headings = _to_csv([FIELDS]) if with_headings and output_format == "csv" else ""
        by_format: dict[str, Callable[[Iterable[JobExecutionSummary]], str]] = {
            "ndjson": _to_ndjson,
            "csv": lambda executions: _to_csv(map(_to_cells, executions)),
            "names": _to_names,
            "table": _Table(
                job_ids=job_ids,
                with_headings=with_headings,
                in_colour=in_colour,
                width=width,
            ),
        }
        self._format = by_format[output_format]

    def __call__(self, executions: Iterable[JobExecutionSummary]) -> str:
        """Return the rows, each with its newline; the headings precede the first ones."""
        headings, self._headings = self._headings, ""
        return headings + self._format(executions)


def _to_names(executions: Iterable[JobExecutionSummary]) -> str:
    return "".join(f"{to_printable(execution.thing_name)}\n" for execution in executions)


def _to_ndjson(executions: Iterable[JobExecutionSummary]) -> str:
    """Return what ``json.dumps`` returns for each record, in half the time."""
    rows = [
        f'{{"job_id": {"null" if execution.job_id is None else _to_json_string(execution.job_id)}'
        f', "thing_name": {_to_json_string(execution.thing_name)}'
        f', "thing_arn": {_to_json_string(execution.thing_arn)}'
        f', "status": {_to_json_string(execution.status.value)}'
        f', "execution_number": {_to_json_number(execution.execution_number)}'
        f', "queued_at": {_to_json_time(execution.queued_at)}'
        f', "started_at": {_to_json_time(execution.started_at)}'
        f', "last_updated_at": {_to_json_time(execution.last_updated_at)}'
        f', "retry_attempt": {_to_json_number(execution.retry_attempt)}}}\n'
        for execution in executions
    ]
    return "".join(rows)


def _to_json_number(number: int | None) -> int | str:
    return "null" if number is None else number


def _to_json_time(time: datetime | None) -> str:
    return "null" if time is None else f'"{format_time(time)}"'


def _to_csv(rows: Iterable[Iterable[object]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _to_cells(execution: JobExecutionSummary) -> Iterator[object]:
    for value in execution.to_dict().values():
        if not isinstance(value, str):
            yield value
        else:
            cell = to_printable(value)
            yield f"'{cell}" if cell.startswith(FORMULA_PREFIXES) else cell


class _Table:
    """Formats aligned columns, as wide as the rows of the first call need."""

    def __init__(
        self, *, job_ids: Sequence[str], with_headings: bool, in_colour: bool, width: int | None
    ) -> None:
        self._job_ids = job_ids
        # A run that resumes at the last job must write the columns of the first run to its file.
        has_jobs = len(job_ids) > 1 or width is None
        self._columns = ("job_id", *_COLUMNS) if has_jobs else _COLUMNS
        self._with_headings = with_headings
        self._in_colour = in_colour
        self._width = width
        self._widths: dict[str, int] = {}

    def __call__(self, executions: Iterable[JobExecutionSummary]) -> str:
        """Return the lines; the headings precede the first rows."""
        rows = [
            {name: _to_text(record[name]) for name in self._columns}
            for record in (execution.to_dict() for execution in executions)
        ]
        if rows and not self._widths:
            headings = {name: _HEADINGS.get(name, name) for name in self._columns}
            jobs = [{**headings, "job_id": job_id} for job_id in self._job_ids]
            self._set_widths([headings, *jobs, *rows])
            if self._with_headings:
                rows = [headings, *rows]
        return "".join(f"{self._to_line(row)}\n" for row in rows)

    def _set_widths(self, rows: Sequence[Mapping[str, str]]) -> None:
        self._widths = {name: max(len(row[name]) for row in rows) for name in self._columns}
        for name in _DISPENSABLE:
            needed = sum(self._widths.values()) + 2 * (len(self._widths) - 1)
            if self._width is None or needed <= self._width:
                break
            del self._widths[name]

    def _to_line(self, row: Mapping[str, str]) -> str:
        cells = {name: row[name].ljust(width) for name, width in self._widths.items()}
        if self._in_colour and row["status"] in COLOURS:
            cells["status"] = click.style(cells["status"], fg=COLOURS[row["status"]])
        return "  ".join(cells.values()).rstrip()


def _to_text(value: str | int | None) -> str:
    return "-" if value is None else to_printable(str(value))
