"""The options of the commands, and the messages for wrong ones."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from commands import FLEET, PAGE, Terminal, requested_statuses, run, thing_names, to_names
from support import JOB_ID, wait_until

from iotjobs_client import (
    AccessDeniedError,
    InvalidArgumentError,
    IoTJobsClient,
    __version__,
)
from iotjobs_client.testing import Fault, RawResponse, make_execution
from iotjobs_client.testing.fixtures import StartLocalEndpoint

RETRIED = [
    make_execution("a", "FAILED", execution_number=1),
    make_execution("b", "SUCCEEDED", execution_number=1),
    make_execution("a", "SUCCEEDED", execution_number=2),
    make_execution("b", "FAILED", execution_number=2),
    make_execution("c", "FAILED", execution_number=1),
    make_execution("d", "QUEUED", execution_number=1),
]
TIME_RULE = "must be a date with dashes, such as 2026-01-31 or 2026-01-31T12:00Z, or a number with"
NO_FILE = "Invalid argument" if os.name == "nt" else "No such file"  # The name is not allowed.
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
HOURLY = [
    make_execution(f"hour-{hour}", last_updated_at=START + timedelta(hours=hour))
    for hour in range(4)
]


@pytest.mark.parametrize(
    "options",
    [
        ["--status=failed,Queued"],
        ["-s", "FAILED", "-s", "queued"],
        ["--status= failed , queued ", "--status=FAILED"],
    ],
    ids=["separated by a comma", "repeated", "with spaces and twice"],
)
def test_statuses_have_any_case(options: list[str], local_endpoint: StartLocalEndpoint) -> None:
    """Statuses may be separated by commas or repeated; each one is listed once."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    outcome = run("list", JOB_ID, *options)
    assert requested_statuses(endpoint) == ["QUEUED", "FAILED"]
    selected = [e for e in FLEET if e.status in ("FAILED", "QUEUED")]
    assert sorted(outcome.names) == sorted(thing_names(selected))


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        (["--since=2026-01-01T02:00:00.000Z"], [2, 3]),
        (["--since=2026-01-01T02:00:00.000001"], [3]),
        (["--since=2026-01-01 03:00+02:00"], [1, 2, 3]),
        (["--until=2026-01-01t02:00:00z"], [0, 1]),
        (["--since=2026-01-01T01:00", "--until=2026-01-01T03:00"], [1, 2]),
        (["--since=2026-01-01"], [0, 1, 2, 3]),
    ],
)
def test_a_period_selects_by_the_last_update(
    options: list[str], hours: list[int], local_endpoint: StartLocalEndpoint
) -> None:
    """``--since`` includes its time, ``--until`` does not; without an offset, times are in UTC."""
    never_updated = make_execution("never", last_updated_at=None)
    local_endpoint({JOB_ID: [*HOURLY, never_updated]})
    outcome = run("list", JOB_ID, *options)
    assert outcome.names == [f"hour-{hour}" for hour in hours]


def test_a_period_may_be_relative_to_now(local_endpoint: StartLocalEndpoint) -> None:
    """A duration is the time before now."""
    now = datetime.now(timezone.utc)
    days = [
        make_execution(f"day-{day}", last_updated_at=now - timedelta(days=day, hours=1))
        for day in range(3)
    ]
    local_endpoint({JOB_ID: days})
    assert run("list", JOB_ID, "--since=1d").names == ["day-0"]
    assert run("list", JOB_ID, "--since=48.5h", "--until=1440m").names == ["day-1"]


def test_latest_lists_the_last_execution_of_each_thing(local_endpoint: StartLocalEndpoint) -> None:
    """Each thing has one row, whatever its earlier executions."""
    endpoint = local_endpoint({JOB_ID: RETRIED})
    rows = [json.loads(line) for line in run("list", JOB_ID, "--latest", PAGE).lines]
    found = [(row["thing_name"], row["status"], row["execution_number"]) for row in rows]
    assert found == [
        ("a", "SUCCEEDED", 2),
        ("b", "FAILED", 2),
        ("c", "FAILED", 1),
        ("d", "QUEUED", 1),
    ]
    assert requested_statuses(endpoint) == [None, None]


def test_latest_selects_statuses_of_last_executions(local_endpoint: StartLocalEndpoint) -> None:
    """A thing that failed and then succeeded is not among the failed ones."""
    endpoint = local_endpoint({JOB_ID: RETRIED})
    assert run("list", JOB_ID, "--latest", "--status=failed,queued").names == ["b", "c", "d"]
    assert requested_statuses(endpoint) == [None]


