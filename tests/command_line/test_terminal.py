"""Output on a terminal: the status line, colours, and narrow terminals."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from commands import (
    FLEET,
    PAGE,
    Clock,
    Terminal,
    call_at_request,
    run,
    thing_names,
    to_names,
    to_screen,
)
from support import JOB_ID, wait_until

from iotjobs_client import ThrottlingError
from iotjobs_client.testing import make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint


def test_a_terminal_shows_a_table_alone(local_endpoint: StartLocalEndpoint) -> None:
    """The status line is erased before rows are written, and at the end."""
    local_endpoint({JOB_ID: FLEET})
    outcome = Terminal().run("list", JOB_ID, PAGE)
    assert outcome.code == 0
    head, *rows = to_screen(outcome.out)
    assert head.split()[:2] == ["thing_name", "status"]
    assert [row.split()[:2] for row in rows] == [[e.thing_name, e.status] for e in FLEET]


@pytest.mark.parametrize(
    ("request_number", "options", "visible"),
    [
        (2, [], r"5 executions, [\d,]+ a second 0:00:"),
        (3, ["--output=rows"], r"10 executions, [\d,]+ a second 0:00:"),
    ],
    ids=["after rows", "with a file"],
)
def test_the_status_line_is_visible_during_a_request(
    *,
    request_number: int,
    options: list[str],
    visible: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It shows the number of executions, their rate and the time."""
    monkeypatch.chdir(tmp_path)
    endpoint = local_endpoint({JOB_ID: FLEET})
    terminal = Terminal()

    def is_visible() -> bool:
        return any(re.search(visible, line) for line in to_screen(terminal.text))

    with call_at_request(endpoint, request_number, lambda: wait_until(is_visible)):
        assert terminal.run("list", JOB_ID, PAGE, *options).code == 0
    assert not is_visible()


def test_a_summary_shows_its_progress(local_endpoint: StartLocalEndpoint) -> None:
    """The status line is gone when the summary is printed."""
    local_endpoint({JOB_ID: FLEET})
    outcome = Terminal().run("summary", JOB_ID)
    assert outcome.code == 0
    assert "20 executions, " in outcome.out
    assert to_screen(outcome.out)[0] == f"{JOB_ID}: 20 executions on 20 things"


def test_wait_shows_the_count_that_it_knows(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status line says how many executions are not done; at the end it is gone."""
    Clock(monkeypatch)
    local_endpoint({JOB_ID: FLEET})
    outcome = Terminal().run("wait", JOB_ID, "--timeout=5")
    assert outcome.code == 4
    assert f"{JOB_ID}: 1 QUEUED" in outcome.out
    assert to_screen(outcome.out) == [
        f"iotjobs: not done after 5 s: {JOB_ID}: 1 QUEUED",
        "  thing-19  QUEUED",
    ]


def test_the_status_line_fits_a_narrow_terminal(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long text is cut, and the time stays; otherwise the line could not be erased."""
    Clock(monkeypatch)
    local_endpoint({JOB_ID: FLEET})
    outcome = Terminal().run("wait", JOB_ID, "--timeout=5", width=20)
    assert re.findall(r"\r([^\x1b]+)", outcome.out)[0] == "firmware-42 0:00:00"


def test_errors_stay_above_the_status_line(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is retried stays on the screen."""
    Clock(monkeypatch)
    local_endpoint({JOB_ID: FLEET}, faults={1: ThrottlingError})
    lines = to_screen(Terminal().run("summary", JOB_ID).out)
    assert lines[0].endswith("; will retry")
    assert lines[1] == f"{JOB_ID}: 20 executions on 20 things"


def test_statuses_have_colours(local_endpoint: StartLocalEndpoint) -> None:
    """Success is green and failure is red, in a table and in a summary."""
    local_endpoint({JOB_ID: FLEET})
    table = Terminal().run("list", JOB_ID).out
    assert "\x1b[32mSUCCEEDED\x1b[0m" in table
    assert "\x1b[31mTIMED_OUT\x1b[0m" in table
    assert "\x1b[32m█" in Terminal().run("summary", JOB_ID).out


@pytest.mark.parametrize("command", ["list", "summary"])
@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_switched_off(
    name: str, value: str, command: str, local_endpoint: StartLocalEndpoint
) -> None:
    """``NO_COLOR`` keeps the status line; a dumb terminal gets no control sequence at all."""
    local_endpoint({JOB_ID: FLEET})
    text = Terminal().run(command, JOB_ID, environment={name: value}).out
    assert "thing-18" in text
    assert "\x1b[3" not in text
    assert ("\x1b" in text) == (name == "NO_COLOR")


@pytest.mark.parametrize("width", [50, 80, 200])
def test_a_summary_fits_a_narrow_terminal(width: int, local_endpoint: StartLocalEndpoint) -> None:
    """No line is longer than the terminal, and nothing is cut."""
    fleet = make_fleet(100)
    local_endpoint({JOB_ID: fleet})
    lines = to_screen(Terminal().run("summary", JOB_ID, width=width).out)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    words = {"succeeded", "unfinished", "executions", "median", "IN_PROGRESS", "REJECTED", "failed"}
    assert words <= set(text.split())
    assert ("QUEUED, IN_PROGRESS or unknown" in text) == (width > 50)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_terminal_may_be_closed(
    writes: int, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The rows are written to the file, without a status line."""

    class ClosedTerminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, _: str) -> int:
            nonlocal writes
            writes -= 1
            if writes < 0:
                raise OSError(5, "Input/output error")
            return 0

    local_endpoint({JOB_ID: FLEET})
    file = tmp_path / "rows"
    outcome = run("list", JOB_ID, PAGE, f"--output={file}", stderr=ClosedTerminal())
    assert outcome.code == 0
    assert writes < 0
    assert to_names(file.read_text()) == thing_names(FLEET)
