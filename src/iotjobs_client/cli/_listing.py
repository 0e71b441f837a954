"""``iotjobs list``: rows out, page by page, and where to go on after a fault."""

from __future__ import annotations

from collections.abc import Iterator

from iotjobs_client import JobExecutionPaginator, JobExecutionSummary
from iotjobs_client.cli._formats import Rows
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._terminal import StatusLine, no_interrupt


def watched(listing: JobExecutionPaginator, line: StatusLine) -> Iterator[JobExecutionSummary]:
    """The executions, while ``line`` counts them."""
    count = 0
    try:
        for page in listing.pages():
            yield from page.executions
            count += len(page.executions)
            line.draw(progress(count, line.seconds))
    finally:
        line.clear()


def progress(count: int, seconds: float) -> str:
    """Such as ``12,500 executions in 5 s, 2,500 a second``."""
    rate = f", {count / seconds:,.0f} a second" if seconds else ""
    return f"{count:,} executions in {seconds:,.0f} s{rate}"


class RowsOut:
    """Writes the rows of a listing, and knows at every moment how far they are out.

    Attributes:
        count: How many rows are out.
        resume_token: Where the listing goes on behind them; ``None`` at its end.
        is_complete: Whether all rows are out, or as many as were to be.
    """

    def __init__(
        self,
        listing: JobExecutionPaginator,
        output: StandardOutput | OutputFile,
        header: str,
        rows: Rows,
    ) -> None:
        self._line = StatusLine()
        self._listing = listing
        self._output = output
        self._header = header
        self._rows = rows
        self.count = 0
        self.resume_token = listing.resume_token
        self.is_complete = False

    def write(self) -> None:
        """Write them all.

        Raises:
            IoTJobsError: A request failed.
            OSError: The output takes no more.
        """
        line = self._line
        has_progress = False
        try:
            for page in self._listing.pages():
                text = self._rows(page.executions)
                if self._output.is_empty:
                    text = self._header + text
                line.clear()
                with no_interrupt():
                    self._output.write(text)
                    self._output.is_empty = False
                    self.count += len(page.executions)
                    self.resume_token = page.resume_token
                    is_enough = self.count == self._listing.max_items
                    self.is_complete = is_enough or page.resume_token is None
                    has_progress = True
                line.draw(progress(self.count, line.seconds))
        except BaseException:
            line.clear()
            if not self.is_complete:  # else Ctrl-C came too late
                self._output.stop(self.resume_token if has_progress else None)
                raise
        with no_interrupt():
            self._output.finish(self.resume_token)
        line.draw(progress(self.count, line.seconds), now=True)
        line.end()
