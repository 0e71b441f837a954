"""pandas and polars read the files of ``iotjobs list``; ``nox -s frames`` runs these tests.

pytest does not collect this file by its name, because the packages are large.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import pytest
from commands import run, thing_names
from support import JOB_ID

from iotjobs_client.testing import make_fleet
from iotjobs_client.testing.fixtures import StartLocalEndpoint

pandas: Any = import_module("pandas")  # It has no types here, as the other one.
polars: Any = import_module("polars")

# The times of one column are whole seconds, milliseconds and microseconds, and some are absent.
FLEET = make_fleet(50)
for position, microsecond in ((3, 0), (4, 60_000), (5, 60_123)):
    updated_at = FLEET[position].last_updated_at
    assert updated_at is not None
    FLEET[position] = attrs.evolve(
        FLEET[position], last_updated_at=updated_at.replace(microsecond=microsecond)
    )
TIMES = ("queued_at", "started_at", "last_updated_at")


@pytest.fixture(params=["ndjson", "csv"])
def file(
    request: pytest.FixtureRequest, local_endpoint: StartLocalEndpoint, tmp_path: Path
) -> Path:
    """The rows of a job in one of the formats."""
    local_endpoint({JOB_ID: FLEET})
    path = tmp_path / f"rows.{request.param}"
    assert run("list", JOB_ID, f"--output={path}").code == 0
    return path


def expected_times(name: str) -> list[datetime | None]:
    return [getattr(execution, name) for execution in FLEET]


def to_times(column: Any) -> list[datetime | None]:
    return [None if pandas.isna(at) else at.to_pydatetime() for at in column]


def test_pandas_reads_all_values(file: Path) -> None:
    """``parse_dates`` and ``read_json`` return times, not text; absent ones are missing."""
    if file.suffix == ".csv":
        frame = pandas.read_csv(file, parse_dates=list(TIMES))
    else:
        frame = pandas.read_json(file, lines=True)
    assert list(frame["thing_name"]) == thing_names(FLEET)
    for name in TIMES:
        assert str(frame[name].dtype).startswith("datetime64[")
        assert to_times(frame[name]) == expected_times(name)


def test_pandas_converts_a_column_of_text(file: Path) -> None:
    """``to_datetime`` accepts the times of a column, whatever their fractions."""
    if file.suffix == ".csv":
        frame = pandas.read_csv(file)
    else:
        frame = pandas.DataFrame(map(json.loads, file.read_text().splitlines()))
    for name in TIMES:
        column = pandas.to_datetime(frame[name], format="ISO8601")
        assert to_times(column) == expected_times(name)


def test_polars_reads_all_values(file: Path) -> None:
    """``try_parse_dates`` and ``str.to_datetime`` return times in UTC."""
    if file.suffix == ".csv":
        frame = polars.read_csv(file, try_parse_dates=True)
    else:
        frame = polars.read_ndjson(file)
        frame = frame.with_columns(polars.col(*TIMES).str.to_datetime(time_zone="UTC"))
    assert frame["thing_name"].to_list() == thing_names(FLEET)
    for name in TIMES:
        assert frame[name].to_list() == expected_times(name)


def test_statuses_can_be_counted(file: Path) -> None:
    """The statuses are plain text."""
    rows = polars.read_csv(file) if file.suffix == ".csv" else polars.read_ndjson(file)
    assert dict(rows["status"].value_counts().rows()) == Counter(str(e.status) for e in FLEET)
