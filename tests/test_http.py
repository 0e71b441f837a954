"""The whole way, over real HTTP: real boto3, real signing, real faults."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st
from support import JOB_ID, FleetClient, boto3_client, owning_client

from iotjobs_client import (
    IoTJobsClient,
    IoTJobsError,
    JobExecutionPaginator,
    JobExecutionStatus,
    JobExecutionSummary,
    ResourceNotFoundError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, make_execution, make_fleet


@pytest.fixture(params=["owned", "borrowed"])
def client_of(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes a client of an endpoint, of the one kind or the other."""
    to_close: list[Any] = []

    def make(endpoint: LocalEndpoint) -> IoTJobsClient:
        owner = owning_client(endpoint.url)
        to_close.append(owner)
        return owner if request.param == "owned" else IoTJobsClient(owner.boto3_client)

    yield make
    for client in to_close:
        client.close()


@pytest.mark.parametrize("page_size", [1, 7, 250])
@pytest.mark.parametrize("status", [None, "FAILED", ["QUEUED", "FAILED", "TIMED_OUT"]])
def test_everything_is_listed_once_and_in_order(
    client_of: Any, page_size: int, status: Any
) -> None:
    """Whole or filtered, in pages of any size, every member as it was."""
    fleet = make_fleet(300)
    with LocalEndpoint({JOB_ID: fleet, "other": make_fleet(5)}) as endpoint:
        client = client_of(endpoint)
        found = list(client.list_job_executions_for_job(JOB_ID, status=status, page_size=page_size))
    wanted = [status] if isinstance(status, str) or status is None else status
    assert found == [e for word in wanted for e in fleet if word in (None, e.status)]


@pytest.mark.parametrize("fault", [ThrottlingError, "disconnect", "garbage"], ids=str)
def test_after_a_fault_nothing_is_lost_or_doubled(client_of: Any, fault: Fault) -> None:
    """The same iterator goes on, and so does a listing resumed by another client."""
    fleet = make_fleet(20)
    with LocalEndpoint({JOB_ID: fleet}, faults={3: fault}) as endpoint:
        executions = iter(client_of(endpoint).list_job_executions_for_job(JOB_ID, page_size=6))
        with pytest.raises(IoTJobsError, match=f"job '{JOB_ID}'") as caught:
            list(executions)
        token = caught.value.resume_token
        assert token == executions.resume_token
        resumed = client_of(endpoint).list_job_executions_for_job(JOB_ID, resume_token=token)
        assert list(resumed) == list(executions) == fleet[12:]


def test_botocore_retries_as_it_is_told() -> None:
    """A fault that its retries outlast never shows."""
    fleet = make_fleet(10)
    faults: dict[int, Fault] = {1: ThrottlingError, 2: "disconnect", 4: ServiceUnavailableError}
    with LocalEndpoint({JOB_ID: fleet}, faults=faults) as endpoint:
        retrying = boto3_client(endpoint.url, retries={"total_max_attempts": 5, "mode": "standard"})
        found = list(IoTJobsClient(retrying).list_job_executions_for_job(JOB_ID, page_size=5))
        retrying.close()
        assert found == fleet
        assert len(endpoint.requests) == 5


def test_attempts_count_botocores_retries() -> None:
    """The error says how often the request was sent."""
    faults: dict[int, Fault] = {1: ThrottlingError, 2: ThrottlingError}
    with LocalEndpoint({JOB_ID: []}, faults=faults) as endpoint:
        retrying = boto3_client(endpoint.url, retries={"total_max_attempts": 2, "mode": "standard"})
        with pytest.raises(ThrottlingError, match="attempts 2") as caught:
            list(IoTJobsClient(retrying).list_job_executions_for_job(JOB_ID))
        retrying.close()
    assert caught.value.attempts == 2


def test_an_unknown_job_is_not_an_empty_one(client_of: Any) -> None:
    """A slip in the job id must not read as nothing failed."""
    with LocalEndpoint({JOB_ID: []}) as endpoint:
        client = client_of(endpoint)
        assert list(client.list_job_executions_for_job(JOB_ID)) == []
        with pytest.raises(ResourceNotFoundError, match="job 'firmware-24'"):
            list(client.list_job_executions_for_job("firmware-24"))


fleets = st.lists(
    st.builds(
        make_execution,
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(JobExecutionStatus),
        execution_number=st.integers(1, 3),
    ),
    max_size=25,
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["go on", "resume by item", "resume by page"]),
        st.integers(0, 6),  # how many units to take
        st.integers(1, 8),  # the page size, where the step resumes
        st.none() | st.integers(1, 6),  # max_items, where it does
    ),
    max_size=15,
)


def take(iterator: Iterator[Any], limit: float) -> list[JobExecutionSummary]:
    """The executions in up to ``limit`` units, asking again after each fault."""
    found: list[JobExecutionSummary] = []
    taken = 0
    while taken < limit:
        try:
            unit = next(iterator)
        except StopIteration:
            break
        except TransportError:
            continue
        taken += 1
        found += getattr(unit, "executions", [unit])
    return found


@given(
    fleet=fleets,
    status=st.none() | st.sets(st.sampled_from(JobExecutionStatus), min_size=1),
    page_size=st.integers(1, 8),
    faults=st.sets(st.integers(1, 40)),
    steps=steps,
)
@settings(deadline=None)
def test_for_any_interruptions_every_execution_comes_once_and_in_order(
    fleet: list[JobExecutionSummary],
    status: set[JobExecutionStatus] | None,
    page_size: int,
    faults: set[int],
    steps: list[tuple[str, int, int, int | None]],
) -> None:
    """Any fleet, statuses, page sizes, faults and resumptions: nothing lost, nothing doubled."""
    service = FleetClient(fleet)
    service.errors = {number: EndpointConnectionError(endpoint_url="x") for number in faults}

    def listing(**options: Any) -> JobExecutionPaginator:
        return IoTJobsClient(service).list_job_executions_for_job(JOB_ID, status=status, **options)

    iterator: Any = iter(listing(page_size=page_size))
    found: list[JobExecutionSummary] = []
    for action, limit, size, max_items in steps:
        if action != "go on":
            paginator = listing(
                page_size=size, max_items=max_items, resume_token=iterator.resume_token
            )
            iterator = iter(paginator) if action == "resume by item" else paginator.pages()
        found += take(iterator, limit)
        if iterator.resume_token is None:
            break
    else:
        found += take(iter(listing(resume_token=iterator.resume_token)), math.inf)

    in_order = [None] if status is None else [word for word in JobExecutionStatus if word in status]
    assert found == [e for word in in_order for e in fleet if word in (None, e.status)]
