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
        count: How many rows are out, or kept for who resumes.
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
        self._written: tuple[int, str | None] = 0, listing.resume_token
        self.count, self.resume_token = self._written
        self.is_complete = False

    def write(self) -> None:
        """Write them all.

        Raises:
            IoTJobsError: A request failed.
            OSError: The output takes no more.
        """
        line = self._line
        pages = self._listing.pages()
        try:
            while not self.is_complete:
                page = next(pages, None)
                line.clear()
                with self._signals.held(can_be_forced=self._output.may_block):
                    self._write_page(page)
                line.draw(progress(self._written[0], line.seconds), now=self.is_complete)
        except BaseException as error:
            if self.is_complete and isinstance(error, Stopped):
                return  # it came too late
            with self._signals.held():
                line.clear()
                if self.is_complete:
                    self.resume_token = None  # the rows before it are not where they should be
                else:
                    self._stop()
            raise
        line.end()

    def _write_page(self, page: JobExecutionPage | None) -> None:
        if page is None:  # what was left of the listing is gone
            self._written = self._written[0], None
        else:
            text = self._rows(page.executions)
            if self._output.is_empty:
                text = self._header + text
            self._output.write(text)
            self._output.is_empty = False
            self._written = self._written[0] + len(page.executions), page.resume_token
        count, resume_token = self._written
        if resume_token is None or count == self._listing.max_items:
            self.is_complete = True
            self._output.finish(resume_token)
        if self.is_complete or self._output.is_out_at_once:
            self.count, self.resume_token = self._written

    def _stop(self) -> None:
        has_progress = self._written != (0, self._listing.resume_token)
        self._output.stop(self._written[1] if has_progress else None)
        self.count, self.resume_token = self._written
