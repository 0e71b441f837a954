"""The README and the docs agree with the code."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from support import JOB_ID

import iotjobs_client.rollout
import iotjobs_client.testing.fixtures
from iotjobs_client import (
    AccessDeniedError,
    InvalidArgumentError,
    JobExecutionSummary,
    exceptions,
)
from iotjobs_client.cli._app import iotjobs
from iotjobs_client.testing import make_fleet, stubbed_client
from iotjobs_client.testing._serve import to_parser
from iotjobs_client.testing.fixtures import StartLocalEndpoint

# The private parser and command check the documented options without starting a process.
pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[2]


def text_of(name: str) -> str:
    """Return the text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


PROMISES = re.findall(r"`(test_\w+(?:::\w+)+)`", (ROOT / "docs" / "promises.md").read_text())


@pytest.mark.parametrize("promise", PROMISES)
def test_every_test_that_checks_a_promise_exists(promise: str) -> None:
    """The tests have the names that the page of promises lists."""
    file, *names = promise.split("::")
    (path,) = (ROOT / "tests").rglob(f"{file}.py")
    source = path.read_text(encoding="utf-8")
    for name in names:
        assert re.search(rf"^\s*((async )?def|class) {name}\b|^{name} = ", source, re.MULTILINE)


def test_the_page_of_promises_was_read() -> None:
    """The test above has something to check."""
    assert len(PROMISES) > 25


def test_the_tests_on_the_page_about_testing_pass(pytester: pytest.Pytester) -> None:
    """The examples of the page pass as the files that they name."""
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


