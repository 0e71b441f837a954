"""A prompt for an MFA code stays visible, and without a terminal the message says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.session import Session
from commands import FLEET, Terminal, run, start, to_screen
from support import JOB_ID, RawServer, posix_only

from iotjobs_client.testing import LocalEndpoint
from iotjobs_client.testing.fixtures import StartLocalEndpoint

CREDENTIALS = b"""\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>x</AccessKeyId><SecretAccessKey>x</SecretAccessKey>
<SessionToken>x</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
PROMPT = "Enter MFA code for arn:aws:iam::123456789012:mfa/me: "
NO_TERMINAL = (
    "iotjobs: the profile needs an MFA code, but there is no terminal to ask on; get temporary "
    "credentials first, for example with 'aws sts get-session-token'"
)
each_command = pytest.mark.parametrize("command", ["list", "summary", "wait"])


@pytest.fixture
def endpoint(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalEndpoint:
    """An endpoint, and a profile ``mfa`` with a role that needs an MFA code."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    config = tmp_path / "config"
    config.write_text("""\
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/reader
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = base

[profile base]
aws_access_key_id = x
aws_secret_access_key = x
""")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return endpoint


def make_session(prompter: Callable[[str], str]) -> boto3.Session:
    """Return a session of the profile that asks with ``prompter`` instead of ``getpass``."""
    session: Any = Session(profile="mfa")
    provider = session.get_component("credential_provider").get_provider("assume-role")
    provider._prompter = prompter
    return boto3.Session(botocore_session=session)


@each_command
def test_a_prompt_stays_visible(
    command: str, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn before the first page, and nothing erases the line of the prompt."""
    terminal = Terminal()

    def ask(prompt: str) -> str:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        sys.stderr.write("\n")  # The user's answer is not echoed.
        return "123456"

    with RawServer((200, CREDENTIALS)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        options = ["--timeout=0"] if command == "wait" else []
        outcome = terminal.run(command, JOB_ID, *options, boto3_session=make_session(ask))
    assert outcome.code == (4 if command == "wait" else 0)
    assert outcome.out.startswith(PROMPT)
    assert to_screen(outcome.out)[0] == PROMPT.rstrip()
    assert endpoint.requests


@each_command
def test_a_prompt_without_a_terminal_is_explained(command: str, endpoint: LocalEndpoint) -> None:
    """The message has a line of its own, which begins with ``iotjobs:``."""

    def ask(prompt: str) -> str:
        sys.stderr.write(prompt)
        raise EOFError

    outcome = run(command, JOB_ID, boto3_session=make_session(ask))
    assert (outcome.code, outcome.err) == (1, f"{PROMPT}\n{NO_TERMINAL}\n")
    assert endpoint.requests == []


def test_only_a_line_that_was_drawn_is_erased(endpoint: LocalEndpoint) -> None:
    """If the user ends the prompt with Ctrl-D, its line stays above the message."""

    def ask(prompt: str) -> str:
        sys.stderr.write(prompt)
        raise EOFError

    outcome = Terminal().run("list", JOB_ID, boto3_session=make_session(ask))
    assert (outcome.code, outcome.out) == (1, f"{PROMPT}\r\n{NO_TERMINAL}\r\n")
    assert endpoint.requests == []


@posix_only("Windows reads a password from the console of the tests")
def test_a_process_without_a_terminal_is_explained(endpoint: LocalEndpoint) -> None:
    """This is so in a real process too, as in a CI job."""
    process = start(
        *("list", JOB_ID, "--profile=mfa"), stdin=subprocess.DEVNULL, start_new_session=True
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1] == NO_TERMINAL
    assert endpoint.requests == []
