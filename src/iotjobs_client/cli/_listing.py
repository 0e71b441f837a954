"""``iotjobs list``: write the rows page by page, and know where to resume after an error."""

from __future__ import annotations

from collections.abc import Iterator

from iotjobs_client import JobExecutionPage, JobExecutionPaginator, JobExecutionSummary
from iotjobs_client.cli._formats import RowFormatter, format_count
from iotjobs_client.cli._output import OutputFile, StandardOutput
from iotjobs_client.cli._terminal import SignalReceived, Signals, StatusLine


def with_progress(
    listing: JobExecutionPaginator, line: StatusLine
) -> Iterator[JobExecutionSummary]:
    """Yield the executions of ``listing``, and show their number on ``line``."""
    count = 0
    try:
        for page in listing.pages():
            yield from page.executions
            count += len(page.executions)
            line.draw(format_progress(count, line.seconds))
    finally:
        line.clear()


def format_progress(count: int, seconds: float) -> str:
    """Return a text such as ``12,500 executions in 5 s, 2,500 a second``."""
    rate = f", {count / seconds:,.0f} a second" if seconds else ""
    return f"{format_count(count, 'execution')} in {seconds:,.0f} s{rate}"


class RowWriter:
    """Writes the rows of a listing, and tracks which of them are written.

    Args:
        listing: The listing.
        output: The destination of the rows.
        header: The text before the first row of an empty output.
        format_rows: The function that formats the rows.
        signals: The signals to defer while a page is written.

    Attributes:
        count: The number of rows that were written, or kept for the run that resumes.
        resume_token: The token that resumes the listing after these rows; ``None`` at its end.
        is_complete: Whether all rows were written, or ``max_items`` of them.
    """

    def __init__(
        self,
        listing: JobExecutionPaginator,
        output: StandardOutput | OutputFile,
        header: str,
        format_rows: RowFormatter,
        signals: Signals,
    ) -> None:
        self._line = StatusLine()
        self._listing = listing
        self._output = output
        self._header = header
        self._format_rows = format_rows
        self._signals = signals
        self._written: tuple[int, str | None] = 0, listing.resume_token
        self.count, self.resume_token = self._written
        self.is_complete = False

    def write(self) -> None:
        """Write all rows.

        Raises:
            IoTJobsError: A request failed.
            OSError: A write failed.
        """
        line = self._line
        pages = self._listing.pages()
        try:
            while not self.is_complete:
                page = next(pages, None)
                line.clear()
                with self._signals.deferred(can_be_forced=self._output.may_block):
                    self._write_page(page)
                line.draw(format_progress(self._written[0], line.seconds), now=self.is_complete)
        except BaseException as error:
            if self.is_complete and isinstance(error, SignalReceived):
                return  # All rows were written before the signal.
            with self._signals.deferred():
                line.clear()
                if self.is_complete:
                    # Finishing the output failed. A later run could not find the rows to
                    # append to, so no token is offered.
                    self.resume_token = None
                else:
                    self._stop()
            raise
        line.end()

    def _write_page(self, page: JobExecutionPage | None) -> None:
        if page is None:  # The rest of a resumed listing no longer exists.
            self._written = self._written[0], None
        else:
            text = self._format_rows(page.executions)
            if self._output.is_empty:
                text = self._header + text
            self._output.write(text)
            self._output.is_empty = False
            self._written = self._written[0] + len(page.executions), page.resume_token
        count, resume_token = self._written
        if resume_token is None or count == self._listing.max_items:
            self.is_complete = True
            self._output.finish(resume_token)
        if self.is_complete or self._output.is_streamed:
            self.count, self.resume_token = self._written

    def _stop(self) -> None:
        has_progress = self._written != (0, self._listing.resume_token)
        self._output.stop(self._written[1] if has_progress else None)
        self.count, self.resume_token = self._written
