"""Errors that pass are repeated by all commands, and others end them at once."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from commands import FLEET, PAGE, Clock, run, thing_names, use_credential_process
from support import JOB_ID

from iotjobs_client import ThrottlingError
from iotjobs_client.testing import Fault, make_execution
from iotjobs_client.testing.fixtures import StartLocalEndpoint

UNAVAILABLE = "Received non 200 response 503 from the metadata service"
each_command = pytest.mark.parametrize("command", ["list", "summary", "wait"])


@each_command
@pytest.mark.parametrize("fault", [ThrottlingError, "disconnect"])
def test_nine_errors_in_a_row_are_repeated(
    command: str,
    fault: Fault,
    local_endpoint: StartLocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is reported on standard error; pauses of five seconds, or of ``--interval``, follow."""
    clock = Clock(monkeypatch)
    fleet = [make_execution(f"thing-{number}") for number in range(2)]
    faults = {1: ThrottlingError, **dict.fromkeys(range(2, 10), fault)}
    local_endpoint({JOB_ID: fleet}, faults=faults)
    outcome = run(command, JOB_ID)
    assert outcome.code == 0
    assert clock.now == 9 * (10 if command == "wait" else 5)
    lines = outcome.err.splitlines()
    assert [line.endswith("; will retry") for line in lines] == [True] * 9


def test_ten_errors_in_a_row_print_the_command_that_resumes(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows before them are written, and the command lists the others."""
    clock = Clock(monkeypatch)
    faults: dict[int, Fault] = dict.fromkeys((2, *range(4, 14)), "disconnect")
    local_endpoint({JOB_ID: FLEET}, faults=faults)
    outcome = run("list", JOB_ID, PAGE)
    assert (outcome.code, outcome.names, clock.now) == (1, thing_names(FLEET[:10]), 50)
    *retried, last, _ = outcome.err.splitlines()
    assert [line.endswith("; will retry") for line in [*retried, last]] == [*[True] * 10, False]
    assert outcome.names + outcome.resume().names == thing_names(FLEET)


@each_command
def test_an_unreachable_service_is_reported_at_once(
    command: str, local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first response, the region or the proxy is probably wrong."""
    clock = Clock(monkeypatch)
    endpoint = local_endpoint({JOB_ID: FLEET}, faults={1: "disconnect"})
    outcome = run(command, JOB_ID)
    assert (outcome.code, len(endpoint.requests), clock.now) == (1, 1, 0)
    assert outcome.err.count("\n") == (2 if command == "list" else 1)


@each_command
def test_unavailable_credentials_are_reported_at_once(
    command: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their source may respond later, but before the first response it is probably wrong."""
    clock = Clock(monkeypatch)
    endpoint = local_endpoint({JOB_ID: FLEET})
    use_credential_process(monkeypatch, tmp_path, failing_call=1, message=UNAVAILABLE)
    outcome = run(command, JOB_ID, boto3_session=boto3.Session())
    assert (outcome.code, endpoint.requests, clock.now) == (1, [], 0)
    assert UNAVAILABLE in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_credentials_that_become_unavailable_are_read_again(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first response, such an error is repeated as others are."""
    clock = Clock(monkeypatch)
    local_endpoint({JOB_ID: FLEET})
    use_credential_process(monkeypatch, tmp_path, failing_call=3, message=UNAVAILABLE)
    outcome = run("list", JOB_ID, PAGE, boto3_session=boto3.Session())
    assert (outcome.code, outcome.names, clock.now) == (0, thing_names(FLEET), 5)
    assert outcome.err.endswith("; will retry\n")


@each_command
@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_a_missing_region_names_what_sets_it(
    region: str | None,
    command: str,
    local_endpoint: StartLocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``AWS_REGION``, which other SDKs read, is mentioned if it is set."""
    local_endpoint({JOB_ID: FLEET})
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    environment = {} if region is None else {"AWS_REGION": region}
    outcome = run(command, JOB_ID, boto3_session=boto3.Session(), environment=environment)
    text = "iotjobs: no region: pass --region, or set AWS_DEFAULT_REGION or the region of the "
    more = "" if region is None else "; AWS_REGION is 'eu-west-1', but boto3 does not read it"
    assert (outcome.code, outcome.err) == (1, f"{text}profile{more}\n")
