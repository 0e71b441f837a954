"""In automation: a report that every run carries on with, until it is whole.

``python examples/automation.py firmware-42 report.csv`` appends a page at a time and keeps its
place beside the report, so a scheduler may stop it at any moment and start it again. It exits
with 0 when the report is whole, and with 75, which asks for another run, when it is not.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from iotjobs_client import IoTJobsClient, IoTJobsError

DONE, TRY_AGAIN = 0, 75
"""Exit codes; the second is EX_TEMPFAIL of sysexits.h."""


def carry_on(job_id: str, report: Path) -> int:
    """Append what is missing of the report."""
    place = report.with_suffix(".place")
    size, token = 0, None
    if place.exists():
        size, token = json.loads(place.read_text())
        if token is None:
            return DONE
    with IoTJobsClient() as client, report.open("a", newline="", encoding="utf-8") as file:
        file.truncate(size)  # a page that was half written when the last run ended
        listing = client.list_job_executions_for_job(job_id, resume_token=token)
        rows = csv.writer(file)
        try:
            for page in listing.pages():
                rows.writerows((e.thing_name, e.status, e.last_updated_at) for e in page.executions)
                file.flush()
                write_whole(place, json.dumps([file.tell(), page.resume_token]))
        except IoTJobsError as error:
            print(error, file=sys.stderr)
            return TRY_AGAIN
    return DONE


def write_whole(path: Path, text: str) -> None:
    """So that an interrupted run leaves the old text or the new one."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    sys.exit(carry_on(sys.argv[1], Path(sys.argv[2])))