def test_the_failures_on_the_page_about_testing_are_real() -> None:
    """A stubbed client raises them word for word."""
    page = (ROOT / "docs" / "testing.md").read_text()
    (block,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    messages: list[str] = []

    def fail(pages: list[list[JobExecutionSummary]], listings: int, status: str | None) -> None:
        with stubbed_client(JOB_ID, pages, status=status) as client:
            for _ in range(listings):
                next(client.list_job_executions_for_job(JOB_ID).pages())

    scripts: list[tuple[int, int, str | None]] = [(1, 1, "FAILED"), (1, 2, None), (2, 1, None)]
    for pages, listings, status in scripts:
        with pytest.raises(AssertionError) as caught:
            fail([[]] * pages, listings, status)
        messages.append(f"AssertionError: {caught.value}\n")
    assert "".join(messages) == block


def test_the_commands_on_the_page_about_testing_are_valid() -> None:
    """Their options exist."""
    page = (ROOT / "docs" / "testing.md").read_text()
    commands = re.findall(
        r"^python -m iotjobs_client.testing (.*?)(?: -- .*)?$", page, re.MULTILINE
    )
    options = [to_parser().parse_args(shlex.split(command)) for command in commands]
    assert options[0].fault == [(3, "disconnect")]
    assert [each.play for each in options[1:]] == [30, 30, 300]


API_PAGES = {
    "iotjobs_client": "docs/api.md",
    "iotjobs_client.rollout": "docs/api-rollout.md",
    "iotjobs_client.testing": "docs/api-testing.md",
    "iotjobs_client.testing.fixtures": "docs/api-testing.md",
}
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
    """It has a directive of its own, and a row in the table at the top of the page."""
    names = set(module.__all__)
    page = text_of(API_PAGES[module.__name__])
    assert names <= set(re.findall(r"(?m)^\.\. (?:auto\w+|py:data):: (\w+)", page))
    assert names <= set(re.findall(rf"`~{re.escape(module.__name__)}\.(\w+)`", page))


@pytest.mark.parametrize("page", ["docs/errors.md", "exceptions"])
def test_the_diagram_of_errors_matches_the_classes(page: str) -> None:
    """Each error is below its base class, and has its notes."""
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


def test_every_error_has_a_row() -> None:
    """The errors page says what to do about each, and to retry exactly the retryable ones."""
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \|.* \| (.*) \|$", text_of("docs/errors.md")))
    assert rows.keys() | {"IoTJobsError"} == ERRORS.keys()
    for name, advice in rows.items():
        assert ("retry later" in advice) == ERRORS[name].is_retryable, name


def test_step_functions_retry_the_retryable_errors() -> None:
    """The example names the retryable classes, and no others."""
    (machine,) = re.findall(r"(?ms)^```json\n(.*?)^```", text_of("docs/aws-lambda.md"))
    retried = set(json.loads(machine)["States"]["List"]["Retry"][0]["ErrorEquals"])
    retryable = {name for name, error in ERRORS.items() if error.is_retryable}
    assert {name for name in retried if "." not in name} == retryable


def test_the_policy_allows_the_operation_and_no_more() -> None:
    """The policy on the errors page has one action: the operation of this library."""
    (policy,) = re.findall(r"(?ms)^```json\n(.*?)^```", text_of("docs/errors.md"))
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Action"] == f"iot:{exceptions.ServiceError.operation}"


@pytest.mark.usefixtures("service")
def test_the_first_example_prints_the_output_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The README has it, and the index includes that part; ``...`` stands for anything."""
    pattern = r"(?ms)^```python\n((?:(?!^```).)*?)^```\n+prints\n\n```text\n(.*?)^```"
    ((code, output),) = re.findall(pattern, text_of("README.md"))
    exec(compile(code, "README.md", "exec"), {})
    printed = ".*".join(map(re.escape, output.split("...")))
    assert re.fullmatch(f"(?s){printed}", capsys.readouterr().out)


README_LINKS = set(re.findall(r'(?:\]\(|src(?:set)?=")([\w/.-]+)', text_of("README.md")))


@pytest.mark.parametrize("name", sorted(README_LINKS))
def test_every_link_in_the_readme_works(name: str) -> None:
    """A reader finds the page, folder or picture in the repository."""
    assert (ROOT / name).exists()


def test_the_readme_links_to_each_page() -> None:
    """Each guide is one click away; the pages on an API and its text files are not guides."""
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    indirect = {"index", "frameworks", "changelog", "security", "api-rollout", "api-testing"}
    assert pages - {f"docs/{name}.md" for name in indirect} <= README_LINKS


def test_the_picture_of_a_summary_is_true(local_endpoint: StartLocalEndpoint) -> None:
    """It shows what the command prints; ``nox -s pictures`` draws it again."""
    local_endpoint({JOB_ID: make_fleet(1000)})
    printed = CliRunner().invoke(iotjobs, ["summary", JOB_ID, "--failures", "3"]).stdout
    words = {word for word in printed.split() if "█" not in word}
    for name in ("light", "dark"):
        picture = text_of(f"docs/_static/summary-{name}.svg").replace("&#160;", " ")
        shown = set(re.sub(r"<[^>]*>", " ", picture).split())
        assert words <= shown


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_nox_session_in_the_text_exists(page: str) -> None:
    """The noxfile defines each session that the page names."""
    source = text_of("noxfile.py")
    found = re.findall(r"nox -s ([\w.-]+(?: [a-z_]+)*)", text_of(page))
    names = {name.partition("-3.")[0] for line in found for name in line.split()}
    assert len(names) > 1
    for name in names:
        assert f"\ndef {name}(session" in source


def test_contributing_lists_each_nox_session_once() -> None:
    """Its tables have the sessions of the noxfile."""
    sessions = re.findall(r"(?m)^def (\w+)\(session: nox", text_of("noxfile.py"))
    assert len(sessions) > 10
    assert sorted(re.findall(r"(?m)^\| `(\w+)`", text_of("CONTRIBUTING.md"))) == sorted(sessions)


def test_the_commands_in_the_readme_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their options exist, so the commands get as far as building a client."""
    reached: list[str] = []

    def client(**_: object) -> None:
        reached.append("client")
        raise InvalidArgumentError("enough")

    monkeypatch.setattr("iotjobs_client.cli._app.IoTJobsClient", client)
    # A plot imports NumPy, which cannot be imported again after a test that restores sys.modules.
    monkeypatch.setattr("iotjobs_client.cli._plot.prepare_plot", lambda _: None)
    commands = re.findall(r"(?m)^iotjobs (.*?)(?: &&.*)?$", text_of("README.md"))
    for command in commands:
        assert CliRunner().invoke(iotjobs, shlex.split(command)).exit_code == 2
    assert len(reached) == len(commands) == 3


def sessions(page: str) -> list[tuple[str, str]]:
    """Return each command that the page shows after ``$``, with the output below it.

    A command continues on the next line after a backslash.
    """
    blocks = re.findall(r"(?ms)^```console\n(\$ .*?)^```", text_of(page))
    return re.findall(r"(?ms)^\$ (.*?)(?<!\\)\n(.*?)(?=^\$ |\Z)", "".join(blocks))


def run_sessions(page: str) -> int:
    """Run the commands of the page in one bash, and compare what they print.

    ``...`` in the page stands for anything.

    Returns:
        The number of commands.
    """
    end = "end of the output"
    lines = [f"{command}; code=$?; echo '{end}'; (exit $code)" for command, _ in sessions(page)]
    script = "\n".join(["exec 2>&1", *lines])
    shell = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, text=True, check=False, timeout=120
    )
    outputs = shell.stdout.split(f"{end}\n")[:-1]
    for output, (command, expected) in zip(outputs, sessions(page), strict=True):
        pattern = ".*".join(map(re.escape, expected.split("...")))
        assert re.fullmatch(f"(?s){pattern}", output), f"{command}\n{output}"
    return len(outputs)


