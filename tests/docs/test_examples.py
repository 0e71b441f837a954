"""The example scripts, run as from a shell."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from support import JOB_ID

from iotjobs_client.testing import make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint

pytestmark = pytest.mark.one_python

EXAMPLES = Path(__file__).parents[2] / "examples"
FLEET = make_fleet(600)


def run(name: str, *arguments: object) -> object:
    """Run an example, and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as error:
            return error.code
    return None


def test_the_application_prints_what_did_not_succeed(
    local_endpoint: StartLocalEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    """It groups things by status, and prints an error of the service as one line."""
    local_endpoint({JOB_ID: FLEET})
    assert run("application.py", JOB_ID) is None
    failed = [e.thing_name for e in FLEET if e.status == "FAILED"]
    expected = f"FAILED on {len(failed)} things: {', '.join(failed[:10])}"
    assert capsys.readouterr().out.splitlines()[0] == expected
    assert "no-such-job" in str(run("application.py", "no-such-job"))


def test_the_report_is_continued_until_it_is_complete(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run continues after an error and a half-written page; a complete report stays as it is."""
    report = tmp_path / "report.csv"
    missing = dict.fromkeys((1, 3, 5), "garbage")
    endpoint = local_endpoint({JOB_ID: FLEET}, faults=missing)  # type: ignore[arg-type]
    codes: list[object] = []
    while codes[-1:] != [0]:
        codes.append(run("automation.py", JOB_ID, report))
        with report.open("a") as file:
            file.write("thing-9,half a")
    assert codes == [75, 75, 75, 0]
    assert capsys.readouterr().err.count("\n") == 3
    size = len(endpoint.requests)
    text = report.read_text().removesuffix("thing-9,half a")
    assert [row.split(",")[1] for row in text.splitlines()] == [e.thing_name for e in FLEET]
    assert run("automation.py", JOB_ID, report) == 0
    assert len(endpoint.requests) == size == 6


def test_a_report_of_another_job_is_refused(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is a report that was deleted or that it did not begin; nothing is written."""
    report = tmp_path / "report.csv"
    endpoint = local_endpoint({JOB_ID: FLEET, "firmware-43": FLEET})
    assert run("automation.py", JOB_ID, report) == 0
    text = report.read_text()
    assert run("automation.py", "firmware-43", report) == 1
    assert report.read_text() == text
    report.unlink()
    assert run("automation.py", JOB_ID, report) == 1
    assert not report.exists()
    report.write_text("by another program")
    (tmp_path / "report.csv.place").unlink()
    assert run("automation.py", JOB_ID, report) == 1
    assert report.read_text() == "by another program"
    assert run("automation.py", JOB_ID, tmp_path) == 1
    assert len(endpoint.requests) == 3
    assert capsys.readouterr().err.count("does not belong to this report") == 2


@pytest.mark.parametrize("name", ["report.place", "report.new", "report"])
def test_a_report_and_its_position_never_share_a_file(
    name: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """This holds for any name of a report, and for two reports whose names begin alike."""
    local_endpoint({JOB_ID: FLEET})
    for report in (tmp_path / name, tmp_path / "report.csv"):
        assert run("automation.py", JOB_ID, report) == 0
        assert len(report.read_text().splitlines()) == len(FLEET)


def test_a_permanent_error_requests_no_other_run(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The exit code is 1, so a scheduler stops."""
    local_endpoint({})
    assert run("automation.py", "no-such-job", tmp_path / "report.csv") == 1
    assert run("automation.py") == run("application.py") == 2


def test_a_report_that_stopped_before_its_first_row_is_continued(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The file with the position may exist before the report does."""
    local_endpoint({JOB_ID: FLEET})
    report = tmp_path / "report.csv"
    (tmp_path / "report.csv.place").write_text(f'["{JOB_ID}", 0, null, false]')
    assert run("automation.py", JOB_ID, report) == 0
    assert len(report.read_text().splitlines()) == len(FLEET)


def test_the_demo_shows_what_boto3_and_this_library_find(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The README has the demo's figures of frequent mistakes and of a fault."""
    run("demo.py")
    mistakes, _, boto3_alone, with_library, rollout, things = capsys.readouterr().out.split("\n\n")
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| .* \| \*\*(.*)\*\* \| (.*) \| `", text)
    reported = [figure for figure, _ in rows]
    assert reported == ["250", "39.0%", "0", "500 of 1,000, no error", "a `TypeError`"]
    assert [true for _, true in rows] == ["1,000", "60.9%", "70", "1,000", "JSON"]
    assert "page only: 250 of 1,000 executions" in mistakes
    assert "page of each status: 39.0% succeeded" in mistakes
    assert '["status"]: 0 FAILED' in mistakes
    assert "json.dumps(page): TypeError" in mistakes
    assert "; 60.9% of the things succeeded" in rollout
    assert boto3_alone == "raw boto3:\n  500 of 1,000 executions, and no error: 500 are missing"
    title, error, _, result = with_library.splitlines()
    assert title == "this library, over boto3:"
    assert error.startswith("  after 500 executions: TransportError: job 'firmware-42': ")
    assert result == "  1,000 of 1,000 executions, each exactly once"
    assert "  FAILED        70" in rollout
    assert "  thing-0     FAILED      2026-01-01 00:18:04.192000+00:00" in things
