"""``iotjobs list`` after an error: the rows that are kept, and the command that resumes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import boto3
import pytest
from commands import FLEET, PAGE, run, thing_names, to_names, use_credential_process
from support import JOB_ID, posix_only

from iotjobs_client import AccessDeniedError, InvalidRequestError, ResourceNotFoundError
from iotjobs_client.cli._shell import join_for_cmd
from iotjobs_client.testing import Fault, make_execution
from iotjobs_client.testing.fixtures import StartLocalEndpoint


@pytest.mark.parametrize("output_format", ["csv", "ndjson"])
def test_the_printed_command_resumes_exactly(
    output_format: str, local_endpoint: StartLocalEndpoint
) -> None:
    """The rows of all runs together are those of an undisturbed run, whatever the options."""
    options = ["--status=FAILED,SUCCEEDED", "--since=2026-01-01T02:00+02:00"]
    options += ["--until=2026-01-01T00:18:00.000Z", f"--format={output_format}", "--max-items=9"]
    options += ["--page-size=2", "--prefetch", "--region=eu-west-1", "--profile=it's", "--debug"]
    local_endpoint({JOB_ID: FLEET})
    undisturbed = run("list", JOB_ID, *options)
    faults = dict.fromkeys((2, 4), AccessDeniedError)
    endpoint = local_endpoint({JOB_ID: FLEET}, faults=faults)
    more = ["--requests-per-second=1000.0", f"--endpoint-url={endpoint.url}"]
    first = run("list", JOB_ID, *options, *more)
    second = first.resume()
    third = second.resume()
    assert (first.code, second.code, third.code) == (1, 1, 0)
    assert all([first.out, second.out, third.out])
    assert first.out + second.out + third.out == undisturbed.out
    options[options.index("--max-items=9")] = "--max-items=7"
    options[options.index("--since=2026-01-01T02:00+02:00")] = "--since=2026-01-01T00:00:00.000Z"
    assert set(options + more) < set(first.printed_arguments())


def test_an_error_is_one_line_and_a_command(local_endpoint: StartLocalEndpoint) -> None:
    """Before the first page, the command is the original one."""
    local_endpoint({JOB_ID: FLEET}, faults={1: AccessDeniedError})
    outcome = run("list", JOB_ID)
    assert (outcome.code, outcome.out) == (1, "")
    error, command = outcome.err.splitlines()
    prefix = f"iotjobs: job '{JOB_ID}': ListJobExecutionsForJob failed with AccessDenied"
    assert error.startswith(prefix)
    assert command == f"To resume: iotjobs list --format=ndjson {JOB_ID}"
    assert outcome.resume().names == thing_names(FLEET)


def test_an_error_says_where_the_rows_are(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed command has the whole path of the file, so it works in another folder."""
    monkeypatch.chdir(tmp_path)
    local_endpoint({JOB_ID: FLEET}, faults={2: AccessDeniedError})
    outcome = run("list", JOB_ID, PAGE, "--output=rows")
    (kept,) = tmp_path.iterdir()
    _, where, command = outcome.err.splitlines()
    assert where == f"The rows so far are in {kept}"
    assert re.fullmatch(r"rows\.[0-9a-f]{16}\.part", kept.name)
    assert f".{kept.suffixes[0][1:]} {JOB_ID}" in command
    assert to_names(kept.read_text()) == thing_names(FLEET[:5])
    assert command.startswith("To resume: iotjobs list --format=ndjson ")
    assert f"--output={tmp_path / 'rows'}" in outcome.printed_arguments()
    monkeypatch.chdir("/")
    assert outcome.resume().code == 0
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


def test_a_job_like_an_option_is_resumed(local_endpoint: StartLocalEndpoint) -> None:
    """Two dashes precede a job ID that begins with a dash."""
    local_endpoint({"-x": FLEET}, faults={2: AccessDeniedError})
    first = run("list", PAGE, "--", "-x")
    assert first.names + first.resume().names == thing_names(FLEET)


