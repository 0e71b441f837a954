"""``python -m iotjobs_client.testing`` serves a fleet until Ctrl-C, or for one command."""

from __future__ import annotations

import _thread
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support import owning_client, posix_only, wait_until

from iotjobs_client import ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_fleet
from iotjobs_client.testing._serve import main

# These tests call the private ``main``, because they replace parts of it in this process.

NAMES = ("SIGINT", "SIGTERM", "SIGBREAK")  # SIGBREAK is Ctrl-Break, which only Windows has.
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
needs_signals = posix_only("Windows cannot send a signal to one process or thread")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the signal handlers, which the command replaces."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def environment_in(text: str) -> dict[str, str]:
    """Return the environment variables that the printed lines set."""
    return dict(re.findall(r"(?m)^(?:export |\$env:)(\w+) ?= ?'?([^'$\n]+)'?$", text))


def test_it_serves_the_given_jobs_and_faults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints its URL, serves several jobs with faults, and frees the port at the end."""
    seen: list[Any] = []

    def use_and_interrupt(_: float) -> None:
        text = capsys.readouterr().out
        seen.append(text)
        with owning_client(environment_in(text)["AWS_ENDPOINT_URL_IOT"]) as client:
            executions = iter(client.list_job_executions_for_job("a"))
            with pytest.raises(ThrottlingError):
                next(executions)
            seen.append(list(executions))
            seen.append(len(list(client.list_job_executions_for_job("b", status="FAILED"))))
        raise KeyboardInterrupt

    monkeypatch.setattr("iotjobs_client.testing._serve.sleep", use_and_interrupt)
    jobs = ["--job", "a=3", "--job", "b=40", "--seed", "7"]
    assert main([*jobs, "--fault", "1=ThrottlingError", "--fault", "9=hang"]) == 0
    text, listed, failed = seen
    assert text.startswith("a with 3 things and b with 40 things at http://127.0.0.1:")
    assert "aws iot list-job-executions-for-job --job-id a " in text
    assert listed == make_fleet(3, seed=7)
    assert failed == sum(e.status == "FAILED" for e in make_fleet(40, seed=7)) > 0
    port = urlsplit(environment_in(text)["AWS_ENDPOINT_URL_IOT"]).port or 0
    LocalEndpoint({}, port=port).close()


def test_ctrl_c_ends_it_before_it_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Making a large fleet takes a while; Ctrl-C works even if a shell had it ignored."""

    def be_interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr("iotjobs_client.testing._serve.make_fleet", be_interrupted)
    assert main([]) == 0
    assert capsys.readouterr() == ("", "")


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(number: signal.Signals) -> None:
    """It exits with 0 after Ctrl-C and SIGTERM; the printed example works until then."""
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


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_does_not_end_a_wait_ends_it(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal just before a wait, and most signals on Windows, do not wake the main thread."""

    def wait_briefly(_: float) -> None:
        # This sets what a signal sets, but sends none, which would end a system call.
        _thread.interrupt_main(number)
        threading.Event().wait(0.01)

    monkeypatch.setattr("iotjobs_client.testing._serve.sleep", wait_briefly)
    assert main([]) == 0


def test_it_prints_what_to_paste_into_powershell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On Windows, the variables and the script are written for PowerShell."""
    monkeypatch.setattr("iotjobs_client.testing._serve._IS_WINDOWS", True)
    monkeypatch.setattr("iotjobs_client.testing._serve.sleep", lambda _: signal.raise_signal(2))
    assert main([]) == 0
    text = capsys.readouterr().out
    with LocalEndpoint({}) as endpoint:
        assert environment_in(text).keys() == endpoint.environment.keys()
    assert "\n$env:AWS_PROFILE = $null\n$env:AWS_SESSION_TOKEN = $null\n$env:" in text
    assert re.search(r"(?s)\n\n@'\nfrom iotjobs_client .*\n'@ \| python -\n", text)


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
        (["--play", "soon"], "--play: must be a number of seconds, or a duration .*, not 'soon'"),
        (["--play", "0s"], "play must be a number of seconds above 0"),
        (["--status", "done"], "the status must be one of QUEUED, .*CANCELED, not 'done'"),
        (["--status", "FAILED=many"], "the weight must be a number .*, not 'many'"),
        (["--status", "FAILED=99999999"], "the weight must be .* at most 7 digits"),
        (["--status", "failed", "--status", "FAILED=2"], "each STATUS may be given only once"),
        (["--status", "FAILED=0"], "statuses must be .* with a weight above 0"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, and the message names the option and the rule."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(complaint, captured.err)


def test_a_port_in_use_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 1, and one line says why."""
    with LocalEndpoint({}) as endpoint:
        port = str(urlsplit(endpoint.url).port)
        monkeypatch.setattr(sys, "argv", ["testing", "--port", port])
        with pytest.raises(SystemExit) as caught:
            runpy.run_module("iotjobs_client.testing", run_name="__main__")
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cannot listen on port {port}: ")
    assert error.count("\n") == 1


LIST_THINGS = """
import os, urllib.request
print(urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL_IOT"] + "/jobs/a/things").read())
print(sorted(os.environ))
"""


def test_a_command_finds_the_fleet_in_its_environment(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The variables point to the endpoint, and those that would take precedence are unset."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    assert main(["--job", "a=3", "--", sys.executable, "-c", LIST_THINGS]) == 0
    out, err = capfd.readouterr()
    listed, names = out.splitlines()
    assert listed.count("thing/thing-") == 3
    assert "'AWS_ACCESS_KEY_ID'" in names
    assert "AWS_PROFILE" not in names
    assert "AWS_SESSION_TOKEN" not in names
    assert err == ""


def test_the_command_line_can_be_tried_with_one_command(capfd: pytest.CaptureFixture[str]) -> None:
    """``python -m iotjobs_client.testing -- iotjobs list firmware-42`` lists the fleet."""
    iotjobs = [sys.executable, "-m", "iotjobs_client"]
    assert main(["--", *iotjobs, "list", "firmware-42", "--names", "--max-items=2"]) == 0
    out, err = capfd.readouterr()
    assert out == "thing-0\nthing-1\n"
    assert err.startswith("There may be more: ")


PLAY_TO_THE_END = """
import os, urllib.request
from iotjobs_client.cli import main
url = os.environ["AWS_ENDPOINT_URL_IOT"] + "/jobs/firmware-42/things"
assert b'"QUEUED"' in urllib.request.urlopen(url).read()  # The rollout starts.
main()
"""


@pytest.mark.parametrize(
    ("statuses", "code", "outcome"),
    [
        ([], 3, {"CANCELED", "FAILED", "REJECTED", "REMOVED", "TIMED_OUT"}),
        (["--status", "succeeded"], 0, set()),
        (["--status", "SUCCEEDED=1", "--status", "FAILED=9"], 3, {"FAILED"}),
    ],
    ids=["all", "succeeded", "weighted"],
)
def test_a_rollout_is_played_to_its_end(
    statuses: list[str], code: int, outcome: set[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """``iotjobs wait`` ends with 0 or 3, as ``--status`` says; the default has all outcomes."""
    command = [sys.executable, "-c", PLAY_TO_THE_END, "wait", "firmware-42"]
    assert main(["--play", "0.001s", *statuses, "--", *command]) == code
    assert set(re.findall("[A-Z_]{6,}", capfd.readouterr().out)) == outcome


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("2m", 120), ("1.5h", 5400)])
def test_the_time_of_a_rollout_has_units(
    text: str, seconds: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--play`` takes seconds, minutes or hours, and the greeting says how long it takes."""
    monkeypatch.setattr("iotjobs_client.testing._serve.sleep", lambda _: signal.raise_signal(2))
    assert main(["--play", text]) == 0
    note = f"\nThe first request starts a rollout of {seconds} seconds.\n"
    assert note in capsys.readouterr().out


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 0),
        ("raise SystemExit(7)", 7),
        pytest.param("import os; os.kill(os.getpid(), 9)", 137, marks=needs_signals),
    ],
    ids=["success", "failure", "killed"],
)
def test_the_exit_code_is_that_of_the_command(script: str, code: int) -> None:
    """If a signal ended the command, it is 128 and the signal's number, as in a shell."""
    assert main(["--", sys.executable, "-c", script]) == code


