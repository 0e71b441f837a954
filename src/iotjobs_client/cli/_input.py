"""Reads the rows that ``iotjobs list`` wrote back into executions."""

from __future__ import annotations

import codecs
import csv
import errno
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader, FileIO, TextIOWrapper
from itertools import chain
from typing import Any, TextIO

import click

from iotjobs_client import JobExecutionSummary
from iotjobs_client.cli._format import parse_time
from iotjobs_client.cli._rows import FORMULA_PREFIXES, MEMBERS

_TIMES = tuple(name for name in MEMBERS if name.endswith("_at"))


def open_rows(name: str) -> TextIO:
    """Open rows in UTF-8 or, as the byte-order mark says, in UTF-16.

    Args:
        name: The name of the file; ``-`` is standard input.

    Raises:
        OSError: The file cannot be opened, or standard input is closed.
    """
    if name != "-":
        file: Any = FileIO(name)
    elif sys.stdin is None:  # The shell closed it, for example with `<&-`.
        raise OSError(errno.EBADF, "standard input is closed")
    else:
        file = sys.stdin.buffer
    buffered = BufferedReader(file)
    is_utf16 = buffered.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return TextIOWrapper(buffered, "utf-16" if is_utf16 else "utf-8-sig")


def read_rows(streams: Sequence[TextIO]) -> Iterator[JobExecutionSummary]:
    """Yield the executions of rows that ``iotjobs list`` wrote as ndjson or csv.

    Args:
        streams: The rows. They may be without ``job_id`` in one stream, but not in several, which
            could be of different jobs.

    Raises:
        click.UsageError: A row is not one that ``iotjobs list`` wrote.
    """
    for stream in streams:
        number = 1
        try:
            first = stream.readline()
            lines = filter(str.strip, chain([first], stream))
            records: Iterator[Any] = map(json.loads, lines)
            if first.startswith(("job_id,", "thing_name,")):
                records = map(_from_cells, csv.DictReader(lines))
            for record in records:
                yield _to_execution(record, needs_job=len(streams) > 1)
                number += 1
        except (csv.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
            rule = "must be as 'iotjobs list' writes it in the format ndjson or csv"
            text = f"row {number} of {stream.name} {rule}: {error}"
            raise click.UsageError(text) from error


def _from_cells(row: Mapping[Any, Any]) -> dict[str, str | int | None]:
    if None in row or None in row.values():
        raise ValueError("the number of cells differs from that of the headings")
    values = {
        name: cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA_PREFIXES else cell or None
        for name, cell in row.items()
    }
    numbers = ("execution_number", "retry_attempt")
    return {**values, **{name: int(row[name]) for name in numbers if row.get(name)}}


def _to_execution(record: Mapping[str, Any], *, needs_job: bool) -> JobExecutionSummary:
    values: dict[str, Any] = {name: record.get(name) for name in MEMBERS}
    for name in _TIMES:
        if values[name] is not None:
            values[name] = parse_time(values[name])
    if needs_job and values["job_id"] is None:
        raise ValueError("it has no job_id, which is needed with several files")
    return JobExecutionSummary(**values)  # It checks the values.