@pytest.fixture
def bash_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Change to an empty folder, where ``python`` and ``iotjobs`` are those of the tests."""
    if shutil.which("bash") is None or sys.platform == "win32":
        pytest.skip("needs bash")
    monkeypatch.chdir(tmp_path)
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    return tmp_path


@pytest.mark.usefixtures("bash_folder")
def test_the_shell_does_what_its_page_shows(local_endpoint: StartLocalEndpoint) -> None:
    """Each command prints what the page on the command line shows."""
    # The page shows an error at its fifth request, which is the one for a second page.
    local_endpoint({JOB_ID: make_fleet(1000)}, faults={5: AccessDeniedError})
    assert run_sessions("docs/automation.md") == 10


AWS_STAND_IN = """#!/usr/bin/env bash
echo "$*" >> aws.log
case "$2" in
    list-jobs) printf 'firmware-42\trepair-1\n';;
    describe-job-execution) echo '{"reason": "disk full"}';;
esac
"""


def test_the_recipes_for_operators_do_what_their_page_shows(
    local_endpoint: StartLocalEndpoint, bash_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands print what the page shows, and call the AWS CLI with the right arguments."""
    local_endpoint({JOB_ID: make_fleet(1000), "repair-1": make_fleet(300)})
    (bash_folder / "aws").write_text(AWS_STAND_IN)
    (bash_folder / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bash_folder}{os.pathsep}{os.environ['PATH']}")
    assert run_sessions("docs/operations.md") == 10
    calls = (bash_folder / "aws.log").read_text().splitlines()
    added = [call for call in calls if "add-thing-to-thing-group" in call]
    jobs = [call.split("--targets ")[1].split() for call in calls if "create-job" in call]
    failed = [e for e in make_fleet(1000) if e.status in ("FAILED", "TIMED_OUT")]
    assert [call.rpartition(" ")[2] for call in added] == [e.thing_name for e in failed]
    assert [len(targets) for targets in jobs] == [100, 12]
    assert [arn for targets in jobs for arn in targets] == [e.thing_arn for e in failed]


def test_the_steps_of_a_workflow_write_the_summary(
    local_endpoint: StartLocalEndpoint, bash_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps on the page for operators wait, keep the rows, and show the summary."""
    local_endpoint({JOB_ID: make_fleet(300, statuses=["SUCCEEDED", "FAILED"])})
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(bash_folder / "summary.md"))
    page = text_of("docs/operations.md")
    (first,) = re.findall(r"(?m)^- run: (.*)$", page)
    (second,) = re.findall(r"(?ms)^  run: \|\n(.*?)^- if", page)
    assert subprocess.run(["bash", "-ec", first], check=False, capture_output=True).returncode == 3
    subprocess.run(["bash", "-ec", second], check=True)
    assert (bash_folder / "summary.md").read_text().startswith("```\nfirmware-42: 300 executions")
    assert len((bash_folder / "rows.csv").read_text().splitlines()) == 301


def test_the_report_of_the_tutorial_survives_a_fault_and_resumes(bash_folder: Path) -> None:
    """The commands at the end of the tutorial write a CSV file of all that failed, and keep it."""
    (code,) = re.findall(r"(?ms)^```python\n(# report\.py\n.*?)^```", text_of("docs/tutorial.md"))
    (bash_folder / "report.py").write_text(code)
    assert run_sessions("docs/tutorial.md") == 5
    things = [
        e.thing_name for e in make_fleet(1000) if e.status in ("FAILED", "TIMED_OUT", "REJECTED")
    ]
    with (bash_folder / "report.csv").open(newline="") as file:
        assert sorted(row["thing_name"] for row in csv.DictReader(file)) == sorted(things)
    assert sorted(path.name for path in bash_folder.iterdir()) == ["report.csv", "report.py"]
