"""The program: its start, its extra, and interrupts before a command runs."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.abc import MetaPathFinder

import pytest
from commands import run

from iotjobs_client import __version__

APP = "iotjobs_client.cli._app"


@pytest.mark.parametrize("name", ["click", "rich"])
def test_without_its_extra_it_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the extra, and the exit code is 1."""
    monkeypatch.setitem(sys.modules, name, None)
    outcome = run("--help")
    text = "iotjobs needs click and rich: install this package with its extra 'cli'\n"
    assert (outcome.code, outcome.out, outcome.err) == (1, "", text)


def test_a_broken_installation_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for another missing module is raised unchanged."""
    monkeypatch.setitem(sys.modules, APP, None)
    with pytest.raises(ModuleNotFoundError, match=APP):
        run("--help")


def test_ctrl_c_while_modules_are_imported_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 130, without a traceback."""

    class Interrupted(MetaPathFinder):
        @staticmethod
        def find_spec(*_: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, APP, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    outcome = run("--help")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_without_arguments_it_prints_its_help() -> None:
    """The help has a line for each command, as with ``--help``."""
    outcome = run()
    assert (outcome.out + outcome.err).strip() == run("--help").out.strip()


def test_a_usage_error_stays_on_its_line() -> None:
    """A name with a newline cannot forge another line."""
    outcome = run("summary", "--input=no\nsuch file")
    assert outcome.err.splitlines()[-1].startswith("Error: ")


def test_python_m_runs_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m iotjobs_client`` is the same program."""
    monkeypatch.setattr(sys, "argv", ["iotjobs", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("iotjobs_client", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"iotjobs {__version__}\n"


def test_a_command_loads_only_what_it_needs() -> None:
    """The start of a command is not delayed by modules for requests, terminals or plots."""
    modules = ("boto3", "botocore", "rich.console", "matplotlib")
    code = f"import sys, {APP}; print([m for m in {modules} if m in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert completed.stdout.split() == [b"[]"]