@contextmanager
def call_when_started(function: Callable[[], object]) -> Iterator[None]:
    """Call ``function`` in another thread when ``main`` has started its command."""

    def wait_and_call() -> None:
        # The handler is replaced when the command has started.
        wait_until(lambda: signal.getsignal(signal.SIGTERM) is not signal.default_int_handler)
        function()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    thread = threading.Thread(target=wait_and_call)
    thread.start()
    yield
    thread.join()


def send_to_main_thread(number: signal.Signals) -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, number)


@needs_signals
def test_sigterm_ends_the_command() -> None:
    """The command gets the signal too, and the exit code is its own."""
    has_ended = threading.Event()

    def terminate() -> None:
        while not has_ended.wait(0.01):  # A signal just before a system call does not end it.
            send_to_main_thread(signal.SIGTERM)

    with call_when_started(terminate):
        try:
            assert main(["--", "sleep", "600"]) == 128 + signal.SIGTERM
        finally:
            has_ended.set()


@needs_signals
def test_ctrl_c_is_left_to_the_command(tmp_path: Path) -> None:
    """A terminal sends it to the command too, which may continue."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def interrupt_and_continue() -> None:
        send_to_main_thread(signal.SIGINT)
        fifo.write_text("continue\n")

    with call_when_started(interrupt_and_continue):
        assert main(["--", "sh", "-c", f"read line < {fifo}; exit 5"]) == 5


@pytest.mark.parametrize("command", ["no-such-command", "."])
def test_a_command_that_cannot_run_is_reported(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 127, and one line names the command."""
    assert main(["--", command]) == 127
    error = capsys.readouterr().err
    assert error.startswith(f"cannot run {command}: ")
    assert error.count("\n") == 1


def test_options_after_the_separator_belong_to_the_command(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Everything after the first ``--`` belongs to the command, even another one."""
    given = ["--job", "x", "--help", "--", "--port=1"]
    script = "import sys; print(*sys.argv[1:])"
    assert main(["--job", "a=1", "--", sys.executable, "-c", script, *given]) == 0
    assert capfd.readouterr().out.rstrip() == " ".join(given)
