"""The formats of ``iotjobs list``: ndjson, csv, names and table."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timezone

import attrs
import pytest
from commands import FLEET, PAGE, Terminal, run, thing_names, to_screen
from hypothesis import given, settings
from hypothesis import strategies as st
from support import JOB_ID

from iotjobs_client import JobExecutionStatus, JobExecutionSummary
from iotjobs_client.cli._rows import FORMATS, RowFormatter
from iotjobs_client.testing import make_execution
from iotjobs_client.testing.fixtures import StartLocalEndpoint

MEMBERS = [field.name for field in attrs.fields(JobExecutionSummary)]
FIELDS = list(make_execution().to_dict())
HOSTILE = "\x1b[31m\x07\x7f\x9b2J\u202e\u2028\ud800\r\n"

# characters() includes lone surrogates, which a response can contain as JSON escapes.
texts = st.text(st.characters(), min_size=1)
times = st.datetimes(timezones=st.just(timezone.utc))
milliseconds = times.map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
seconds = times.map(lambda time: time.replace(microsecond=0))
any_time = st.none() | times | milliseconds | seconds
executions = st.builds(
    JobExecutionSummary,
    thing_arn=texts | texts.map("arn:aws:iot:eu-west-1:123456789012:thing/{}".format),
    status=st.sampled_from(list(JobExecutionStatus)) | texts.map(JobExecutionStatus),
    execution_number=st.none() | st.integers(),
    queued_at=any_time,
    started_at=any_time,
    last_updated_at=any_time,
    retry_attempt=st.none() | st.integers(),
    job_id=st.none() | st.from_regex("[a-zA-Z0-9_-]{1,64}", fullmatch=True),
)


@settings(max_examples=100)
@given(executions)
def test_ndjson_is_what_json_dumps_returns(execution: JobExecutionSummary) -> None:
    """A row has the bytes of ``json.dumps`` of ``to_dict()``."""
    expected = json.dumps(execution.to_dict())
    assert RowFormatter("ndjson")([execution]) == f"{expected}\n"


@settings(max_examples=100)
@given(executions)
def test_csv_has_the_values_of_the_record(execution: JobExecutionSummary) -> None:
    """A cell is the value of the record, or empty if it is absent; it is never a formula."""
    head, row = csv.reader(RowFormatter("csv")([execution]).splitlines())
    assert head == FIELDS
    for cell, value in zip(row, execution.to_dict().values(), strict=True):
        text = "" if value is None else str(value)
        is_formula = isinstance(value, str) and value[:1] in set("=+-@")
        assert cell == (f"'{text}" if is_formula else text) or not text.isprintable()


@settings(max_examples=100)
@given(executions)
def test_a_row_is_one_printable_line(execution: JobExecutionSummary) -> None:
    """No value can end a line, control a terminal or start another row, in any format."""
    for output_format in FORMATS:
        text = RowFormatter(output_format, with_headings=False)([execution, execution])
        *lines, end = text.split("\n")
        assert (len(lines), end) == (2, "")
        assert all(line.isprintable() for line in lines)


def test_a_row_has_all_members_by_name(local_endpoint: StartLocalEndpoint) -> None:
    """A row has the thing's name and all members of the model; absent ones are null."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run("list", JOB_ID, PAGE)
    assert (outcome.code, outcome.err) == (0, "")
    assert [json.loads(line) for line in outcome.lines] == [
        {**execution.to_dict(), "job_id": JOB_ID} for execution in FLEET
    ]
    assert json.loads(outcome.lines[-1])["started_at"] is None


@pytest.mark.parametrize("output_format", ["ndjson", "csv", "table"])
def test_times_have_one_form(output_format: str, local_endpoint: StartLocalEndpoint) -> None:
    """Times have milliseconds and Z; microseconds only if the service sends them."""
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    execution = make_execution(
        queued_at=start,
        started_at=start.replace(microsecond=60_000),
        last_updated_at=start.replace(microsecond=60_123),
    )
    local_endpoint({JOB_ID: [execution]})
    row = run("list", JOB_ID, f"--format={output_format}").lines[-1]
    for time in ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.060Z"):
        assert time in row
    assert "2026-01-01T00:00:00.060123Z" in row


def test_csv_has_headings_once(local_endpoint: StartLocalEndpoint) -> None:
    """The first line of csv has the names of the members, and no later page repeats it."""
    local_endpoint({JOB_ID: FLEET})
    head, *rows = run("list", JOB_ID, "--format=CSV", PAGE).lines
    assert head == ",".join(FIELDS)
    assert [row.split(",")[:2] for row in rows] == [[JOB_ID, e.thing_name] for e in FLEET]


