"""Requests for the pages of a job, which are repeated after retryable errors."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

from iotjobs_client import (
    CredentialsError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionPage,
    ResourceNotFoundError,
    TransportError,
)
from iotjobs_client.cli._terminal import StatusLine

_MAX_CONSECUTIVE_ERRORS = 10
_RETRY_SECONDS = 5.0


class JobNotFound(IoTJobsError):  # noqa: N818  (the name of the condition)
    """There is no such job in the region.

    Attributes:
        was_listed: Whether a part of the job was listed before, so it was deleted since.
    """

    was_listed = False


class TimedOut(Exception):  # noqa: N818  (it is an outcome, not a fault)
    """The timeout of the command has passed."""


class Retries:
    """Requests pages, and repeats requests that failed with a retryable error.

    The tenth such error in a row is raised. A TransportError or a CredentialsError before the first
    response is raised at once, because the region or the credentials are probably wrong.

    Args:
        client: The client that sends the requests.
        status_line: The line that is hidden while an error is reported.
        interval: The seconds between an error and the next request.
        timeout: The seconds after which :meth:`pause` raises; ``None`` for no limit.
    """

    def __init__(
        self,
        client: IoTJobsClient,
        status_line: StatusLine,
        *,
        interval: float = _RETRY_SECONDS,
        timeout: float | None = None,
    ) -> None:
        self._client = client
        self._status_line = status_line
        self._interval = interval
        self._deadline = None if timeout is None else monotonic() + timeout
        self._has_response = False

    def pages(self, job_id: str, **options: Any) -> Iterator[JobExecutionPage]:
        """Yield the pages of a job.

        Args:
            job_id: The job.
            **options: The options of ``list_job_executions_for_job``.

        Raises:
            JobNotFound: There is no such job.
            IoTJobsError: A request failed with an error that is not retryable, or ten times.
            TimedOut: The timeout passed before a request was repeated.
        """
        pages = self._client.list_job_executions_for_job(job_id, **options).pages()
        errors = 0
        while True:
            try:
                page = next(pages, None)
            except ResourceNotFoundError as error:
                was_listed = pages.resume_token != self.start_token(job_id, **options)
                raise self._not_found(job_id, was_listed=was_listed) from error
            except IoTJobsError as error:
                errors += 1
                is_final = isinstance(error, (TransportError, CredentialsError))
                is_final = (is_final and not self._has_response) or not error.is_retryable
                if is_final or errors == _MAX_CONSECUTIVE_ERRORS:
                    raise
                self._has_response = True
                self._status_line.print_error(f"iotjobs: {error}; will retry")
                self.pause()
                continue
            if page is None:
                return
            self._has_response = True
            errors = 0
            yield page

    def start_token(self, job_id: str, **options: Any) -> str | None:
        """Return the token of the start of a job."""
        options["resume_token"] = None
        return self._client.list_job_executions_for_job(job_id, **options).pages().resume_token

    def _not_found(self, job_id: str, *, was_listed: bool) -> JobNotFound:
        region = self._client.boto3_client.meta.region_name
        text = f"no job {job_id!r} in {region}; is it in another region?"
        error = JobNotFound(f"job {job_id!r} does not exist any more" if was_listed else text)
        error.was_listed = was_listed
        return error

    def now(self) -> float:
        """Return the seconds of the clock that :meth:`pause` waits on."""
        return monotonic()

    def pause(self) -> None:
        """Wait for the interval, at most until the timeout.

        Raises:
            TimedOut: The timeout has passed already.
        """
        seconds = self._interval
        if self._deadline is not None:
            seconds = min(seconds, self._deadline - monotonic())
        if seconds <= 0:
            raise TimedOut
        sleep(seconds)
