"""Completion in bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from commands import run
from support import posix_only, session

SHELLS = ["bash", "zsh", "fish"]
INSTALLED = shutil.which("iotjobs", path=str(Path(sys.executable).parent))


def complete(shell: str, *words: str) -> list[str]:
    """Return what ``iotjobs`` answers a shell that completes the last of ``words``."""
    environment: Mapping[str, str] = {
        "_IOTJOBS_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["iotjobs", *words]),
        # fish sends the incomplete word, the others its position.
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words)),
    }
    outcome = run(environment=environment)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line for line in outcome.lines if line]
    if shell == "bash":
        return [line.removeprefix("plain,") for line in lines]
    if shell == "fish":
        return [line.split("\t")[0].removeprefix("plain,") for line in lines]
    return lines[1::3]  # zsh: a type, a value and a help text


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["list", "firmware-42", "--status", "re"], ["REJECTED", "REMOVED"]),
        (["list", "firmware-42", "-s", "IN"], ["IN_PROGRESS"]),
        (["list", "firmware-42", "-s", "failed,t"], ["failed,TIMED_OUT"]),
        (["list", "firmware-42", "--format", ""], ["table", "ndjson", "csv", "names"]),
        (["list", "firmware-42", "-f", "c"], ["csv"]),
        (["summary", "firmware-42", "--format", "j"], ["json"]),
        (["su"], ["summary"]),
        (["list", "--lat"], ["--latest"]),
    ],
    ids=" ".join,
)
def test_words_are_completed(shell: str, words: list[str], expected: list[str]) -> None:
    """Statuses in any case and after a comma, formats, commands and options are offered."""
    assert complete(shell, *words) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_profiles_are_completed(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profiles of the AWS configuration are offered."""
    config = tmp_path / "config"
    config.write_text("[default]\n[profile production]\n[profile preview]\n[profile test]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert sorted(complete(shell, "list", "--profile", "pr")) == ["preview", "production"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_broken_configuration_has_no_profiles(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell would show a traceback in the line that the user types."""
    config = tmp_path / "config"
    config.write_text("[profile production\n")
    session()  # The session that the tests share is made before, because it reads the file.
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert complete(shell, "list", "--profile", "pr") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    """The script asks for completions in the form that the shell needs."""
    outcome = run(environment={"_IOTJOBS_COMPLETE": f"{shell}_source"})
    assert outcome.code == 0
    assert f"_IOTJOBS_COMPLETE={shell}_complete" in outcome.out


@posix_only("a bash of Windows may belong to WSL, where the program is not installed")
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.skipif(INSTALLED is None, reason="needs the installed program")
def test_bash_completes_with_the_script() -> None:
    """A real bash loads the script, and its completion function offers the statuses."""
    script = """
        eval "$(_IOTJOBS_COMPLETE=bash_source iotjobs)"
        complete -p iotjobs
        COMP_WORDS=(iotjobs list firmware-42 --status failed,re)
        COMP_CWORD=4
        _iotjobs_completion iotjobs
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    completed = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    function, *offered = completed.stdout.splitlines()
    assert function == "complete -o nosort -F _iotjobs_completion iotjobs"
    assert offered == ["failed,REJECTED", "failed,REMOVED"]
