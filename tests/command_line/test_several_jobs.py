"""Several jobs in one command, as in a rollout in waves: their rows, their summary, their end."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from commands import PAGE, Clock, Outcome, Terminal, requested_statuses, run, thing_names, to_screen

from iotjobs_client import AccessDeniedError, JobExecutionSummary, ResourceNotFoundError
from iotjobs_client.cli._rows import RowFormatter
from iotjobs_client.testing import LocalEndpoint, make_execution
from iotjobs_client.testing.fixtures import StartLocalEndpoint

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def make_wave(job_id: str, day: int, names: str, status: str) -> list[JobExecutionSummary]:
    queued_at = START + timedelta(days=day)
    return [make_execution(name, status, job_id=job_id, queued_at=queued_at) for name in names]


# A page has five executions. "e" failed in the first wave, and "f" in both others.
FIRST = [*make_wave("first", 1, "abcd", "SUCCEEDED"), *make_wave("first", 1, "e", "FAILED")]
SECOND = [*make_wave("second", 2, "f", "FAILED"), *make_wave("second", 2, "ghijkl", "SUCCEEDED")]
REPAIR = [*make_wave("repair", 3, "e", "SUCCEEDED"), *make_wave("repair", 3, "f", "TIMED_OUT")]
JOBS = {"first": FIRST, "second": SECOND, "repair": REPAIR}
ALL = [*FIRST, *SECOND, *REPAIR]


def to_rows(executions: list[JobExecutionSummary], output_format: str = "ndjson") -> str:
    return RowFormatter(output_format)(executions)


def requested_jobs(endpoint: LocalEndpoint) -> list[str]:
    return [request.job_id for request in endpoint.requests]


def test_rows_of_one_job_follow_those_of_another(local_endpoint: StartLocalEndpoint) -> None:
    """They name their job; a job that is named twice is listed once."""
    endpoint = local_endpoint(JOBS)
    outcome = run("list", "first", "second", "first", "repair", PAGE)
    assert (outcome.code, outcome.out, outcome.err) == (0, to_rows(ALL), "")
    assert requested_jobs(endpoint) == ["first", "second", "second", "repair"]


@pytest.mark.parametrize(
    ("job_ids", "column"), [(["first"], "thing_name"), (["first", "second"], "job_id")]
)
def test_a_table_has_a_column_for_several_jobs(
    job_ids: list[str], column: str, local_endpoint: StartLocalEndpoint
) -> None:
    """The rows of one job do not repeat its ID."""
    local_endpoint(JOBS)
    head, *rows = to_screen(Terminal().run("list", *job_ids).out)
    assert head.split()[0] == column
    executions = [execution for job_id in job_ids for execution in JOBS[job_id]]
    first_cells = [e.job_id if column == "job_id" else e.thing_name for e in executions]
    assert [row.split()[0] for row in rows] == first_cells


def test_the_column_for_jobs_is_wide_enough_for_all(local_endpoint: StartLocalEndpoint) -> None:
    """The first page, which sets the widths of columns, has only the first job."""
    local_endpoint({"x": FIRST, "a-long-name": FIRST})
    lines = run("list", "x", "a-long-name", "--format=table").lines
    assert {line.index(" ", len("a-long-name")) for line in lines} == {len("a-long-name")}
    assert {line[13] for line in lines} == {"t", *"abcde"}


@pytest.mark.parametrize(
    ("request_number", "row_count", "left"),
    [
        (1, 0, ["first", "second", "repair"]),
        (2, 5, ["second", "repair"]),
        (3, 10, ["second", "repair"]),
        (4, 12, ["repair"]),
    ],
)
@pytest.mark.parametrize("output", ["-", "rows.csv"])
def test_the_printed_command_names_the_jobs_that_are_left(
    *,
    output: str,
    request_number: int,
    row_count: int,
    left: list[str],
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of a job is the start of the next one, so a file is not complete there."""
    monkeypatch.chdir(tmp_path)
    local_endpoint(JOBS, faults={request_number: AccessDeniedError})
    first = run("list", *JOBS, PAGE, f"--output={output}", "--format=csv")
    arguments = first.printed_arguments()
    assert (first.code, arguments[-len(left) :]) == (1, left)
    assert arguments[-len(left) - 1].startswith("--")
    assert not Path("rows.csv").exists()
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert first.out + kept == (to_rows(ALL[:row_count], "csv") if row_count else "")
    second = first.resume()
    assert (second.code, second.err) == (0, "")
    rows = first.out + second.out if output == "-" else Path(output).read_text()
    assert rows == to_rows(ALL, "csv")


