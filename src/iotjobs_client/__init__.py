"""List the executions of AWS IoT jobs: a thin typed facade over boto3 that loses nothing."""

from iotjobs_client._version import __version__
from iotjobs_client.client import IoTJobsClient, SupportsListJobExecutionsForJob
from iotjobs_client.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    InternalServiceError,
    InvalidArgumentError,
    InvalidRequestError,
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.models import JobExecutionPage, JobExecutionStatus, JobExecutionSummary
from iotjobs_client.paginator import (
    JobExecutionIterator,
    JobExecutionPageIterator,
    JobExecutionPaginator,
)

__all__ = [
    "AccessDeniedError",
    "ConfigurationError",
    "CredentialsError",
    "InternalServiceError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "IoTJobsClient",
    "IoTJobsError",
    "JobExecutionIterator",
    "JobExecutionPage",
    "JobExecutionPageIterator",
    "JobExecutionPaginator",
    "JobExecutionStatus",
    "JobExecutionSummary",
    "MalformedResponseError",
    "PaginationError",
    "RequestTimeoutError",
    "ResourceNotFoundError",
    "ServiceError",
    "ServiceUnavailableError",
    "SupportsListJobExecutionsForJob",
    "ThrottlingError",
    "TransportError",
    "__version__",
]
