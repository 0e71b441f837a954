"""Tools to test code that uses this library: executions, a stubbed client and a local endpoint.

They need only this library. They are deterministic, stay on this machine and need no AWS account.
"""

from iotjobs_client.testing._endpoint import ListRequest, LocalEndpoint
from iotjobs_client.testing._factories import (
    ExecutionFields,
    make_execution,
    make_fleet,
    make_response,
)
from iotjobs_client.testing._faults import Fault, NamedFault, RawResponse
from iotjobs_client.testing._stub import StubbedPage, stubbed_client

__all__ = [
    "ExecutionFields",
    "Fault",
    "ListRequest",
    "LocalEndpoint",
    "NamedFault",
    "RawResponse",
    "StubbedPage",
    "make_execution",
    "make_fleet",
    "make_response",
    "stubbed_client",
]