def test_all_rows_of_a_table_in_a_file_name_their_job(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The run that resumes at the last job writes the same columns as the first run."""
    local_endpoint(JOBS, faults={2: AccessDeniedError})
    file = tmp_path / "rows"
    first = run("list", "first", "second", "--format=table", f"--output={file}")
    assert first.printed_arguments()[-1] == "second"
    assert first.resume().code == 0
    head, *rows = file.read_text().splitlines()
    assert head.split()[:2] == ["job_id", "thing_name"]
    expected = [[e.job_id, e.thing_name] for e in [*FIRST, *SECOND]]
    assert [row.split()[:2] for row in rows] == expected


def test_a_run_that_resumes_reports_unknown_jobs_again(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Otherwise its exit code would say that all jobs were listed."""
    endpoint = local_endpoint(JOBS, faults={3: AccessDeniedError})
    first = run("list", "no-job", "first", "second", f"--output={tmp_path / 'rows'}")
    assert first.printed_arguments()[-2:] == ["second", "no-job"]
    second = first.resume()
    assert (second.code, second.err) == (1, first.err.splitlines()[0] + "\n")
    assert to_rows([*FIRST, *SECOND]) == (tmp_path / "rows").read_text()
    assert requested_jobs(endpoint) == ["no-job", "first", *["second"] * 2, "no-job"]


@pytest.mark.parametrize("output", ["-", "rows"])
@pytest.mark.parametrize("max_items", [3, 5, 7, 12, 13])
def test_max_items_counts_over_all_jobs(
    max_items: int,
    output: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command for more executions continues in the same job, or at the start of the next."""
    monkeypatch.chdir(tmp_path)
    local_endpoint(JOBS)
    rows, count = "", 0
    arguments = ["list", *JOBS, f"--max-items={max_items}", PAGE, f"--output={output}"]
    while arguments:
        outcome = run(*arguments)
        count = min(count + max_items, len(ALL))
        rows = rows + outcome.out if output == "-" else Path(output).read_text()
        assert (outcome.code, rows) == (0, to_rows(ALL[:count]))
        is_end = count == len(ALL)
        arguments = [] if is_end else outcome.printed_arguments("There may be more")
    assert outcome.err == ""


def test_latest_selects_over_all_jobs(local_endpoint: StartLocalEndpoint) -> None:
    """A thing that failed in a wave and succeeded in the repair job is not among the failed."""
    local_endpoint(JOBS)
    rows = run("list", *JOBS, "--latest", "--status=FAILED,TIMED_OUT").out
    assert rows == to_rows(REPAIR[1:])
    outcome = run("list", *reversed(JOBS), "--latest", "--names")
    assert sorted(outcome.lines) == list("abcdefghijkl")


@pytest.mark.parametrize("job_ids", ["?xy", "x?y", "xy?", "?x?y?"])
@pytest.mark.parametrize("options", [[], ["--latest"], ["--prefetch"]], ids=str)
def test_an_unknown_job_does_not_end_a_listing(
    job_ids: str, options: list[str], local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """It is named, the next one is listed, the file is complete, and the exit code is 1."""
    local_endpoint({"x": FIRST, "y": SECOND})
    file = tmp_path / "rows"
    names = [f"no-{place}" if name == "?" else name for place, name in enumerate(job_ids)]
    outcome = run("list", *names, *options, f"--output={file}", "--format=names")
    unknown = [name for name in names if name.startswith("no-")]
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        f"iotjobs: no job {name!r} in us-east-1; is it in another region?" for name in unknown
    ]
    assert file.read_text().splitlines() == thing_names([*FIRST, *SECOND])
    assert list(tmp_path.iterdir()) == [file]


def test_a_listing_of_unknown_jobs_writes_nothing(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Each one is named, and a file of earlier rows does not change."""
    local_endpoint(JOBS)
    file = tmp_path / "rows"
    file.write_text("earlier\n")
    outcome = run("list", "x", "y", f"--output={file}")
    assert outcome.code == 1
    assert [line[:19] for line in outcome.err.splitlines()] == [
        f"iotjobs: no job '{name}'" for name in "xy"
    ]
    assert (file.read_text(), list(tmp_path.iterdir())) == ("earlier\n", [file])


def test_a_resumed_listing_may_end_at_an_unknown_job(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The rows of the jobs before it are complete, so the file is."""
    local_endpoint({"first": FIRST}, faults={2: AccessDeniedError})
    file = tmp_path / "rows"
    second = run("list", "first", "no-job", f"--output={file}").resume()
    assert second.code == 1
    assert second.err == "iotjobs: no job 'no-job' in us-east-1; is it in another region?\n"
    assert file.read_text() == to_rows(FIRST)
    assert list(tmp_path.iterdir()) == [file]


def test_a_job_that_is_deleted_in_the_middle_is_not_elsewhere(
    local_endpoint: StartLocalEndpoint,
) -> None:
    """The message does not send the user to another region, and the listing ends."""
    endpoint = local_endpoint(JOBS, faults={3: ResourceNotFoundError})
    outcome = run("list", *JOBS, PAGE)
    assert (outcome.code, outcome.out) == (1, to_rows(ALL[:10]))
    assert outcome.err.splitlines() == [
        "iotjobs: job 'second' does not exist any more",
        "The listing must start over: the service does not accept its position any more.",
    ]
    assert requested_jobs(endpoint) == ["first", "second", "second"]


def test_jobs_without_executions_say_so(local_endpoint: StartLocalEndpoint) -> None:
    """One line is for all of them."""
    local_endpoint({"x": [], "y": []})
    assert run("list", "x", "y").err == "iotjobs: 2 jobs have no executions\n"
    assert run("summary", "x", "y").err == "iotjobs: no executions in 2 jobs\n"


EXPECTED = [
    "3 jobs: 14 executions on 12 things",
    "",
    "job     things  succeeded  failed  withdrawn  unfinished",
    "first        5          4       1          0           0",
    "second       7          6       1          0           0",
    "repair       2          1       1          0           0",
    "",
    "succeeded   11  91.7%  SUCCEEDED",
    "failed       1   8.3%  FAILED, TIMED_OUT or REJECTED",
]
FORMS = ["jobs", "files", "one file", "standard input"]


@pytest.fixture(params=FORMS)
def source(
    request: pytest.FixtureRequest, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> tuple[list[str], str]:
    """The arguments for the same executions from the service or from files, and the input."""
    form, output_format = request.param, "csv" if request.param == "one file" else "ndjson"
    local_endpoint(JOBS)
    if form == "jobs":
        return [*JOBS, "first"], ""
    texts = {job_id: to_rows(JOBS[job_id], output_format) for job_id in JOBS}
    if form != "files":
        texts = {"rows": to_rows(ALL, output_format)}
    if form == "standard input":
        return ["--input=-"], texts["rows"]
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    # A file that is named twice is read once.
    return [f"--input={tmp_path / name}" for name in [*texts, *texts]], ""


def summarize(source: tuple[list[str], str], *options: str) -> Outcome:
    arguments, stdin = source
    outcome = run("summary", *arguments, *options, stdin=stdin)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome


def test_a_summary_begins_with_a_line_for_each_job(source: tuple[list[str], str]) -> None:
    """A job's line counts its own executions; the totals count each thing by its last one."""
    assert summarize(source).lines[: len(EXPECTED)] == EXPECTED


@pytest.mark.parametrize("width", [50, 80, 200])
def test_lines_of_jobs_fit_a_narrow_terminal(
    width: int, local_endpoint: StartLocalEndpoint
) -> None:
    """A narrow terminal loses columns, and a long job ID is folded; nothing is cut."""
    job_ids = ["first" * 12, "second"]
    local_endpoint(dict.fromkeys(job_ids, FIRST))
    lines = to_screen(Terminal().run("summary", *job_ids, width=width).out)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    headings = ["things", "succeeded", "failed", "withdrawn", "unfinished"]
    expected = headings if width > 50 else ["succeeded", "failed", "unfinished"]
    assert lines[1].split() == ["job", *expected]
    (row,) = (line.split() for line in lines if line.startswith("second"))
    counts = dict(zip(headings, ["5", "4", "1", "0", "0"], strict=True))
    assert row == ["second", *(counts[name] for name in expected)]
    folded = "".join(line.split()[0] for line in lines[2:])
    assert folded.startswith(f"{job_ids[0]}second")


def test_json_has_a_list_of_jobs(source: tuple[list[str], str]) -> None:
    """Each has its ID and the same counts as its line; the failures name their jobs."""
    content = json.loads(summarize(source, "--format=json").out)
    lines = [
        " ".join(map(str, [job["job_id"], *job["things"].values()])) for job in content["jobs"]
    ]
    assert lines == [" ".join(line.split()) for line in EXPECTED[3:6]]
    assert content["things"]["total"] == 12
    assert [(row["job_id"], row["thing_name"]) for row in content["failed_last"]] == [
        ("repair", "f")
    ]


@pytest.mark.parametrize("output_format", ["ndjson", "csv"])
def test_rows_without_a_job_come_from_one_file_only(output_format: str, tmp_path: Path) -> None:
    """In several files, they could be rows of different jobs; the first such row is named."""
    files = [tmp_path / "old", tmp_path / "new"]
    for file, job_id in zip(files, (None, "first"), strict=True):
        file.write_text(to_rows([make_execution("a", job_id=job_id)] * 2, output_format))
    old, new = (f"--input={file}" for file in files)
    text = files[0].read_text().replace("job_id,", "").replace('"job_id": null, ', "")
    files[0].write_text(text.replace("\n,", "\n"))
    assert run("summary", old).lines[0] == f"{files[0]}: 1 execution on 1 thing"
    outcome = run("summary", new, old)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"row 1 of {files[0]} must be as" in outcome.err
    assert "it has no job_id, which is needed with several files" in outcome.err


@pytest.mark.parametrize("command", ["summary", "wait"])
def test_an_unknown_job_ends_other_commands_at_once(
    command: str, local_endpoint: StartLocalEndpoint
) -> None:
    """A summary without it would be wrong, and it would never be done."""
    endpoint = local_endpoint(JOBS)
    outcome = run(command, "no-job", *JOBS)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "iotjobs: no job 'no-job' in us-east-1; is it in another region?\n"
    assert requested_jobs(endpoint) == ["no-job"]


def test_wait_is_done_when_all_jobs_are(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check requests the same of each job, and its line has those that are not done."""
    endpoint = local_endpoint({"x": [make_execution("a", "QUEUED")], "y": FIRST[:1], "z": []})
    Clock(
        monkeypatch,
        lambda: endpoint.move("x", "a", "IN_PROGRESS"),
        lambda: endpoint.move("x", "a", "SUCCEEDED"),
    )
    outcome = run("wait", "x", "y", "x")
    assert (outcome.code, outcome.out) == (0, "2 jobs are done: all things succeeded\n")
    assert outcome.err.splitlines() == ["x: 1 QUEUED", "x: 1 IN_PROGRESS"]
    y_check = ["QUEUED", "IN_PROGRESS"]
    assert requested_statuses(endpoint)[:7] == ["QUEUED", *y_check, *y_check, *y_check]
    outcome = run("wait", "x", "y", "z", "--timeout=0")
    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err.splitlines()[-1] == "iotjobs: not done after 0 s: z: no executions yet"


@pytest.mark.parametrize(
    ("job_ids", "code", "lines"),
    [
        (["first", "second"], 3, ["  e  FAILED  first", "  f  FAILED  second"]),
        (["repair", "second", "first"], 3, ["  f  TIMED_OUT  repair"]),
        (["first", "end"], 0, []),
        (["end", "second", "repair", "first"], 0, []),
        (["repair", "same"], 0, []),
        (["same", "repair"], 3, ["  f  TIMED_OUT  repair"]),
    ],
    ids=["failures in both", "failed again", "repaired", "any order", "tie", "other tie"],
)
def test_wait_judges_things_over_all_jobs(
    job_ids: list[str], code: int, lines: list[str], local_endpoint: StartLocalEndpoint
) -> None:
    """The execution of a thing that was queued last counts; if two were, that of the later job."""
    jobs = {
        name: make_wave(name, day, "ef", "SUCCEEDED") for name, day in (("end", 4), ("same", 3))
    }
    local_endpoint({**JOBS, **jobs})
    outcome = run("wait", *job_ids)
    assert (outcome.code, outcome.err, outcome.lines[1:]) == (code, "", lines)


def test_fail_fast_looks_at_all_jobs(local_endpoint: StartLocalEndpoint) -> None:
    """A failure in the second job ends the command while the first one is in progress."""
    local_endpoint({"x": [make_execution("a", "QUEUED")], "y": FIRST})
    outcome = run("wait", "x", "y", "--fail-fast")
    assert (outcome.code, outcome.lines) == (3, ["2 jobs are failing (1 FAILED)", "  e  FAILED  y"])