@pytest.mark.parametrize(
    "name",
    [
        "it's $HOME",
        pytest.param("a\tb\nc", marks=posix_only("Windows refuses such a name")),
        "é漢 '&;^!" if os.name == "nt" else "é漢 '\"\\",
    ],
)
def test_a_shell_reads_the_name_of_the_file(
    name: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The printed command is quoted for a shell, on one printable line."""
    local_endpoint({JOB_ID: FLEET}, faults={2: AccessDeniedError})
    outcome = run("list", JOB_ID, PAGE, f"--output={tmp_path / name}")
    assert all(line.isprintable() for line in outcome.err.split("\n"))
    if name.isprintable():
        assert outcome.resume().code == 0
        assert to_names((tmp_path / name).read_text()) == thing_names(FLEET)


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        (r"--output=C:\Users\me\rows.ndjson", r"--output=C:\Users\me\rows.ndjson"),
        (r"--output=C:\My rows\a&b.ndjson", r'"--output=C:\My rows\a&b.ndjson"'),
        ("--status=FAILED,TIMED_OUT", '"--status=FAILED,TIMED_OUT"'),
        ("--profile=it's", '"--profile=it\'s"'),
        ('--profile="x"', '"--profile=""x"""'),
        ("", '""'),
    ],
)
def test_cmd_reads_double_quotes(word: str, quoted: str) -> None:
    """On Windows, the printed command has no single quotes, which ``cmd.exe`` does not know."""
    assert join_for_cmd(["iotjobs", word]) == f"iotjobs {quoted}"


