"""``iotjobs list``: rows out, page by page, and where to go on after a fault."""

from __future__ import annotations

from collections.abc import Iterator

from iotjobs_client import JobExecutionPage, JobExecutionPaginator, JobExecutionSummary
from iotjobs_client.cli._formats import Rows, counted
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._terminal import Signals, StatusLine, Stopped


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
    return f"{counted(count, 'execution')} in {seconds:,.0f} s{rate}"


class RowsOut:
    """Writes the rows of a listing, and knows at every moment how far they are out.

    Attributes:
        count: How many rows are out.
        resume_token: Where the listing resumes behind them; ``None`` at its end.
        is_complete: Whether all rows are out, or as many as were to be.
    """

    def __init__(
        self,
        listing: JobExecutionPaginator,
        output: StandardOutput | OutputFile,
        header: str,
        rows: Rows,
        signals: Signals,
    ) -> None:
        self._line = StatusLine()
        self._listing = listing
        self._output = output
        self._header = header
        self._rows = rows
        self._signals = signals
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
        pages = self._listing.pages()
        has_progress = False
        try:
            while not self.is_complete:
                page = next(pages, None)
                line.clear()
                with self._signals.held(can_be_forced=self._output.may_block):
                    if page is None:  # what was left of the listing is gone
                        self.resume_token = None
                    else:
                        self._write_page(page)
                        has_progress = True
                    is_enough = self.count == self._listing.max_items
                    if is_enough or self.resume_token is None:
                        self.is_complete = True
                        self._output.finish(self.resume_token)
                line.draw(progress(self.count, line.seconds), now=self.is_complete)
        except BaseException as error:
            line.clear()
            if not self.is_complete:
                self._stop(self.resume_token if has_progress else None)
            elif isinstance(error, Stopped):
                return  # it came too late
            else:
                self.resume_token = None  # the rows before it are not where they should be
            raise
        line.end()

    def _stop(self, resume_token: str | None) -> None:
        try:
            self._output.stop(resume_token)
        except OSError:  # nothing was kept
            self.resume_token, self.count = self._listing.resume_token, 0
            raise

    def _write_page(self, page: JobExecutionPage) -> None:
        text = self._rows(page.executions)
        if self._output.is_empty:
            text = self._header + text
        self._output.write(text)
        self._output.is_empty = False
        self.count += len(page.executions)
        self.resume_token = page.resume_token
