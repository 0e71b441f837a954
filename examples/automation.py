"""A report that each run continues until it is complete, for use with a scheduler.

``python examples/automation.py firmware-42 report.csv`` appends one page at a time and saves its
position beside the report, so a scheduler may stop it at any moment and start it again. It exits
with 0 if the report is complete, with 75, which asks for another run, after a temporary error, and
with 1 if another run would not help. It refuses a file of that name that it did not begin.
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


def continue_report(job_id: str, report: Path) -> int:
    """Append the missing rows to the report."""
    place = report.with_name(f"{report.name}.place")
    if not place.exists():
        if report.exists():
            print(f"{report} exists already, and is not a report of this script", file=sys.stderr)
            return FAILED
        write_atomically(place, json.dumps([job_id, 0, None, False]))
    of_job, size, token, is_complete = json.loads(place.read_text(encoding="utf-8"))
    if of_job != job_id or (size and (not report.exists() or report.stat().st_size < size)):
        print(f"{place} does not belong to this report of {job_id}", file=sys.stderr)
        return FAILED
    if is_complete:
        return DONE
    with IoTJobsClient() as client, report.open("a", newline="", encoding="utf-8") as file:
        file.truncate(size)  # removes a page that an interrupted run wrote in part
        rows = csv.writer(file)
        try:
            listing = client.list_job_executions_for_job(job_id, resume_token=token)
            for page in listing.pages():
                rows.writerows(e.to_dict().values() for e in page.executions)
                file.flush()
                token = page.resume_token
                write_atomically(place, json.dumps([job_id, file.tell(), token, token is None]))
        except IoTJobsError as error:
            print(error, file=sys.stderr)
            return TRY_AGAIN if error.is_retryable else FAILED
    return DONE


def write_atomically(path: Path, text: str) -> None:
    """Write the file so that an interrupted run leaves the old text or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def main() -> int:
    """Continue the report that the command line names."""
    parser = argparse.ArgumentParser(description="Report on a job, run by run.")
    parser.add_argument("job_id")
    parser.add_argument("report", type=Path)
    options = parser.parse_args()
    try:
        return continue_report(options.job_id, options.report)
    except OSError as error:
        print(error, file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
