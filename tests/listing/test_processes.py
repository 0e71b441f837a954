"""Clients, paginators, models, errors and tokens can be sent to other processes."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import cloudpickle
import pytest
from botocore.config import Config
from support import JOB_ID, ONCE, posix_only

from iotjobs_client import IoTJobsClient, JobExecutionStatus, ResourceNotFoundError
from iotjobs_client.testing import LocalEndpoint, make_fleet

FLEET = make_fleet(1000)  # the fleet of the fixture "service"
Call = Callable[..., Any]


def make_objects() -> dict[str, Any]:
    """Return one object of each kind, after a use that opened connections."""
    client = IoTJobsClient(region_name="eu-west-1", config=Config(retries=ONCE))
    paginator = client.list_job_executions_for_job(JOB_ID, page_size=100, max_items=950)
    page = next(paginator.pages())
    with pytest.raises(ResourceNotFoundError) as caught:
        list(client.list_job_executions_for_job("no-such-job"))
    return {
        "client": client,
        "paginator": paginator,
        "page": page,
        "execution": page.executions[0],
        "unknown": JobExecutionStatus("PAUSED"),
        "error": caught.value,
        "token": page.resume_token,
    }


def use_objects(objects: dict[str, Any]) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """Return, in the other process, the objects and the executions that they list."""
    with objects["client"] as client:
        rest = list(client.list_job_executions_for_job(JOB_ID, resume_token=objects["token"]))
        return objects, list(objects["paginator"]), rest


def list_job(client: IoTJobsClient, job_id: str) -> int:
    """Return, in the other process, the number of executions of a job."""
    return len(list(client.list_job_executions_for_job(job_id)))


def call_pickled(pickled: bytes) -> Any:
    """Unpickle a function and call it."""
    return pickle.loads(pickled)()


@contextmanager
def forked() -> Iterator[Call]:
    """Call functions in a forked process."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        yield lambda call, *args: pool.apply_async(call, args).get(timeout=60)


@contextmanager
def spawned() -> Iterator[Call]:
    """Call functions in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        yield lambda call, *args: pool.submit(call, *args).result(timeout=60)


@contextmanager
def by_cloudpickle() -> Iterator[Call]:
    """Call functions after cloudpickle has pickled them in a closure, as schedulers do."""
    yield lambda call, *args: call_pickled(cloudpickle.dumps(lambda: call(*args)))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize(
    "start",
    [pytest.param(forked, marks=posix_only("Windows has no fork()")), spawned, by_cloudpickle],
)
def test_objects_arrive_unchanged_in_other_processes(
    service: LocalEndpoint, start: Callable[[], Any]
) -> None:
    """The client lists there, the token resumes there, and an error comes back unchanged."""
    assert service.requests == []
    objects = make_objects()
    with start() as call:
        returned, listed, rest = call(use_objects, objects)
        with pytest.raises(ResourceNotFoundError) as caught:
            call(list_job, objects["client"], "no-such-job")
    assert listed == FLEET[:950]
    assert rest == FLEET[100:]
    for name in ("page", "execution", "unknown", "token"):
        assert returned[name] == objects[name]
    assert returned["execution"] == FLEET[0]
    assert not returned["unknown"].is_known
    assert "region_name='eu-west-1'" in repr(returned["client"])
    for error in (returned["error"], caught.value):
        assert (error.job_id, error.code) == ("no-such-job", "ResourceNotFoundException")
        assert error.request_id
        assert error.resume_token == objects["error"].resume_token
    assert str(returned["error"]) == str(objects["error"])
    objects["client"].close()
