"""The errors of this library.

::

    IoTJobsError                      catch this one to catch them all
    ├── InvalidArgumentError          a wrong argument, refused before any request; also ValueError
    ├── ConfigurationError            no region, no such profile, an unusable endpoint or CA bundle
    │   └── CredentialsError          no, partial, expired or unobtainable credentials
    ├── TransportError                no complete response: DNS, refused, TLS, proxy, lost
    │   └── RequestTimeoutError       no response in time; also TimeoutError
    ├── MalformedResponseError        a response that cannot be understood
    │   └── PaginationError           the service returned a token for the second time
    └── ServiceError                  the service responded with an error
        ├── InvalidRequestError       InvalidRequestException
        ├── ResourceNotFoundError     ResourceNotFoundException: no such job
        ├── ThrottlingError           ThrottlingException, and the other throttling codes
        ├── ServiceUnavailableError   ServiceUnavailableException, a bare 502, 503 or 504
        ├── AccessDeniedError         not allowed, or credentials that the service refuses
        └── InternalServiceError      any other 5xx

An error that botocore raised is the ``__cause__`` of ours. All of ours pickle with their
attributes (the cause stays behind) and print as one line.
"""

from __future__ import annotations

from iotjobs_client._text import one_line, redact

__all__ = [
    "AccessDeniedError",
    "ConfigurationError",
    "CredentialsError",
    "InternalServiceError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "IoTJobsError",
    "MalformedResponseError",
    "PaginationError",
    "RequestTimeoutError",
    "ResourceNotFoundError",
    "ServiceError",
    "ServiceUnavailableError",
    "ThrottlingError",
    "TransportError",
]


class IoTJobsError(Exception):
    """The root of this library's errors.

    Attributes:
        job_id: The job that was being listed, or ``None`` outside a listing.
        resume_token: The token to continue the listing from where it stopped: pass it to
            :meth:`~iotjobs_client.IoTJobsClient.list_job_executions_for_job`, in this process or
            another. ``None`` outside a listing.
        request_id: The service's id of the request; ``None`` if there is none.
        is_retryable: Whether the same request may well succeed if it is sent again unchanged.
    """

    is_retryable: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        request_id: str | None = None,
        job_id: str | None = None,
        resume_token: str | None = None,
    ) -> None:
        super().__init__(redact(message))
        self.request_id = request_id
        self.job_id = job_id
        self.resume_token = resume_token

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, without credentials that the service may have repeated in it."""
        if isinstance(value, str) and name != "resume_token":  # A token must stay complete.
            value = redact(value)
        super().__setattr__(name, value)

    def __str__(self) -> str:
        """One line: what failed, for which job and in which request."""
        text = self._describe() or type(self).__name__
        return one_line(text if self.job_id is None else f"job {self.job_id!r}: {text}")

    def _describe(self) -> str:
        request = "" if self.request_id is None else f" (request id {self.request_id})"
        return f"{self.args[0]}{request}"


class InvalidArgumentError(IoTJobsError, ValueError):
    """An argument is wrong; nothing was sent. The text names it, its value and the rule.

    Attributes:
        argument: The name of the parameter, such as ``"page_size"``; ``None`` if the error is about
            a part of an argument, or if botocore refused the request.
    """

    argument: str | None = None


class ConfigurationError(IoTJobsError):
    """A boto3 client cannot be built or used: no region, no such profile, a bad endpoint."""


class CredentialsError(ConfigurationError):
    """There are no credentials, or they are partial, expired or could not be obtained.

    ``is_retryable`` is true if the source of the credentials may respond later.
    """


class TransportError(IoTJobsError):
    """No complete response: name resolution, a refused or lost connection, TLS, a proxy."""

    is_retryable = True


class RequestTimeoutError(TransportError, TimeoutError):
    """No connection or no response within the timeouts of the boto3 client."""


class MalformedResponseError(IoTJobsError):
    """A response that cannot be understood. None of its page was yielded.

    The text names the request and, if one execution is at fault, its position in the page.
    """

    is_retryable = True

    def _describe(self) -> str:
        return f"{ServiceError.operation} returned a malformed response: {super()._describe()}"


class PaginationError(MalformedResponseError):
    """The service returned a ``nextToken`` for the second time: the listing would never end."""

    is_retryable = False


class ServiceError(IoTJobsError):
    """The service responded with an error; the subclass says which.

    Attributes:
        code: The service's error code, such as ``"ThrottlingException"``; ``None`` without one.
        message: The service's own message; empty if it sent none.
        operation: ``"ListJobExecutionsForJob"``.
        http_status: The HTTP status of the response; ``None`` if a stub set none.
        attempts: How often botocore sent the request; ``None`` if a stub does not say.
    """

    operation: str = "ListJobExecutionsForJob"

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        attempts: int | None = None,
        job_id: str | None = None,
        resume_token: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id, job_id=job_id, resume_token=resume_token)
        self.message = message
        self.code = code
        self.http_status = http_status
        self.attempts = attempts

    def _describe(self) -> str:
        facts = {"HTTP": self.http_status, "request id": self.request_id, "attempts": self.attempts}
        known = ", ".join(f"{label} {fact}" for label, fact in facts.items() if fact is not None)
        failure = f"{self.operation} failed with {self.code or type(self).__name__}"
        return f"{failure}{known and f' ({known})'}: {self.message or 'no message'}"


class InvalidRequestError(ServiceError):
    """``InvalidRequestException`` (400): the service found the request invalid."""


class ResourceNotFoundError(ServiceError):
    """``ResourceNotFoundException`` (404): there is no such job in this account and region."""


class ThrottlingError(ServiceError):
    """``ThrottlingException`` and the other throttling codes, after all of botocore's attempts."""

    is_retryable = True


class ServiceUnavailableError(ServiceError):
    """``ServiceUnavailableException`` (503), or a bare 502, 503 or 504."""

    is_retryable = True


class AccessDeniedError(ServiceError):
    """The caller is not allowed to, or the service refuses its credentials or signature."""


class InternalServiceError(ServiceError):
    """Any other response with a 5xx status."""

    is_retryable = True