def test_latest_selects_a_period_of_last_executions(local_endpoint: StartLocalEndpoint) -> None:
    """An earlier execution in the period does not count."""
    later = [
        attrs.evolve(HOURLY[0], execution_number=2, last_updated_at=START + timedelta(hours=5))
    ]
    local_endpoint({JOB_ID: [*HOURLY, *later]})
    assert run("list", JOB_ID, "--latest", "--until=2026-01-01T02:00").names == ["hour-1"]


def test_latest_cannot_be_resumed(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """After an error, it prints no command and keeps no file, because no row is complete."""
    local_endpoint({JOB_ID: RETRIED}, faults={2: AccessDeniedError})
    outcome = run("list", JOB_ID, "--latest", "--page-size=3", f"--output={tmp_path / 'rows'}")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_standard_output(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """``-o -`` does the same as no ``-o``, also on a terminal."""
    local_endpoint({JOB_ID: FLEET})
    assert run("list", JOB_ID, "-o", "-").names == thing_names(FLEET)
    assert "thing_name  status" in Terminal().run("list", JOB_ID, "-o", "-").out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("rows.csv", "job_id,"),
        ("rows.CSV", "job_id,"),
        ("rows.ndjson", '{"job_id": '),
        ("rows.jsonl", '{"job_id": '),
        ("csv", '{"job_id": '),
    ],
)
def test_the_suffix_of_a_file_selects_csv(
    name: str, start: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """A file has csv if its name ends in .csv, else ndjson; ``--format`` takes precedence."""
    local_endpoint({JOB_ID: FLEET})
    file = tmp_path / name
    run("list", JOB_ID, "-o", str(file))
    assert file.read_text().startswith(start)
    run("list", JOB_ID, "-o", str(file), "-f", "names")
    assert file.read_text().splitlines() == thing_names(FLEET)


def test_max_items_prints_the_command_for_more(local_endpoint: StartLocalEndpoint) -> None:
    """The printed command lists as many executions again."""
    local_endpoint({JOB_ID: FLEET})
    first = run("list", JOB_ID, "--max-items=8", PAGE)
    second = run(*first.printed_arguments("There may be more"))
    assert (first.code, second.code) == (0, 0)
    assert first.names + second.names == thing_names(FLEET[:16])
    third = run(*second.printed_arguments("There may be more"))
    assert (third.names, third.err) == (thing_names(FLEET[16:]), "")


def test_prefetch_requests_the_next_page_early(local_endpoint: StartLocalEndpoint) -> None:
    """The second request is sent before the first page is written; the rows are the same."""
    endpoint = local_endpoint({JOB_ID: FLEET})

    class Pipe(io.BytesIO):
        def write(self, data: Any) -> int:
            wait_until(lambda: len(endpoint.requests) >= 2)
            return super().write(data)

    pipe = Pipe()
    with io.TextIOWrapper(pipe) as stdout:
        assert run("list", JOB_ID, "--prefetch", PAGE, stdout=stdout).code == 0
        assert to_names(pipe.getvalue().decode()) == thing_names(FLEET)
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_printed(option: str) -> None:
    """``-V`` is short for ``--version``."""
    outcome = run(option)
    assert (outcome.code, outcome.out) == (0, f"iotjobs {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["-h"], ["Examples:", "iotjobs list firmware-42", "docs/automation.md"]),
        (["list", "--help"], ["JOB...", "Example: iotjobs list", " N ", "FILE", "[default: 250"]),
        (["summary", "-h"], ["[JOB...]", "Example: iotjobs list", "FILE", " N "]),
        (["wait", "-h"], ["JOB...", "Example: iotjobs wait", "SECONDS", "Exits with 0"]),
    ],
    ids=lambda value: value[0],
)
def test_help_has_an_example(arguments: list[str], texts: list[str]) -> None:
    """The help of each command has an example, and the names of values in plain words."""
    outcome = run(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    for text in texts:
        assert text in outcome.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["list", "a/b"], "JOB must be 1 to 64 characters of a-z"),
        (["list", JOB_ID, JOB_ID, "b", "a/b"], "JOB must be 1 to 64 characters of a-z"),
        (["summary", JOB_ID, "b", "a/b"], "JOB must be 1 to 64 characters of a-z"),
        (["wait", JOB_ID, "b", "a/b"], "JOB must be 1 to 64 characters of a-z"),
        (["list"], "Missing argument 'JOB...'"),
        (["wait"], "Missing argument 'JOB...'"),
        (["summary", JOB_ID, "--input=-"], "JOB cannot be used with --input"),
        (["summary"], "Missing argument 'JOB...', or the option '--input'"),
        (["list", JOB_ID, "--page-size=0"], "'--page-size': 0 is not in the range 1<=x<=250"),
        (["list", JOB_ID, "--page-size=many"], "'--page-size': 'many' is not a valid integer"),
        (["list", JOB_ID, "--max-items=0"], "'--max-items': 0 is not in the range x>=1"),
        (["list", JOB_ID, "--resume-token=x"], "--resume-token must be complete and unchanged"),
        (["list", JOB_ID, "--requests-per-second=0"], "'--requests-per-second': 0.0 is not in"),
        (["list", JOB_ID, "--requests-per-second=nan"], "--requests-per-second must be a number"),
        (["list", JOB_ID, "--endpoint-url=x"], "--endpoint-url must be an http or https URL"),
        (["list", JOB_ID, "--status=fail"], "'--status': 'fail' is not one of QUEUED, "),
        (["list", JOB_ID, "--status=failed,"], "'--status': '' is not one of QUEUED, "),
        (["list", JOB_ID, "--format=xml"], "'-f' / '--format': 'xml' is not one of 'table', "),
        (["list", JOB_ID, "--since=yesterday"], f"'--since': 'yesterday' {TIME_RULE}"),
        (["list", JOB_ID, "--until=2026-13-01"], f"'--until': '2026-13-01' {TIME_RULE}"),
        (["list", JOB_ID, "--since=9999999d"], f"'--since': '9999999d' {TIME_RULE}"),
        (["list", JOB_ID, "--since=20260102"], f"'--since': '20260102' {TIME_RULE}"),
        (["list", JOB_ID, "--until=1767226500"], f"'--until': '1767226500' {TIME_RULE}"),
        (["list", JOB_ID, "--since=20260102T10-05:00"], TIME_RULE),
        (["list", JOB_ID, "--since=2026-01-02-05"], TIME_RULE),
        (["list", JOB_ID, "--since=2026-W01-1"], TIME_RULE),
        (["list", JOB_ID, "--output=x", "-ox"], "'-o' / '--output': is given 2 times"),
        (["summary", JOB_ID, "--plot=x", "--plot=y"], "'--plot': is given 2 times"),
        (["list", JOB_ID, "--output=x.json"], "--output must end in .csv, .ndjson or .jsonl, or"),
        (["list", JOB_ID, "--output=x.csv.gz"], "must end in .csv, .ndjson or .jsonl, or be used"),
        (["list", JOB_ID, "--x\x1b[2J"], r"--x\x1b[2J"),
        (["summary", "--input=x\x1b[2J\nError:"], rf"'--input': 'x\x1b[2J\nError:': {NO_FILE}"),
        (["summary", JOB_ID, "--plot=\x1b"], r"must end in .svg or .png, not '\x1b'"),
        (["list", JOB_ID, "--latest", "--max-items=1"], "--latest cannot be used with"),
        (["list", JOB_ID, "--latest", "--resume-token=x"], "--latest cannot be used with"),
        (["summary", JOB_ID, "--failures=-1"], "'--failures': -1 is not in the range x>=0"),
        (["summary", JOB_ID, "--plot=x.pdf"], "--plot must end in .svg or .png, not 'x.pdf'"),
        (["wait", JOB_ID, "--timeout=-1"], "'--timeout': '-1' must be a number of seconds"),
        (["wait", JOB_ID, "--interval=1w"], "'--interval': '1w' must be a number of seconds"),
        (["wait", JOB_ID, "--interval=0"], "--interval must be at least 0.1 s, not 0.0 s"),
        (["stop", JOB_ID], "No such command 'stop'"),
    ],
)
def test_a_wrong_argument_names_its_option(
    arguments: list[str], text: str, local_endpoint: StartLocalEndpoint
) -> None:
    """It is refused with the rule and exit code 2, before any request."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert text in outcome.err
    assert "To resume" not in outcome.err
    assert endpoint.requests == []


@pytest.mark.parametrize("command", ["list", "summary", "wait"])
def test_an_unknown_job_names_the_region(command: str, local_endpoint: StartLocalEndpoint) -> None:
    """One line says which job and region; there is nothing to resume."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run(command, "firmware-24", "--region=eu-west-1")
    assert (outcome.code, outcome.out) == (1, "")
    expected = "iotjobs: no job 'firmware-24' in eu-west-1; is it in another region?\n"
    assert outcome.err == expected


