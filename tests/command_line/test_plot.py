"""``iotjobs summary --plot``: the picture, its file, and what happens without matplotlib."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from commands import FLEET, fail_full_disk, run, start
from support import JOB_ID, PAUSED

from iotjobs_client import JobExecutionSummary
from iotjobs_client._text import to_printable
from iotjobs_client.cli import _plot
from iotjobs_client.cli._rows import RowFormatter
from iotjobs_client.rollout import summarize
from iotjobs_client.testing import make_execution, make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files() -> list[str]:
    return [path.name for path in Path().iterdir()]


@pytest.mark.parametrize(
    "fleet",
    [FLEET, [make_execution("a", PAUSED)]],
    ids=["fleet", "unknown status"],
)
def test_a_plot_names_its_lines(
    fleet: list[JobExecutionSummary], local_endpoint: StartLocalEndpoint
) -> None:
    """Each line has a label at its end: the count, and the status that executions end in."""
    local_endpoint({JOB_ID: fleet})
    outcome = run("summary", JOB_ID, "--plot=rollout.svg")
    assert outcome.code == 0
    assert outcome.err.splitlines()[0] == "wrote rollout.svg"
    drawn = Path("rollout.svg").read_text()
    assert ET.fromstring(drawn).tag.endswith("svg")
    texts = set(re.findall(r"<!-- (.*) -->", drawn))
    assert {f"Rollout of {JOB_ID}", "time (UTC)"} <= texts
    assert "Queued, started and succeeded (executions, cumulative)" in texts
    ended = {e.status.value for e in fleet if e.status.is_terminal}
    labels = {text.split()[1] for text in texts if re.fullmatch(r"[\d,]+ \w+", text)}
    assert labels == {"queued", "started", *ended}


@pytest.mark.parametrize("arguments", [[JOB_ID], [JOB_ID, "b"], ["--input=-"]], ids=str)
def test_a_title_names_the_summary_and_the_plot(
    arguments: list[str], local_endpoint: StartLocalEndpoint
) -> None:
    """The default is the job, the number of jobs, or the source of the rows."""
    local_endpoint({JOB_ID: FLEET, "b": []})
    stdin = RowFormatter("ndjson")([make_execution()])
    names = {"--input=-": "standard input", "b": "2 jobs", JOB_ID: JOB_ID}
    name = names[arguments[-1]]
    for options, title, drawn in (
        ([], name, f"Rollout of {name}"),
        (["--title=My rollout\x1b"], "My rollout\\x1b", "My rollout\\x1b"),
    ):
        outcome = run("summary", *arguments, *options, "--plot=x.svg", stdin=stdin)
        assert outcome.lines[0].startswith(f"{title}: ")
        assert f"<!-- {drawn} -->" in Path("x.svg").read_text()


def test_a_plot_as_png(local_endpoint: StartLocalEndpoint) -> None:
    """The suffix, in any case, selects the kind of image; no other file is left."""
    local_endpoint({JOB_ID: FLEET})
    assert run("summary", JOB_ID, "--plot=rollout.PNG").code == 0
    assert Path("rollout.PNG").read_bytes().startswith(b"\x89PNG")
    assert files() == ["rollout.PNG"]


def test_a_plot_is_reproducible(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows have the same image as their job, whatever the user's matplotlibrc says."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    run("list", JOB_ID, "--output=rows.ndjson")
    run("summary", JOB_ID, "--plot=job.svg")
    request_count = len(endpoint.requests)
    monkeypatch.setitem(mpl.rcParams, "text.color", "white")
    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "black")
    monkeypatch.setitem(mpl.rcParams, "timezone", "Asia/Tokyo")
    run("summary", "--input=rows.ndjson", "--plot=rows.svg")
    assert Path("job.svg").read_bytes() == Path("rows.svg").read_bytes()
    assert len(endpoint.requests) == request_count


def test_a_plot_that_cannot_be_written_is_refused_at_once(
    local_endpoint: StartLocalEndpoint,
) -> None:
    """The listing, which may take minutes, is not started."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    outcome = run("summary", JOB_ID, "--plot=no-such-folder/x.svg")
    assert outcome.code == 1
    assert outcome.err.startswith("iotjobs: cannot write no-such-folder/x.svg: No such file")
    assert endpoint.requests == []


def test_a_plot_does_not_replace_the_summary(local_endpoint: StartLocalEndpoint) -> None:
    """A shell has opened the file for standard output: ``--plot x.svg > x.svg``."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    with Path("x.svg").open("w") as stdout:
        outcome = run("summary", JOB_ID, "--plot=x.svg", stdout=stdout)
    assert outcome.code == 1
    assert outcome.err.startswith("iotjobs: cannot replace x.svg: it is an open stream;")
    assert endpoint.requests == []


def test_a_plot_on_a_full_disk_leaves_nothing(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a part of the image is left, and the summary is printed."""
    local_endpoint({JOB_ID: FLEET})
    summary = run("summary", JOB_ID).out
    monkeypatch.setattr("iotjobs_client.cli._output.OutputFile.write", fail_full_disk)
    outcome = run("summary", JOB_ID, "--plot=x.svg")
    assert (outcome.code, outcome.out) == (1, summary)
    assert files() == []


