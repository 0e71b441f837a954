"""``python -m iotjobs_client.testing``: a fleet for any client, until Ctrl-C."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from support import owning_client

from iotjobs_client import ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_fleet
from iotjobs_client.testing._serve import main


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The command changes what signals do; the tests go on."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in signals]
    yield
    for number, handler in zip(signals, before, strict=True):
        signal.signal(number, handler)


def environment_in(text: str) -> dict[str, str]:
    """The variables that the command tells a shell to export."""
    lines = [line.removeprefix("export ") for line in text.splitlines() if line[:7] == "export "]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_it_serves_what_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Jobs of several sizes, with faults, at a URL that it prints; the port is free afterwards."""
    seen: list[Any] = []

    class ThenInterrupted:
        def wait(self) -> None:
            text = capsys.readouterr().out
            seen.append(text)
            with owning_client(environment_in(text)["AWS_ENDPOINT_URL_IOT"]) as client:
                executions = iter(client.list_job_executions_for_job("a"))
                with pytest.raises(ThrottlingError):
                    next(executions)
                seen.append(list(executions))
                seen.append(len(list(client.list_job_executions_for_job("b", status="FAILED"))))
            raise KeyboardInterrupt

    monkeypatch.setattr("iotjobs_client.testing._serve.Event", ThenInterrupted)
    jobs = ["--job", "a=3", "--job", "b=40", "--seed", "7"]
    assert main([*jobs, "--fault", "1=ThrottlingError", "--fault", "9=hang"]) == 0
    text, listed, failed = seen
    assert text.startswith("a with 3 things and b with 40 things at http://127.0.0.1:")
    assert "aws iot list-job-executions-for-job --job-id a " in text
    assert listed == make_fleet(3, seed=7)
    assert failed == sum(e.status == "FAILED" for e in make_fleet(40, seed=7)) > 0
    port = urlsplit(environment_in(text)["AWS_ENDPOINT_URL_IOT"]).port or 0
    LocalEndpoint({}, port=port).close()


def test_ctrl_c_ends_it_also_before_it_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A large fleet takes a while, and a shell may have Ctrl-C ignored by what it starts."""

    def be_interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr("iotjobs_client.testing._serve.make_fleet", be_interrupted)
    assert main([]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(number: signal.Signals) -> None:
    """On Ctrl-C as well as when it is asked to, and the calls that it prints work until then."""
    command = [sys.executable, "-u", "-m", "iotjobs_client.testing"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while "END\n" not in lines:
            lines.append(process.stdout.readline())
            assert lines[-1]
        if number == signal.SIGINT:
            text = "".join(lines)
            script = text.split("<<'END'\n")[1].removesuffix("END\n")
            lead = "".join(x for x in lines if x.startswith(("unset ", "export ")))
            found = subprocess.run(
                ["sh", "-c", f'{lead}exec "$@"', "sh", sys.executable, "-c", script],
                env={**os.environ, "AWS_PROFILE": "nobody", "AWS_SESSION_TOKEN": "x"},
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            assert [line.split()[0] for line in found.stdout.splitlines()] == [
                "thing-0",
                "thing-1",
                "thing-2",
            ]
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--job", "a"], "must be ID=SIZE, such as firmware-42=1000, .*, not 'a'"),
        (["--job", "a b=1"], "job_id must be"),
        (["--fault", "disconnect"], "must be NUMBER=FAULT, such as 3=disconnect, not 'disconnect'"),
        (["--fault", "0=hang"], "the request number of a fault must be an int of at least 1"),
        (
            ["--fault", "1=ConfigurationError"],
            "fault must be one of disc.*, .*Throt.*, not 'ConfigurationError'",
        ),
        (
            ["--fault", "1=hang", "--fault", "1=reset"],
            "--fault: each NUMBER may be given only once",
        ),
        (["--job", "a=1", "--job", "a=2"], "--job: each ID may be given only once"),
        (["--job", "a=99999999"], "with at most 7 digits, not 'a=99999999'"),
        (["--requests-per-second", "0"], "requests_per_second must be"),
        (["--latency", "-1"], "latency must be"),
        (["--port", "70000"], "port must be"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2, by name."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(complaint, captured.err)


def test_a_taken_port_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit code 1."""
    with LocalEndpoint({}) as endpoint:
        port = str(urlsplit(endpoint.url).port)
        monkeypatch.setattr(sys, "argv", ["testing", "--port", port])
        with pytest.raises(SystemExit) as caught:
            runpy.run_module("iotjobs_client.testing", run_name="__main__")
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cannot listen on port {port}: ")
    assert error.count("\n") == 1
