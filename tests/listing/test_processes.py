"""What crosses the border of a process, by each of the usual ways."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import attrs
import cloudpickle
import pytest
from botocore.config import Config
from support import JOB_ID, ONCE

from iotjobs_client import (
    IoTJobsClient,
    JobExecutionPage,
    JobExecutionPaginator,
    JobExecutionStatus,
    JobExecutionSummary,
    ResourceNotFoundError,
)
from iotjobs_client.testing import LocalEndpoint, make_fleet

FLEET = make_fleet(1000)  # what the service of the examples has
Call = Callable[..., Any]


@attrs.frozen
class Luggage:
    """One of everything that travels."""

    client: IoTJobsClient
    paginator: JobExecutionPaginator
    page: JobExecutionPage
    execution: JobExecutionSummary
    unknown: JobExecutionStatus
    error: ResourceNotFoundError
    token: str


def pack() -> Luggage:
    """As it is after some use, with connections open."""
    client = IoTJobsClient(region_name="eu-west-1", config=Config(retries=ONCE))
    paginator = client.list_job_executions_for_job(JOB_ID, page_size=100, max_items=950)
    pages = paginator.pages()
    page = next(pages)
    with pytest.raises(ResourceNotFoundError) as caught:
        list(client.list_job_executions_for_job("no-such-job"))
    assert page.resume_token is not None
    unknown = JobExecutionStatus("PAUSED")
    return Luggage(
        client, paginator, page, page.executions[0], unknown, caught.value, page.resume_token
    )


def use(luggage: Luggage) -> tuple[Luggage, list[JobExecutionSummary], list[JobExecutionSummary]]:
    """Called in the other process: what it was given, and what it lists with that."""
    with luggage.client as client:
        rest = list(client.list_job_executions_for_job(JOB_ID, resume_token=luggage.token))
        return luggage, list(luggage.paginator), rest


def list_job(client: IoTJobsClient, job_id: str) -> int:
    """Called in the other process, too."""
    return len(list(client.list_job_executions_for_job(job_id)))


def call_pickled(pickled: bytes) -> Any:
    return pickle.loads(pickled)()


@contextmanager
def forked() -> Iterator[Call]:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        yield lambda call, *args: pool.apply_async(call, args).get(timeout=60)


@contextmanager
def spawned() -> Iterator[Call]:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        yield lambda call, *args: pool.submit(call, *args).result(timeout=60)


@contextmanager
def by_cloudpickle() -> Iterator[Call]:
    # A closure, as the schedulers that use it send them; here it need not leave the process.
    yield lambda call, *args: call_pickled(cloudpickle.dumps(lambda: call(*args)))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("elsewhere", [forked, spawned, by_cloudpickle])
def test_everything_crosses_as_itself(service: LocalEndpoint, elsewhere: Callable[[], Any]) -> None:
    """The client lists there, the token goes on there, and an error from there is the same here."""
    assert service.requests == []
    luggage = pack()
    with elsewhere() as call:
        back, listed, rest = call(use, luggage)
        with pytest.raises(ResourceNotFoundError) as caught:
            call(list_job, luggage.client, "no-such-job")
    assert listed == FLEET[:950]
    assert rest == FLEET[100:]
    assert (back.page, back.execution, back.token) == (luggage.page, FLEET[0], luggage.token)
    assert back.unknown == luggage.unknown
    assert not back.unknown.is_known
    assert "region_name='eu-west-1'" in repr(back.client)
    for error in (back.error, caught.value):
        assert (error.job_id, error.code) == ("no-such-job", "ResourceNotFoundException")
        assert error.request_id
        assert error.resume_token == luggage.error.resume_token
    assert str(back.error) == str(luggage.error)
    luggage.client.close()
