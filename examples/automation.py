"""In automation: a report that every run carries on with, until it is whole.

``python examples/automation.py firmware-42 report.csv`` appends a page at a time and keeps its
place beside the report, so a scheduler may stop it at any moment and start it again. It exits
with 0 when the report is whole, with 75, which asks for another run, when it is not, and with 1
when another run would not help. A file of that name that it did not begin is refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

from iotjobs_client import IoTJobsClient, IoTJobsError

DONE, FAILED, TRY_AGAIN = 0, 1, 75
"""Exit codes; the last is EX_TEMPFAIL of sysexits.h."""


def carry_on(job_id: str, report: Path) -> int:
    """Append what is missing of the report."""
    place = report.with_name(f"{report.name}.place")
    if not place.exists():
        if report.exists():
            print(f"{report} is there already, and was not begun here", file=sys.stderr)
            return FAILED
        write_whole(place, json.dumps([job_id, 0, None, False]))
    of_job, size, token, is_whole = json.loads(place.read_text(encoding="utf-8"))
    if of_job != job_id or (size and (not report.exists() or report.stat().st_size < size)):
        print(f"{place} does not belong to this report of {job_id}", file=sys.stderr)
        return FAILED
    if is_whole:
        return DONE
    with IoTJobsClient() as client, report.open("a", newline="", encoding="utf-8") as file:
        file.truncate(size)  # a page that was half written when the last run ended
        rows = csv.writer(file)
        try:
            listing = client.list_job_executions_for_job(job_id, resume_token=token)
            for page in listing.pages():
                rows.writerows((e.thing_name, e.status, e.last_updated_at) for e in page.executions)
                file.flush()
                token = page.resume_token
                write_whole(place, json.dumps([job_id, file.tell(), token, token is None]))
        except IoTJobsError as error:
            print(error, file=sys.stderr)
            return TRY_AGAIN if error.is_retryable else FAILED
    return DONE


def write_whole(path: Path, text: str) -> None:
    """So that an interrupted run leaves the old text or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def main() -> int:
    """Carry on with the report on the command line."""
    parser = argparse.ArgumentParser(description="Report on a job, run by run.")
    parser.add_argument("job_id")
    parser.add_argument("report", type=Path)
    options = parser.parse_args()
    try:
        return carry_on(options.job_id, options.report)
    except OSError as error:
        print(error, file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