@pytest.mark.parametrize("error", [ResourceNotFoundError, InvalidRequestError])
def test_a_listing_that_must_start_over_says_so(
    error: Fault, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """If the job or the token is gone, it names the file to delete, and no command."""
    file = tmp_path / "rows"
    local_endpoint({JOB_ID: FLEET}, faults={2: AccessDeniedError, 3: error})
    options = ["list", JOB_ID, PAGE, f"--output={file}"]
    first = run(*options)
    (kept,) = tmp_path.iterdir()
    second = first.resume()
    assert second.code == 1
    assert second.err.splitlines()[1:] == [
        "The listing must start over: the service does not accept its position any more.",
        f"The rows so far are in {kept}, which can be deleted.",
    ]
    assert run(*options).code == 0
    assert list(tmp_path.iterdir()) == [file]


def test_a_refused_token_after_some_pages_is_reported(local_endpoint: StartLocalEndpoint) -> None:
    """The message names no file if the rows went to standard output."""
    local_endpoint({JOB_ID: FLEET}, faults={3: InvalidRequestError})
    outcome = run("list", JOB_ID, PAGE)
    assert outcome.names == thing_names(FLEET[:10])
    assert len(outcome.err.splitlines()) == 2
    assert "The listing must start over" in outcome.err


def test_an_invalid_request_at_the_start_has_no_hint(local_endpoint: StartLocalEndpoint) -> None:
    """Neither resuming nor starting over would help."""
    local_endpoint({JOB_ID: FLEET}, faults={1: InvalidRequestError})
    assert len(run("list", JOB_ID).err.splitlines()) == 1


def test_missing_credentials_have_no_hint(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first page, the same command would fail again."""
    local_endpoint({JOB_ID: FLEET})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    outcome = run("list", JOB_ID, boto3_session=boto3.Session())
    assert (outcome.code, len(outcome.err.splitlines())) == (1, 1)
    assert "credentials" in outcome.err


def test_a_complete_run_deletes_kept_rows(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The original command replaces the file, and leaves no ``.part`` file of earlier runs."""
    file = tmp_path / "rows [1]"
    other = tmp_path / f"{file.name}.not-a-digest.part"
    other.touch()
    faults = dict.fromkeys((2, 5), AccessDeniedError)
    local_endpoint({JOB_ID: FLEET}, faults=faults)
    options = ["list", JOB_ID, PAGE, f"--output={file}"]
    run(*options)
    run(*options)  # It fails at another page, and keeps rows under another name.
    assert len(list(tmp_path.iterdir())) == 3
    assert run(*options).code == 0
    assert sorted(tmp_path.iterdir()) == sorted([file, other])
    assert to_names(file.read_text()) == thing_names(FLEET)


@pytest.mark.parametrize(
    "later",
    ["the same", "replaced", "another job", "--since=2020-01-01", "--until=2030-01-01", "-q"],
)
def test_a_command_is_refused_when_its_rows_are_gone(
    later: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """It would append to rows that it does not follow: of a later run, or of other options.

    A period is another one even if it selects the same rows so far.
    """
    file = tmp_path / "rows"
    endpoint = local_endpoint({JOB_ID: FLEET, "other": FLEET[5:]}, faults={2: AccessDeniedError})
    options = [PAGE, f"--output={file}"]
    first = run("list", JOB_ID, *options)
    command = first.printed_arguments()
    if later == "the same":
        run(*command)
    elif later == "replaced":
        run("list", JOB_ID, *options)
    elif later == "another job":
        run("list", "other", *options, "--max-items=5")
    else:
        command.append(later)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    request_count = len(endpoint.requests)
    outcome = run(*command)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"rows, but they are neither in {file} nor in a .part file:" in outcome.err
    assert "without --resume-token, the listing starts over" in outcome.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(endpoint.requests) == request_count


def test_a_portion_is_appended_once(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """The command for more executions is refused when they are in the file."""
    file = tmp_path / "rows"
    local_endpoint({JOB_ID: FLEET})
    command = run("list", JOB_ID, f"--output={file}", "--max-items=8").printed_arguments(
        "There may be more"
    )
    assert [run(*command).code for _ in range(2)] == [0, 2]
    assert to_names(file.read_text()) == thing_names(FLEET[:16])


def test_a_portion_that_fails_is_completed(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The printed command lists as many executions as are left of ``--max-items``."""
    file = tmp_path / "rows"
    local_endpoint({JOB_ID: FLEET}, faults={3: AccessDeniedError})
    first = run("list", JOB_ID, PAGE, f"--output={file}", "--max-items=12")
    assert "--max-items=2" in first.printed_arguments()
    second = first.resume()
    assert "There may be more" in second.err
    assert to_names(file.read_text()) == thing_names(FLEET[:12])


def test_runs_with_one_token_do_not_mix(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """Runs that select different rows may stop at the same page."""
    file = tmp_path / "rows"
    local_endpoint({JOB_ID: FLEET}, faults={4: AccessDeniedError, 8: AccessDeniedError})
    options = ["list", JOB_ID, PAGE, f"--output={file}"]
    outcomes = [run(*options, *more) for more in ([], ["--since=2026-01-01T00:16"])]
    tokens = [re.findall(r"--resume-token=(\S+)\.", outcome.err) for outcome in outcomes]
    assert tokens[0] == tokens[1]
    assert [outcome.resume().code for outcome in outcomes[::-1]] == [0, 2]
    selected = run(*options[:-1], "--since=2026-01-01T00:16").out
    assert file.read_text() == selected


@pytest.mark.parametrize("output", ["-", "rows"])
def test_a_resumed_listing_whose_rest_is_gone_ends(
    output: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the service has no more executions, the rows are complete."""
    monkeypatch.chdir(tmp_path)
    local_endpoint({JOB_ID: FLEET[:10]})
    first = run("list", JOB_ID, PAGE, "--max-items=8", f"--output={output}")
    local_endpoint({JOB_ID: FLEET[:8]})
    rest = run(*first.printed_arguments("There may be more"))
    assert (rest.code, rest.out, rest.err) == (0, "", "")
    rows = first.out if output == "-" else Path("rows").read_text()
    assert to_names(rows) == thing_names(FLEET[:8])


@pytest.mark.parametrize("option", ["--output=-", "--output=rows"], ids=["standard output", "file"])
def test_credentials_that_expire_can_be_renewed(
    option: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error of the credential process after two pages prints the command that resumes."""
    local_endpoint({JOB_ID: FLEET})
    use_credential_process(monkeypatch, tmp_path, failing_call=3, message="expired")
    monkeypatch.chdir(tmp_path)
    first = run("list", JOB_ID, PAGE, option, boto3_session=boto3.Session())
    assert first.code == 1
    error, *_, command = first.err.splitlines()
    assert "expired" in error
    assert "--resume-token=" in command
    rest = first.resume()
    rows = (tmp_path / "rows").read_text() if "rows" in option else first.out + rest.out
    assert to_names(rows) == thing_names(FLEET)


def test_headings_are_written_once(local_endpoint: StartLocalEndpoint) -> None:
    """A resumed run writes none, even if all earlier pages were empty."""
    fleet = [make_execution("a")]
    local_endpoint({JOB_ID: fleet}, faults={1: "empty", 2: AccessDeniedError})
    first = run("list", JOB_ID, "--format=csv")
    second = first.resume()
    head, *rows = (first.out + second.out).splitlines()
    assert head.startswith("job_id,")
    assert [row.split(",")[1] for row in rows] == ["a"]