@pytest.mark.parametrize("name", ["a$^{$", "x\x1b\x07", "\udcff"])
def test_a_name_is_drawn_as_it_is(name: str) -> None:
    """A dollar sign begins no formula, and an unprintable character is escaped."""
    Path(name).write_text(RowFormatter("ndjson")(FLEET))
    outcome = run("summary", "--input", name, "--plot=x.svg")
    assert outcome.code == 0
    assert f"<!-- Rollout of {to_printable(name)} -->" in Path("x.svg").read_text()
    ET.parse("x.svg")


def test_the_backend_of_a_notebook_is_ignored(local_endpoint: StartLocalEndpoint) -> None:
    """Its programs inherit ``MPLBACKEND``, which may name a module that they do not have."""
    local_endpoint({JOB_ID: FLEET})
    environment = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    process = start("summary", JOB_ID, "--plot=x.svg", env=environment)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "wrote x.svg\n")


def test_times_that_cannot_be_drawn_are_reported() -> None:
    """The axis of the plot would end after the year 9999; the summary is printed nevertheless."""
    last = datetime.max.replace(tzinfo=timezone.utc)
    fleet = [make_execution("a", "QUEUED", queued_at=last, last_updated_at=last)]
    Path("rows.ndjson").write_text(RowFormatter("ndjson")(fleet))
    outcome = run("summary", "--input", "rows.ndjson", "--plot=x.svg")
    assert outcome.code == 1
    assert outcome.err == "iotjobs: cannot draw x.svg: date value out of range\n"
    assert outcome.lines[0] == "rows.ndjson: 1 execution on 1 thing"
    assert files() == ["rows.ndjson"]


def test_a_plot_without_matplotlib_says_what_to_install(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the extra, before any request."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = run("summary", JOB_ID, "--plot=rollout.svg")
    expected = "iotjobs: --plot needs matplotlib: install this package with its extra 'plot'\n"
    assert (outcome.code, outcome.err) == (1, expected)
    assert endpoint.requests == []


def test_a_broken_matplotlib_is_reported_before_any_request(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported before the job is listed, which may take minutes."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    outcome = run("summary", JOB_ID, "--plot=rollout.svg")
    assert outcome.code == 1
    assert "matplotlib.figure" in outcome.err
    assert endpoint.requests == []


def test_a_single_moment_is_visible() -> None:
    """A line of one point has a marker, and there is some time on both sides."""
    figure = _plot._figure(JOB_ID, summarize([make_execution("a", "QUEUED")]))
    (axes,) = figure.axes
    assert {line.get_marker() for line in axes.lines} == {"o"}
    left, right = axes.get_xlim()
    assert 0 < right - left < 0.01  # days


def test_a_line_of_many_points_has_no_markers() -> None:
    """The markers of 241 points would hide the dashes that distinguish the lines."""
    figure = _plot._figure(JOB_ID, summarize(FLEET))
    assert {line.get_marker() for axes in figure.axes for line in axes.lines} == {""}


@pytest.mark.parametrize("fleet", [[], [make_execution("a", queued_at=None)]])
def test_a_plot_without_times_says_so(fleet: list[JobExecutionSummary]) -> None:
    """A text stands in place of the lines, and the axis has no ticks."""
    figure = _plot._figure(JOB_ID, summarize(fleet))
    (axes,) = figure.axes
    assert "no times to draw" in [text.get_text() for text in axes.texts]
    assert list(axes.get_xticks()) == []


def test_problems_have_a_panel_of_their_own() -> None:
    """Few executions fail, so their lines need another scale; both panels share the times."""
    upper, lower = _plot._figure(JOB_ID, summarize(make_fleet(100))).axes
    legend, problems = ([t.get_text() for t in a.get_legend().texts] for a in (upper, lower))
    assert legend == ["100 queued", "95 started", "60 SUCCEEDED"]
    assert problems[0] == "13 FAILED"
    assert upper.get_xlim() == lower.get_xlim()


def test_texts_are_inside_the_plot_and_do_not_overlap() -> None:
    """There is room for the longest job ID, and for the legend of all lines."""
    fleet = make_fleet(100, statuses=["FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED"])
    figure = _plot._figure("Rollout of " + "W" * 64, summarize(fleet))
    figure.draw_without_rendering()
    (title,) = (text for text in figure.texts if "WWW" in text.get_text())
    assert title.get_window_extent().x1 < figure.bbox.x1
    for axes in figure.axes:
        texts = axes.get_legend().texts
        boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
        assert len(boxes) >= 2
        assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
        assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_each_line_looks_different() -> None:
    """Lines in one panel differ by colour and by dashes, because not everybody sees colours."""
    styles = list(_plot._LINE_STYLES.values())
    problems = [str(dash) for _, dash in styles[1:]]  # SUCCEEDED is in the other panel.
    assert len(set(problems)) == len(problems)
    assert len({colour for colour, _ in styles}) == len(styles)
