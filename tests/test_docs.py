"""The documentation says what is true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from support import JOB_ID
from typer.testing import CliRunner

import iotjobs_client.rollout
import iotjobs_client.testing.fixtures
from iotjobs_client import (
    InvalidArgumentError,
    JobExecutionSummary,
    ServiceUnavailableError,
    exceptions,
)
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


def text_of(name: str) -> str:
    """A page, by its name."""
    return (ROOT / name).read_text(encoding="utf-8")


ERRORS = {name: getattr(iotjobs_client, name) for name in iotjobs_client.__all__ if "Error" in name}


@pytest.mark.parametrize(
    "module",
    [
        iotjobs_client,
        iotjobs_client.rollout,
        iotjobs_client.testing,
        iotjobs_client.testing.fixtures,
    ],
    ids=lambda module: module.__name__,
)
def test_every_public_name_is_in_the_api_reference(module: ModuleType) -> None:
    """In a directive of its own."""
    names = getattr(module, "__all__", ["local_endpoint", "stubbed_client", "MakeStubbedClient"])
    listed = re.findall(r"(?m)^\.\. (?:auto\w+|py:data):: (\w+)", text_of("docs/api.md"))
    assert set(names) <= set(listed)


@pytest.mark.parametrize("page", ["docs/errors.md", "exceptions"])
def test_the_hierarchy_of_errors_is_drawn_as_it_is(page: str) -> None:
    """Each below its base, and with what it is besides."""
    drawn = exceptions.__doc__ or "" if page == "exceptions" else text_of(page)
    parents: list[str] = []
    margin = 0
    seen: set[str] = set()
    for before, name, notes in re.findall(r"(?m)^([ │├└─]*)(\w+Error)\b(.*)$", drawn):
        if name not in ERRORS or name in seen:
            continue
        margin = margin if seen else len(before)
        seen.add(name)
        error = ERRORS[name]
        del parents[(len(before) - margin) // 4 :]
        assert parents[-1:] in ([], [error.__bases__[0].__name__])
        parents.append(name)
        for builtin in (ValueError, TimeoutError):
            assert (f"also {builtin.__name__}" in notes) == (builtin in error.__bases__)
        if page != "exceptions":
            assert ("retryable" in notes) == error.is_retryable
    assert seen == ERRORS.keys()


@pytest.mark.parametrize("page", ["README.md", "docs/errors.md"])
def test_every_error_has_a_row(page: str) -> None:
    """That says what to do, and to retry what can be retried."""
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \|.* \| (.*) \|$", text_of(page)))
    assert rows.keys() | {"IoTJobsError"} == ERRORS.keys()
    for name, advice in rows.items():
        waits = "retry later" in advice or "slow down" in advice
        assert waits == ERRORS[name].is_retryable, name


def test_step_functions_retry_what_can_be_retried() -> None:
    """By the names of the classes."""
    (machine,) = re.findall(r"(?ms)^```json\n(.*?)^```", text_of("docs/frameworks.md"))
    retried = set(json.loads(machine)["States"]["List"]["Retry"][0]["ErrorEquals"])
    retryable = {name for name, error in ERRORS.items() if error.is_retryable}
    assert {name for name in retried if "." not in name} == retryable


def test_the_policies_allow_the_operation_and_no_more() -> None:
    """The same in the README and among the errors."""
    first, second = (
        json.loads(policy)
        for page in ("README.md", "docs/errors.md")
        for policy in re.findall(r"(?ms)^```json\n(.*?)^```", text_of(page))
    )
    assert first == second
    assert first["Statement"][0]["Action"] == f"iot:{exceptions.OPERATION}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_session_that_is_named_is_there(page: str) -> None:
    """With the Python that it is named for."""
    source = text_of("noxfile.py")
    found = re.findall(r"nox -s ([\w.-]+(?: [a-z_]+)*)", text_of(page))
    names = {name.partition("-3.")[0] for line in found for name in line.split()}
    assert len(names) > 1
    for name in names:
        assert f"\ndef {name}(session" in source


def test_the_commands_in_the_readme_are_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """With options that there are: they come as far as to the client."""
    reached: list[str] = []

    def client(*_: object) -> None:
        reached.append("client")
        raise InvalidArgumentError("enough")

    monkeypatch.setattr("iotjobs_client.cli._app._client", client)
    commands = re.findall(r"(?m)^iotjobs (.*?)(?: &&.*)?$", text_of("README.md"))
    for command in commands:
        assert CliRunner().invoke(app, shlex.split(command)).exit_code == 2
    assert len(reached) == len(commands) == 3


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
