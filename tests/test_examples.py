"""The example scripts do what they say, as they are run from a shell."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from support import JOB_ID

from iotjobs_client.testing import make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint

EXAMPLES = Path(__file__).parent.parent / "examples"
FLEET = make_fleet(600)


def run(name: str, *arguments: object) -> object:
    """The exit code of an example."""
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
    """By how it ended; and an error of the service as one line."""
    local_endpoint({JOB_ID: FLEET})
    assert run("application.py", JOB_ID) is None
    failed = [e.thing_name for e in FLEET if e.status == "FAILED"]
    expected = f"FAILED on {len(failed)} things: {', '.join(failed[:10])}"
    assert capsys.readouterr().out.splitlines()[0] == expected
    assert "no-such-job" in str(run("application.py", "no-such-job"))


def test_the_report_is_carried_on_until_it_is_whole(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an error, after a page that was half written, and not once it is done."""
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
    assert [row.split(",")[0] for row in text.splitlines()] == [e.thing_name for e in FLEET]
    assert run("automation.py", JOB_ID, report) == 0
    assert len(endpoint.requests) == size == 6


def test_a_report_of_something_else_is_not_taken_for_its_own(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is one that is not there any longer: both are told, and nothing is written."""
    report = tmp_path / "report.csv"
    endpoint = local_endpoint({JOB_ID: FLEET, "firmware-43": FLEET})
    assert run("automation.py", JOB_ID, report) == 0
    text = report.read_text()
    assert run("automation.py", "firmware-43", report) == 1
    assert report.read_text() == text
    report.unlink()
    assert run("automation.py", JOB_ID, report) == 1
    assert not report.exists()
    report.write_text("of somebody else")
    (tmp_path / "report.csv.place").unlink()
    assert run("automation.py", JOB_ID, report) == 1
    assert report.read_text() == "of somebody else"
    assert run("automation.py", JOB_ID, tmp_path) == 1
    assert len(endpoint.requests) == 3
    assert capsys.readouterr().err.count("does not belong to this report") == 2


@pytest.mark.parametrize("name", ["report.place", "report.new", "report"])
def test_whatever_its_name_a_report_is_not_taken_for_its_place(
    name: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Nor is the report of another file that begins alike."""
    local_endpoint({JOB_ID: FLEET})
    for report in (tmp_path / name, tmp_path / "report.csv"):
        assert run("automation.py", JOB_ID, report) == 0
        assert len(report.read_text().splitlines()) == len(FLEET)


def test_a_report_that_another_run_would_not_help_fails(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """So that a scheduler does not go on for ever."""
    local_endpoint({})
    assert run("automation.py", "no-such-job", tmp_path / "report.csv") == 1
    assert run("automation.py") == run("application.py") == 2


def test_a_report_that_was_stopped_before_its_first_row_is_carried_on(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Its place may be there before it is."""
    local_endpoint({JOB_ID: FLEET})
    report = tmp_path / "report.csv"
    (tmp_path / "report.csv.place").write_text(f'["{JOB_ID}", 0, null, false]')
    assert run("automation.py", JOB_ID, report) == 0
    assert len(report.read_text().splitlines()) == len(FLEET)
