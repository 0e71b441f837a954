"""``iotjobs list --output``: the file is replaced atomically."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from commands import FLEET, PAGE, fail_full_disk, limited_file_size, run, thing_names, to_names
from support import JOB_ID, posix_only

from iotjobs_client import AccessDeniedError
from iotjobs_client.cli._output import JobsPosition, OutputFile
from iotjobs_client.testing.fixtures import StartLocalEndpoint

POSITION = JobsPosition((JOB_ID,), "token")
# Windows has several messages, which depend on the length of the whole path.
NAME_TOO_LONG = "" if os.name == "nt" else "File name too long"
needs_size_limit = posix_only("Windows cannot limit the size of files")
needs_descriptors = pytest.mark.skipif(
    os.name == "nt" or not Path("/proc/self/fd").exists(),
    reason="needs files that are names of open streams",
)


@pytest.mark.parametrize(
    ("old", "output_format"),
    [(None, "csv"), ("old rows\n", "ndjson"), (None, "names"), ("old rows\n", "table")],
)
def test_a_file_is_replaced_when_all_rows_are_there(
    old: str | None, output_format: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Until then it does not change, even over two errors; afterwards nothing else is left."""
    file = tmp_path / "rows of today.txt"
    if old is not None:
        file.write_text(old)
    options = ["list", JOB_ID, f"--format={output_format}", PAGE]
    local_endpoint({JOB_ID: FLEET}, faults=dict.fromkeys((2, 4), AccessDeniedError))
    outcome = run(*options, f"--output={file}")
    for _ in range(2):
        assert (outcome.code, outcome.out) == (1, "")
        assert (file.read_text() if file.exists() else None) == old
        outcome = outcome.resume()
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    # The columns of a table are as wide as the first rows of each run need.
    rows = [line.split() for line in file.read_text().splitlines()]
    assert rows == [line.split() for line in run(*options).lines]
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_before_the_first_page_leaves_nothing(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The printed command is the original one."""
    local_endpoint({JOB_ID: FLEET}, faults={1: AccessDeniedError})
    outcome = run("list", JOB_ID, f"--output={tmp_path / 'rows'}")
    assert list(tmp_path.iterdir()) == []
    assert "--resume-token" not in outcome.err
    outcome.resume()
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


def test_an_error_of_a_resumed_run_changes_nothing(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """The rows stay where they are, and the same command resumes."""
    local_endpoint({JOB_ID: FLEET}, faults=dict.fromkeys((2, 3), AccessDeniedError))
    first = run("list", JOB_ID, PAGE, f"--output={tmp_path / 'rows'}")
    kept = list(tmp_path.iterdir())
    second = first.resume()
    assert second.err.splitlines()[1:] == first.err.splitlines()[1:]
    assert list(tmp_path.iterdir()) == kept
    second.resume()
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


def test_more_executions_are_appended(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """After ``--max-items``, the printed command appends to the file, without headings."""
    file = tmp_path / "rows.csv"
    local_endpoint({JOB_ID: FLEET})
    first = run("list", JOB_ID, f"--output={file}", "--max-items=8")
    assert len(file.read_text().splitlines()) == 9
    run(*first.printed_arguments("There may be more"))
    head, *rows = file.read_text().splitlines()
    assert head.startswith("job_id,")
    assert [row.split(",")[1] for row in rows] == thing_names(FLEET[:16])


def test_links_and_permissions_stay(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """The target of a symbolic link is replaced, not the link; its mode does not change."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch(mode=0o640)
    mode = file.stat().st_mode
    assert os.name == "nt" or stat.S_IMODE(mode) == 0o640
    link.symlink_to("file")
    local_endpoint({JOB_ID: FLEET})
    run("list", JOB_ID, f"--output={link}")
    assert link.is_symlink()
    assert to_names(file.read_text()) == thing_names(FLEET)
    assert file.stat().st_mode == mode


@posix_only("Windows does not replace a read-only file")
def test_a_read_only_file_is_replaced(local_endpoint: StartLocalEndpoint, tmp_path: Path) -> None:
    """It stays read-only; only its folder must be writable."""
    file = tmp_path / "rows"
    file.touch(mode=0o440)
    local_endpoint({JOB_ID: FLEET})
    assert run("list", JOB_ID, f"--output={file}").code == 0
    assert to_names(file.read_text()) == thing_names(FLEET)
    assert stat.S_IMODE(file.stat().st_mode) == 0o440


@posix_only("a file of Windows has no group")
def test_a_replaced_file_keeps_its_owner_and_group(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the process may set only the group, it sets that; a new file has neither set."""
    changes: list[tuple[int, int]] = []

    def chown(path: Path, owner: int, group: int) -> None:
        assert path.parent == tmp_path
        changes.append((owner, group))
        if owner != -1:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    local_endpoint({JOB_ID: FLEET})
    for _ in range(2):
        assert run("list", JOB_ID, f"--output={tmp_path / 'rows'}").code == 0
    status = (tmp_path / "rows").stat()
    assert changes == [(status.st_uid, -1), (-1, status.st_gid)]


def test_a_new_file_has_the_usual_permissions(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Its mode follows the umask, as if a shell had redirected the output to it."""
    local_endpoint({JOB_ID: FLEET})
    run("list", JOB_ID, f"--output={tmp_path / 'rows'}")
    usual = tmp_path / "usual"
    usual.touch()
    assert (tmp_path / "rows").stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("no-such-folder/rows", "cannot write {file}: No such file or directory"),
        ("x" * 235, f"cannot write {{file}}: {NAME_TOO_LONG}"),
        pytest.param(
            "pipe",
            "cannot replace {file}: it is not a regular file; redirect standard output",
            marks=posix_only("Windows has no named pipes in folders"),
        ),
        (".", "cannot replace {file}: it is not a regular file; redirect standard output"),
        ("/", "cannot replace {file}: it is not a regular file; redirect standard output"),
    ],
)
def test_an_unusable_file_is_reported_before_any_request(
    file: str, text: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """One line says what is wrong with it."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    if file == "pipe":  # A device, such as /dev/null, would be at risk in a test.
        os.mkfifo(tmp_path / file)
    path = tmp_path / file
    outcome = run("list", JOB_ID, f"--output={path}")
    assert outcome.code == 1
    assert outcome.err.startswith(f"iotjobs: {text.format(file=path)}")
    assert len(outcome.err.splitlines()) == 1
    assert endpoint.requests == []


@posix_only("Windows has no mount points that are files")
def test_a_mount_point_is_refused(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may mount a single file, which cannot be replaced."""
    file = tmp_path / "rows \\ 1"
    file.write_text("old rows\n")
    mounts = tmp_path / "mounts"
    escaped = str(file).replace("\\", "\\134").replace(" ", "\\040")
    mounts.write_text(
        "21 28 0:20 / / rw - overlay overlay rw\n"
        f"743 28 254:0 /host/rows {escaped} rw,relatime shared:1 - ext4 /dev/vda rw\n"
    )
    monkeypatch.setattr("iotjobs_client.cli._target._MOUNTS", mounts)
    endpoint = local_endpoint({JOB_ID: FLEET})
    outcome = run("list", JOB_ID, f"--output={file}", "--format=csv")
    assert outcome.code == 1
    assert "it is a mount point; redirect standard output instead (> FILE)" in outcome.err
    assert endpoint.requests == []
    monkeypatch.setattr("iotjobs_client.cli._target._MOUNTS", tmp_path / "other system")
    assert run("list", JOB_ID, f"--output={file}", "--format=csv").code == 0


def test_a_file_that_windows_does_not_replace_is_refused(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is read-only, or open in a spreadsheet, can be neither moved nor replaced."""

    def fail(*_: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    file = tmp_path / "rows.csv"
    file.touch()
    endpoint = local_endpoint({JOB_ID: FLEET})
    monkeypatch.setattr(Path, "replace", fail)
    outcome = run("list", JOB_ID, f"--output={file}")
    assert outcome.code == 1
    assert outcome.err == f"iotjobs: cannot replace {file}: The process cannot access the file\n"
    file.chmod(0o444)
    monkeypatch.setattr("iotjobs_client.cli._target._IS_WINDOWS", True)
    outcome = run("list", JOB_ID, f"--output={file}")
    assert outcome.err == f"iotjobs: cannot replace {file}: it is read-only\n"
    assert endpoint.requests == []
    assert list(tmp_path.iterdir()) == [file]


@needs_descriptors
def test_a_name_of_standard_output_is_standard_output(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """A file that the shell opened keeps its rows: ``-o /dev/stdout >> FILE``."""
    local_endpoint({JOB_ID: FLEET})
    file, link = tmp_path / "all", tmp_path / "link"
    file.write_text("earlier\n")
    link.symlink_to("all")
    with file.open("a") as stdout:
        for name in (f"/proc/self/fd/{stdout.fileno()}", file, link):
            assert run("list", JOB_ID, f"--output={name}", stdout=stdout).code == 0
    first, *rows = file.read_text().splitlines()
    assert (first, len(rows)) == ("earlier", 3 * len(FLEET))
    assert sorted(tmp_path.iterdir()) == [file, link]


@needs_descriptors
@pytest.mark.parametrize("command", ["list", "summary"])
def test_another_open_stream_is_not_replaced(
    command: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """A link may lead to it, as ``/dev/stderr`` does."""
    if command == "summary":
        pytest.importorskip(
            "matplotlib", reason="--plot needs matplotlib, which has no wheels without the GIL"
        )
    endpoint = local_endpoint({JOB_ID: FLEET})
    file, link = tmp_path / "log", tmp_path / "link.svg"
    with file.open("w") as log:
        log.write("earlier\n")
        link.symlink_to("inner")
        (tmp_path / "inner").symlink_to(f"/proc/self/fd/{log.fileno()}")
        options = ["--format=names", "--output"] if command == "list" else ["--plot"]
        outcome = run(command, JOB_ID, *options, str(link))
    assert outcome.code == 1
    assert outcome.err.startswith(f"iotjobs: cannot replace {link}: it is an open stream;")
    assert (file.read_text(), endpoint.requests) == ("earlier\n", [])


@pytest.mark.parametrize("output", ["rows", "-"])
def test_a_run_without_a_digest_of_rows_is_refused(
    output: str, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """Nothing says which rows its token follows. Standard output needs no digest."""
    endpoint = local_endpoint({JOB_ID: FLEET})
    outcome = run("list", JOB_ID, "--max-items=8")
    (token,) = re.findall(r"--resume-token=(\S+)", outcome.err)
    file = tmp_path / "rows" if output == "rows" else output
    for digest in ("", ".", ".0", "./../rows", f".{'0' * 17}"):
        outcome = run("list", JOB_ID, f"--output={file}", f"--resume-token={token}{digest}")
        if output == "-":
            assert outcome.names == thing_names(FLEET[8:])
        else:
            assert (outcome.code, len(endpoint.requests)) == (2, 1)
            assert "--resume-token with --output must be TOKEN.DIGEST" in outcome.err
            assert list(tmp_path.iterdir()) == []


@needs_size_limit
def test_earlier_rows_that_cannot_be_copied_stay(
    local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> None:
    """If the disk is full, the resumed run ends before any request, and the command still works."""
    endpoint = local_endpoint({JOB_ID: FLEET}, faults={2: AccessDeniedError})
    first = run("list", JOB_ID, PAGE, f"--output={tmp_path / 'rows'}")
    kept = list(tmp_path.iterdir())
    with limited_file_size(100):
        second = first.resume()
    assert (second.code, len(endpoint.requests)) == (1, 2)
    assert second.err == "iotjobs: [Errno 27] File too large\n"
    assert list(tmp_path.iterdir()) == kept
    assert first.resume().code == 0
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


def test_rows_that_a_full_disk_loses_are_listed_again(
    local_endpoint: StartLocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the rows cannot be kept, the printed command starts over."""
    local_endpoint({JOB_ID: FLEET}, faults={2: AccessDeniedError})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail_full_disk)
        outcome = run("list", JOB_ID, PAGE, f"--output={tmp_path / 'rows'}")
    assert outcome.code == 1
    assert "--resume-token" not in outcome.err
    outcome.resume()
    assert to_names((tmp_path / "rows").read_text()) == thing_names(FLEET)


@pytest.mark.parametrize(
    ("function", "rows"),
    [("os.fsync", "the rows, perhaps not all,"), ("pathlib.Path.replace", "all rows")],
)
def test_rows_in_a_file_that_cannot_be_renamed_are_found(
    function: str,
    rows: str,
    local_endpoint: StartLocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If only the last step fails, the message says which file has the rows."""
    local_endpoint({JOB_ID: FLEET})
    with monkeypatch.context() as patch:
        patch.setattr(function, fail_full_disk)
        outcome = run("list", JOB_ID, PAGE, f"--output={tmp_path / 'rows'}")
    assert outcome.code == 1
    assert "To resume" not in outcome.err
    (path,) = re.findall(rf"No space left on device: {rows} are in (\S+)\n$", outcome.err)
    assert to_names(Path(path).read_text()) == thing_names(FLEET)


@needs_size_limit
def test_a_page_that_was_written_in_part_is_not_kept(tmp_path: Path) -> None:
    """The kept rows end at the page before it, where the token resumes."""
    output = OutputFile(tmp_path / "rows")
    output.write("first\n", 1, POSITION)
    with limited_file_size(9), pytest.raises(OSError, match="File too large"):
        output.write("second\n", 1, POSITION)
    output.stop()
    (kept,) = tmp_path.iterdir()
    assert kept.read_text() == "first\n"
    output = OutputFile(tmp_path / "rows", position=output.position)
    output.write("second\n", 1, POSITION)  # A service may send the same token again.
    output.stop()
    assert kept.read_text() == "first\n"  # The earlier command still resumes after it.
    assert {path.read_text() for path in tmp_path.iterdir()} == {"first\n", "first\nsecond\n"}


def test_a_run_that_stops_after_its_last_page_is_complete(tmp_path: Path) -> None:
    """A signal may come when all rows are there, and before the file is renamed."""
    output = OutputFile(tmp_path / "rows")
    output.write("all\n", 1, None)
    output.stop()
    assert output.is_finished
    assert (tmp_path / "rows").read_text() == "all\n"


def test_two_runs_at_once_do_not_mix_their_rows(tmp_path: Path) -> None:
    """Each run writes to a file of its own; the last one to end replaces the file."""
    file = tmp_path / "rows"
    first, second = OutputFile(file), OutputFile(file)
    for number in range(2):
        first.write(f"first {number}\n", 1, POSITION)
        second.write(f"second {number}\n", 1, POSITION)
    second.finish()
    assert file.read_text() == "second 0\nsecond 1\n"
    first.finish()
    assert file.read_text() == "first 0\nfirst 1\n"
    assert list(tmp_path.iterdir()) == [file]
