"""``iotjobs summary``: of a job, and of rows that ``iotjobs list`` wrote."""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path

import attrs
import pytest
from commands import FLEET, PAGE, Clock, run
from support import JOB_ID, PAUSED

from iotjobs_client import JobExecutionStatus, ThrottlingError
from iotjobs_client.cli._input import read_rows
from iotjobs_client.cli._rows import RowFormatter
from iotjobs_client.testing import make_execution, make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint


def split_lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_table_has_counts_times_and_failures(local_endpoint: StartLocalEndpoint) -> None:
    """It says which statuses each outcome includes, and shows shares as bars."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run("summary", JOB_ID)
    assert (outcome.code, outcome.err) == (0, "")
    words = split_lines(outcome.out)
    assert " ".join(words[0]) == f"{JOB_ID}: 20 executions on 20 things"
    assert ["failed", "4", "20.0%", "FAILED,", "TIMED_OUT", "or", "REJECTED"] in words
    assert ["unfinished", "1", "5.0%", "QUEUED,", "IN_PROGRESS", "or", "unknown"] in words
    assert ["QUEUED", "1", "1", "██", "5.0%"] in words
    assert ["SUCCEEDED", "14", "14", "█" * 21, "70.0%"] in words
    assert ["waiting", "19", "0:05:31", "0:17:00", "0:17:08"] in words
    assert words[-4] == ["thing-18", "FAILED", "2026-01-01T00:13:45.113Z"]


def test_a_table_has_dashes_for_unknown_values(local_endpoint: StartLocalEndpoint) -> None:
    """Names and statuses are neither markup nor control sequences."""
    fleet = [
        make_execution("[red]\x1b[2J", "FAILED", last_updated_at=None),
        make_execution("b", JobExecutionStatus("[b]:smile:\x1b[2J"), started_at=None),
    ]
    local_endpoint({JOB_ID: fleet})
    words = split_lines(run("summary", JOB_ID).out)
    assert words[-1] == [r"[red]\x1b[2J", "FAILED", "-"]
    assert [r"[b]:smile:\x1b[2J", "1", "1", "█" * 15, "50.0%"] in words
    assert ["running", "0", "-", "-", "-"] in words


def test_a_job_without_executions_says_so(local_endpoint: StartLocalEndpoint) -> None:
    """The summary has zeros, and standard error says why."""
    local_endpoint({JOB_ID: []})
    outcome = run("summary", JOB_ID)
    assert (outcome.code, outcome.err) == (0, f"iotjobs: no executions in {JOB_ID}\n")
    assert ["succeeded", "0", "-", "SUCCEEDED"] in split_lines(outcome.out)
    assert "failed last" not in outcome.out


def test_json_has_the_same_values(local_endpoint: StartLocalEndpoint) -> None:
    """Durations are in seconds, times have the form of rows, and unknown values are null."""
    fleet = [
        make_execution("a", "FAILED"),
        make_execution("a", "SUCCEEDED", execution_number=2),
        make_execution("b", JobExecutionStatus("TIMED_OUT\x7f"), started_at=None),
        make_execution("c", "REJECTED"),
    ]
    local_endpoint({JOB_ID: fleet})
    outcome = run("summary", JOB_ID, "--format=JSON")
    assert outcome.out.isascii()
    assert "\x7f" not in outcome.out
    row = json.loads(run("list", JOB_ID, "--status=rejected").out)
    things = {"total": 3, "succeeded": 1, "failed": 1, "withdrawn": 0, "unfinished": 1}
    assert json.loads(outcome.out) == {
        "jobs": [{"job_id": JOB_ID, "things": things}],
        "executions": {
            "total": 4,
            "by_status": {
                "SUCCEEDED": 1,
                "FAILED": 1,
                "REJECTED": 1,
                JobExecutionStatus("TIMED_OUT\x7f"): 1,
            },
        },
        "things": {
            **things,
            "by_status": {"SUCCEEDED": 1, "REJECTED": 1, JobExecutionStatus("TIMED_OUT\x7f"): 1},
        },
        "waiting_seconds": {"count": 3, "median": 60.0, "p90": 60.0, "max": 60.0},
        "running_seconds": {"count": 3, "median": 60.0, "p90": 60.0, "max": 60.0},
        "failed_last": [row],
    }


@pytest.mark.parametrize(("number", "names"), [(0, []), (1, ["thing-18"]), (3, None), (100, None)])
def test_failures_limits_the_things_that_failed_last(
    number: int, names: list[str] | None, local_endpoint: StartLocalEndpoint
) -> None:
    """The latest failures come first; there are four."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run("summary", JOB_ID, f"--failures={number}", "--format=json")
    failed = [execution["thing_name"] for execution in json.loads(outcome.out)["failed_last"]]
    assert failed == (
        ["thing-18", "thing-0", "thing-10", "thing-16"][:number] if names is None else names
    )