@pytest.mark.parametrize("option", ["-q", "--names", "--format=names"])
def test_names_are_alone_on_their_lines(option: str, local_endpoint: StartLocalEndpoint) -> None:
    """The output suits ``xargs``: only the name of each thing, one a line."""
    local_endpoint({JOB_ID: FLEET})
    assert run("list", JOB_ID, option, PAGE).lines == thing_names(FLEET)


def test_a_table_has_aligned_columns(local_endpoint: StartLocalEndpoint) -> None:
    """Columns are as wide as the first page needs; a dash stands for an absent value."""
    local_endpoint({JOB_ID: FLEET})
    head, *rows = run("list", JOB_ID, "--format=table", PAGE).lines
    names = "job_id thing_name status # queued_at started_at last_updated_at retry"
    assert head.split() == names.split()
    assert [row.split()[1:3] for row in rows] == [[e.thing_name, e.status] for e in FLEET]
    columns = [head.index(f" {name}") for name in ("status", "#", "queued_at", "retry")]
    assert all(row[column] == " " != row[column + 1] for row in rows for column in columns)
    assert rows[-1].split()[4:] == [
        "2026-01-01T00:00:00.000Z",
        "-",
        "2026-01-01T00:00:00.000Z",
        "0",
    ]


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (200, "thing_name status # queued_at started_at last_updated_at retry"),
        (80, "thing_name status # started_at last_updated_at"),
        (50, "thing_name status # last_updated_at"),
        (46, "thing_name status last_updated_at"),
        (24, "thing_name status"),
        (10, "thing_name status"),
    ],
)
def test_a_narrow_terminal_loses_columns(
    width: int, headings: str, local_endpoint: StartLocalEndpoint
) -> None:
    """A table drops whole columns so that its lines fit; the name and the status always stay."""
    local_endpoint({JOB_ID: FLEET})
    lines = to_screen(Terminal().run("list", JOB_ID, "--status=failed", width=width).out)
    assert lines[0].split() == headings.split()
    assert len(lines) == 3
    assert {len(line.split()) for line in lines} == {len(headings.split())}
    assert width == 10 or max(map(len, lines)) <= width


@pytest.mark.parametrize("output_format", FORMATS)
def test_no_name_controls_a_terminal(
    output_format: str, local_endpoint: StartLocalEndpoint
) -> None:
    """Control characters of a response are escaped; ndjson keeps their values."""
    local_endpoint({JOB_ID: [make_execution(HOSTILE, JobExecutionStatus(HOSTILE))]})
    row = run("list", JOB_ID, f"--format={output_format}").lines[-1]
    assert row.isascii()
    assert row.isprintable()
    if output_format == "ndjson":
        assert json.loads(row)["status"] == HOSTILE
    else:
        assert r"\x1b[31m\x07\x7f\x9b2J\u202e\u2028\ud800\r\n" in row


def test_no_csv_cell_is_a_formula(local_endpoint: StartLocalEndpoint) -> None:
    """A quote precedes a cell that a spreadsheet would run as a formula, but no number."""
    starts = "=+-@"
    fleet = [make_execution(f"{start}1+1", execution_number=-1) for start in starts]
    local_endpoint({JOB_ID: fleet})
    rows = list(csv.DictReader(run("list", JOB_ID, "--format=csv").lines))
    assert [row["thing_name"] for row in rows] == [f"'{start}1+1" for start in starts]
    assert [row["execution_number"] for row in rows] == ["-1"] * 4


@pytest.mark.parametrize("output_format", FORMATS)
def test_an_empty_job_has_no_rows(output_format: str, local_endpoint: StartLocalEndpoint) -> None:
    """The command succeeds, writes only the headings of csv, and says why on standard error."""
    local_endpoint({JOB_ID: []})
    outcome = run("list", JOB_ID, f"--format={output_format}")
    assert outcome.code == 0
    assert outcome.lines == ([",".join(FIELDS)] if output_format == "csv" else [])
    assert outcome.err == f"iotjobs: job '{JOB_ID}' has no executions\n"


@pytest.mark.parametrize(
    "options", [["--status=removed"], ["--since=2027-01-01"], ["--until=2025-01-01"]]
)
def test_a_selection_without_rows_says_so(
    options: list[str], local_endpoint: StartLocalEndpoint
) -> None:
    """The message does not claim that the job is empty."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run("list", JOB_ID, *options)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"iotjobs: job '{JOB_ID}' has no such executions\n"