@pytest.mark.parametrize("command", ["list", "summary", "wait"])
def test_debug_prints_the_traceback(command: str, local_endpoint: StartLocalEndpoint) -> None:
    """The traceback of botocore's error precedes the message."""
    local_endpoint({JOB_ID: FLEET}, faults={1: AccessDeniedError})
    outcome = run(command, JOB_ID, "--debug")
    assert outcome.code == 1
    assert outcome.err.startswith("Traceback (most recent call last):")
    assert "botocore.exceptions.ClientError" in outcome.err
    assert (
        f"\niotjobs: job '{JOB_ID}': ListJobExecutionsForJob failed with AccessDenied"
        in outcome.err
    )


def test_debug_shows_no_credentials_and_no_forged_line(
    local_endpoint: StartLocalEndpoint,
) -> None:
    """The service's newlines are escaped, and so no line looks like one of the command."""
    message = "denied\niotjobs: done\nX-Amz-Security-Token: IQoJb3JpZ2lu"
    body = json.dumps({"message": message}).encode()
    headers = {"x-amzn-ErrorType": "AccessDeniedException"}
    local_endpoint({JOB_ID: FLEET}, faults={1: RawResponse(403, body, headers)})
    outcome = run("list", JOB_ID, "--debug")
    assert outcome.code == 1
    assert r"denied\niotjobs: done\nX-Amz-Security-Token: …" in outcome.err
    assert "IQoJb3JpZ2lu" not in outcome.err
    (line,) = re.findall(r"(?m)^iotjobs: .*$", outcome.err)
    assert line.startswith(f"iotjobs: job '{JOB_ID}': ")