def test_a_pipe_gets_whole_names_without_colours(local_endpoint: StartLocalEndpoint) -> None:
    """A pipe has no width, and ``FORCE_COLOR`` is for other programs."""
    name = "pump-" + "x" * 120
    local_endpoint({JOB_ID: [make_execution(name, "FAILED")]})
    outcome = run("summary", JOB_ID, environment={"FORCE_COLOR": "1", "COLUMNS": "30"})
    assert f"\n{name}  FAILED" in outcome.out
    assert "\x1b" not in outcome.out


def test_errors_lose_no_page(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a retryable error, the page that failed is requested again."""
    Clock(monkeypatch)
    fleet = make_fleet(1000)
    local_endpoint({JOB_ID: fleet})
    expected = run("summary", JOB_ID).out
    faults = dict.fromkeys((2, 4, *range(6, 15)), ThrottlingError)
    endpoint = local_endpoint({JOB_ID: fleet}, faults=faults)
    outcome = run("summary", JOB_ID)
    assert (outcome.code, outcome.out) == (0, expected)
    assert len(endpoint.requests) == 4 + len(faults)
    assert [line.endswith("; will retry") for line in outcome.err.splitlines()] == [True] * 11


def test_a_quoted_cell_of_csv_is_read_back_whole(tmp_path: Path) -> None:
    """A cell that would be a formula has a quote in the file, which is no part of the value."""
    file = tmp_path / "rows.csv"
    execution = make_execution(job_id="-42", thing_arn="=1+1")
    file.write_text(RowFormatter("csv")([execution]))
    with file.open() as stream:
        (read,) = read_rows([stream])
    assert (read.job_id, read.thing_arn) == ("-42", "=1+1")


@pytest.mark.parametrize("output_format", ["ndjson", "csv"])
def test_rows_of_a_list_give_the_same_summary(
    output_format: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """``--input`` reads what ``list`` wrote, and makes no request."""
    fleet = [
        *make_fleet(300),
        make_execution("=1+1,\"'", "FAILED", queued_at=None, started_at=None, retry_attempt=None),
        make_execution("-1", PAUSED, execution_number=None, last_updated_at=None),
    ]
    endpoint = local_endpoint({JOB_ID: fleet})
    file = tmp_path / "rows"
    run("list", JOB_ID, f"--format={output_format}", f"--output={file}")
    expected = run("summary", JOB_ID, "--format=json", "--failures=100").out
    request_count = len(endpoint.requests)
    options = ["--input", str(file), "--format=json", "--failures=100"]
    assert run("summary", *options).out == expected
    assert len(endpoint.requests) == request_count


def test_the_title_of_rows_is_their_job(tmp_path: Path) -> None:
    """If the rows do not name it, the title is the name of the file."""
    # Windows refuses an escape character in the name of a file.
    control, escaped = ("\x7f", r"\x7f") if os.name == "nt" else ("\x1b", r"\x1b")
    for job_id, title in ((JOB_ID, JOB_ID), (None, f"{tmp_path}{os.sep}rows{escaped}")):
        file = tmp_path / f"rows{control}"
        file.write_text(RowFormatter("ndjson")([make_execution(job_id=job_id)]))
        outcome = run("summary", "--input", str(file))
        assert outcome.lines[0] == f"{title}: 1 execution on 1 thing"


@pytest.mark.parametrize("output_format", ["ndjson", "csv"])
def test_a_dash_reads_rows_from_standard_input(
    output_format: str, local_endpoint: StartLocalEndpoint
) -> None:
    """Blank lines, as ``grep --context`` may leave them, are ignored."""
    local_endpoint({JOB_ID: FLEET})
    rows = run("list", JOB_ID, PAGE, f"--format={output_format}").out
    outcome = run("summary", "--input", "-", stdin=rows.replace("\n", "\n\n \n"))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == run("summary", JOB_ID).out


def test_a_dash_that_is_repeated_reads_rows_once() -> None:
    """Two readers would each get a part of the rows."""
    rows = RowFormatter("ndjson")([attrs.evolve(e, job_id=JOB_ID) for e in make_fleet(300)])
    outcome = run("summary", "--input=-", "--input=-", stdin=rows)
    assert (outcome.code, outcome.lines[0]) == (0, f"{JOB_ID}: 300 executions on 300 things")


@pytest.mark.parametrize("output_format", ["ndjson", "csv"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_rows_may_have_a_byte_order_mark(
    encoding: str, output_format: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """PowerShell writes UTF-16, and some editors begin UTF-8 with a mark."""
    local_endpoint({JOB_ID: FLEET})
    rows = run("list", JOB_ID, f"--format={output_format}").out.replace("\n", "\r\n")
    file = tmp_path / "rows"
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    file.write_bytes(mark + rows.encode(encoding))
    outcome = run("summary", "--input", str(file))
    assert (outcome.code, outcome.out) == (0, run("summary", JOB_ID).out)


def test_a_closed_standard_input_is_a_wrong_argument() -> None:
    """A shell closes it with ``<&-``."""
    outcome = run("summary", "--input=-", stdin=None)
    assert outcome.code == 2
    assert "'--input': '-': standard input is closed" in outcome.err


def test_an_empty_input_says_so() -> None:
    """Standard error says that there are no executions."""
    outcome = run("summary", "--input", "-", stdin="\n")
    assert (outcome.code, outcome.err) == (0, "iotjobs: no executions in standard input\n")


ROW = '{"thing_arn": "arn:aws:iot:us-east-1:123456789012:thing/a", "status": "FAILED"}'


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ("thing_name  status\npump-7      FAILED\n", 1),
        (f"{ROW}\npump-7\n", 2),
        (f"{ROW}\n{ROW}\n[]\n", 3),
        (ROW.replace("FAILED", ""), 1),
        (ROW.replace('"FAILED"', '"FAILED", "queued_at": "today"'), 1),
        (ROW.replace('"FAILED"', '"FAILED", "queued_at": 7'), 1),
        (ROW.replace('"FAILED"', '"FAILED", "retry_attempt": "1"'), 1),
        ("thing_name,thing_arn,status,execution_number\na,arn:a,FAILED,one\n", 1),
        ("thing_name,thing_arn,status\na,arn:a,FAILED\nb,arn:b\n", 2),
        ("thing_name,thing_arn,status\na,arn:a,FAILED,\n", 1),
        (f"{ROW}\n{'[' * 200_000}", 2),
    ],
    ids=[
        *("table", "text", "list", "status", "time", "type", "number", "csv number", "few cells"),
        *("many cells", "nesting"),
    ],
)
def test_a_wrong_row_is_named(rows: str, number: int) -> None:
    """The message has the number of the row, the file and the rule; the exit code is 2."""
    outcome = run("summary", "--input", "-", stdin=rows)
    assert (outcome.code, outcome.out) == (2, "")
    rule = "must be as 'iotjobs list' writes it in the format ndjson or csv"
    assert f"row {number} of <stdin> {rule}: " in outcome.err


@pytest.mark.parametrize(("failed", "share"), [(1, "0.1%"), (2_999, "99.9%"), (3_000, "100.0%")])
def test_a_share_is_rounded_to_none_or_all_only_if_it_is(failed: int, share: str) -> None:
    """One failure among thousands is not 0.0% of them."""
    fleet = make_fleet(3_000, statuses=["SUCCEEDED"])
    fleet[:failed] = [attrs.evolve(execution, status="FAILED") for execution in fleet[:failed]]
    lines = run("summary", "--input=-", stdin=RowFormatter("ndjson")(fleet)).lines
    shown = [line.split()[-1 if "FAILED " in line else 2] for line in lines if "FAILED" in line]
    assert shown[:2] == [share] * 2


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    file = tmp_path / "rows"
    file.write_bytes(b"\x89PNG\r\n")
    outcome = run("summary", "--input", str(file))
    assert outcome.code == 2
    assert f"row 1 of {file} must be as" in outcome.err


def test_a_missing_input_is_a_wrong_argument(tmp_path: Path) -> None:
    """The message names the option and the file."""
    outcome = run("summary", "--input", str(tmp_path / "rows"))
    assert outcome.code == 2
    expected = f"'--input': {str(tmp_path / 'rows')!r}: No such file or directory"
    assert expected in outcome.err
