"""The documentation says what is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support import JOB_ID
from typer.testing import CliRunner

from iotjobs_client import JobExecutionSummary, ServiceUnavailableError
from iotjobs_client.cli._app import app
from iotjobs_client.testing import make_fleet, stubbed_client
from iotjobs_client.testing._serve import to_parser
from iotjobs_client.testing.fixtures import StartLocalEndpoint

ROOT = Path(__file__).parent.parent
PROMISES = re.findall(r"`(test_\w+(?:::\w+)+)`", (ROOT / "docs" / "promises.md").read_text())


@pytest.mark.parametrize("promise", PROMISES)
def test_every_test_that_keeps_a_promise_is_there(promise: str) -> None:
    """Under the name by which the page of promises calls it."""
    file, *names = promise.split("::")
    source = (ROOT / "tests" / f"{file}.py").read_text()
    for name in names:
        assert re.search(rf"^\s*(def|class) {name}\b|^{name} = ", source, re.MULTILINE)


def test_the_page_of_promises_was_read() -> None:
    """So that the test above has something to check."""
    assert len(PROMISES) > 25


def test_the_tests_on_the_page_about_testing_pass(pytester: pytest.Pytester) -> None:
    """Run by pytest, as the files that they are said to be."""
    page = (ROOT / "docs" / "testing.md").read_text()
    files: dict[str, str] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        name = re.match(r"# (\w+)\.py\n", block)[1]  # type: ignore[index]
        files[name] = files.get(name, "") + block
    assert files.keys() == {"conftest", "reports", "test_reports"}
    pytester.makepyfile(**files)
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=len(re.findall(r"^def test_", page, re.MULTILINE)))


def test_the_failures_on_that_page_are_what_a_test_is_told() -> None:
    """Word for word."""
    page = (ROOT / "docs" / "testing.md").read_text()
    (block,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    told: list[str] = []

    def fail(pages: list[list[JobExecutionSummary]], listings: int, status: str | None) -> None:
        with stubbed_client(JOB_ID, pages, status=status) as client:
            for _ in range(listings):
                next(client.list_job_executions_for_job(JOB_ID).pages())

    scripts: list[tuple[int, int, str | None]] = [(1, 1, "FAILED"), (1, 2, None), (2, 1, None)]
    for pages, listings, status in scripts:
        with pytest.raises(AssertionError) as caught:
            fail([[]] * pages, listings, status)
        told.append(f"AssertionError: {caught.value}\n")
    assert "".join(told) == block


def test_the_command_on_that_page_is_one() -> None:
    """With options that there are."""
    page = (ROOT / "docs" / "testing.md").read_text()
    (command,) = re.findall(r"^python -m iotjobs_client.testing (.*)$", page, re.MULTILINE)
    options = to_parser().parse_args(shlex.split(command))
    assert options.fault == [(3, "disconnect")]


PAGE_OF_SHELL = ROOT / "docs" / "automation.md"


def sessions() -> list[tuple[str, str]]:
    """Each command that the page on the shell shows, and what comes out."""
    blocks = re.findall(r"(?ms)^```console\n(\$ .*?)^```", PAGE_OF_SHELL.read_text())
    return re.findall(r"(?ms)^\$ (.*?)\n(.*?)(?=^\$ |\Z)", "".join(blocks))


def test_the_shell_does_what_its_page_shows(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command gives what stands below it, where ``...`` is anything."""
    monkeypatch.chdir(tmp_path)
    # The page tells of a fault at its fourth request, which is that for a second page.
    local_endpoint({JOB_ID: make_fleet(1000)}, faults={4: ServiceUnavailableError})
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code = 0
    for command, expected in sessions():
        program, *arguments = shlex.split(command)
        if program == "echo":
            assert expected == f"{code}\n"
            continue
        ended = CliRunner().invoke(app, arguments, prog_name=program)
        code = ended.exit_code
        found = re.sub(r" +$", "", ended.stdout + ended.stderr, flags=re.MULTILINE)
        pattern = ".*".join(map(re.escape, expected.split("...")))
        assert re.fullmatch(f"(?s){pattern}", found), f"{command}\n{found}"
    assert len(sessions()) == 7