def with_password(url: str) -> str:
    return url.replace("://", "://me:pass@word@")


@pytest.mark.parametrize("faults", [{2: AccessDeniedError}, {}], ids=["after an error", "for more"])
def test_no_password_is_printed(
    faults: Mapping[int, Fault], local_endpoint: StartLocalEndpoint
) -> None:
    """The printed command has the URL of the endpoint without the user and the password."""
    endpoint = local_endpoint({JOB_ID: FLEET}, faults=faults)
    options = ["--debug", PAGE, "--max-items=10", f"--endpoint-url={with_password(endpoint.url)}"]
    first = run("list", JOB_ID, *options)
    assert "word@" not in first.err
    arguments = first.printed_arguments("To resume" if faults else "There may be more")
    assert f"--endpoint-url={endpoint.url}" in arguments
    assert first.names + run(*arguments).names == thing_names(FLEET)[: 10 if faults else 20]


def test_no_password_with_a_slash_is_printed(local_endpoint: StartLocalEndpoint) -> None:
    """A slash that is not percent-encoded ends the host, so no request can be sent."""
    local_endpoint({JOB_ID: FLEET})
    outcome = run("list", JOB_ID, "--endpoint-url=http://127.0.0.1:1/word@127.0.0.1:2")
    assert "--endpoint-url=http://127.0.0.1:2" in outcome.printed_arguments()


def test_an_unexpected_error_is_one_line(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of a defect has no control characters, and a hint at ``--debug``."""

    def fail(*_: object, **__: object) -> None:
        raise TypeError("what\x1b[2J?")

    local_endpoint({JOB_ID: FLEET})
    monkeypatch.setattr("iotjobs_client.cli._app.summarize", fail)
    outcome = run("summary", JOB_ID)
    expected = "iotjobs: unexpected TypeError: what\\x1b[2J?; see --debug\n"
    assert (outcome.code, outcome.err) == (1, expected)


def test_an_error_without_an_argument_names_no_option(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, botocore may refuse a request, whose parameters have other names."""

    def refuse(*_: object, **__: object) -> None:
        raise InvalidArgumentError("Parameter validation failed")

    local_endpoint({JOB_ID: FLEET})
    monkeypatch.setattr(IoTJobsClient, "list_job_executions_for_job", refuse)
    outcome = run("list", JOB_ID)
    assert outcome.code == 2
    assert outcome.err.endswith("Error: Parameter validation failed\n")
