"""For tests of code that uses this library: executions to work with, and a service to list.

Needs nothing beyond the library itself. Everything here is deterministic, stays on this machine
and needs no AWS account.
"""

from iotjobs_client.testing._endpoint import ListRequest, LocalEndpoint
from iotjobs_client.testing._factories import (
    ExecutionFields,
    make_execution,
    make_fleet,
    make_response,
)
from iotjobs_client.testing._faults import Fault, Mishap, RawAnswer
from iotjobs_client.testing._stub import StubbedPage, stubbed_client

__all__ = [
    "ExecutionFields",
    "Fault",
    "ListRequest",
    "LocalEndpoint",
    "Mishap",
    "RawAnswer",
    "StubbedPage",
    "make_execution",
    "make_fleet",
    "make_response",
    "stubbed_client",
]
