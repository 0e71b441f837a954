"""After an error, the same iterator continues and loses no execution.

Each test runs with ``for`` and ``async for``, with prefetch and without it.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import EndpointConnectionError
from listings import (
    four_forms,  # noqa: F401  (an autouse fixture)
    make_executions,
    paginate,
    throttling_error,
)
from support import JOB_ID, FleetClient, ScriptedClient

from iotjobs_client import (
    JobExecutionPaginator,
    JobExecutionSummary,
    MalformedResponseError,
    PaginationError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import make_execution, make_fleet, make_response


@pytest.mark.parametrize("iterate", [iter, JobExecutionPaginator.pages], ids=["items", "pages"])
def test_after_an_error_the_same_page_is_requested_again(iterate: Any) -> None:
    """Errors do not end a listing, and lose and repeat no execution."""
    fleet = make_fleet(9)
    client = FleetClient(fleet)
    client.errors = {
        1: throttling_error(),
        3: EndpointConnectionError(endpoint_url="u"),
        4: throttling_error(),
    }
    iterator = iterate(paginate(client, page_size=3))
    found: list[Any] = []
    errors = []
    while True:
        token = iterator.resume_token
        try:
            unit = next(iterator)
        except StopIteration:
            break
        except (ThrottlingError, TransportError) as error:
            errors.append(error)
            assert error.job_id == JOB_ID
            assert error.resume_token == iterator.resume_token == token
            assert error.__cause__ is client.errors[len(client.calls)]
            resumed = paginate(FleetClient(fleet), resume_token=error.resume_token)
            assert [*found, *resumed] == fleet
        else:
            found += getattr(unit, "executions", [unit])
    assert found == fleet
    assert [type(error) for error in errors] == [ThrottlingError, TransportError, ThrottlingError]
    tokens = [call.get("nextToken") for call in client.calls]
    assert tokens == [None, None, "3", "3", "3", "6"]


def test_programming_errors_and_interrupts_pass_through() -> None:
    """Such exceptions are not wrapped, and the iterator continues exactly."""
    fleet = make_fleet(4)
    client = FleetClient(fleet)
    client.errors = {2: ZeroDivisionError(), 3: KeyboardInterrupt()}
    executions = iter(paginate(client, page_size=2))
    found = [next(executions), next(executions)]
    with pytest.raises(ZeroDivisionError):
        next(executions)
    with pytest.raises(KeyboardInterrupt):
        next(executions)
    assert [*found, *executions] == fleet


@pytest.mark.parametrize(
    "tokens", [["A", "A"], ["A", "B", "A"], ["A", "B", "C", "D", "B"]], ids="-".join
)
@pytest.mark.parametrize("iterate", [iter, JobExecutionPaginator.pages], ids=["items", "pages"])
def test_a_page_with_a_repeated_token_is_an_error(tokens: list[str], iterate: Any) -> None:
    """No execution of that page is yielded, and a page with a new token continues."""
    fleet = make_fleet(len(tokens) + 1)
    metadata = {"ResponseMetadata": {"RequestId": "request-1"}}
    script = [{**make_response([e], t), **metadata} for e, t in zip(fleet, tokens, strict=False)]
    client = ScriptedClient(*script, script[-1])
    iterator = iterate(paginate(client))
    found: list[JobExecutionSummary] = []
    for _ in tokens[1:]:
        found += getattr(unit := next(iterator), "executions", [unit])
    token = iterator.resume_token
    for _ in range(2):
        with pytest.raises(PaginationError, match="used before") as caught:
            next(iterator)
        assert "(request id request-1)" in str(caught.value)
        assert caught.value.request_id == "request-1"
        assert caught.value.job_id == JOB_ID
        assert caught.value.resume_token == iterator.resume_token == token
    assert client.script == []
    client.script = [make_response([fleet[-2]], "Z"), make_response([fleet[-1]])]
    for unit in iterator:
        found += getattr(unit, "executions", [unit])
    assert found == fleet
    assert client.calls[-2].get("nextToken") == tokens[-2]


def test_an_interrupted_page_does_not_count_as_seen() -> None:
    """A lost response has the same token as the response to the repeated request."""

    class Interrupted(dict[str, Any]):
        """A response that raises while the decoder reads it."""

        def get(self, *_: Any) -> Any:
            raise KeyboardInterrupt

    a, b = make_executions("a", "b")
    first = make_response([a], "A")
    executions = iter(paginate(ScriptedClient(Interrupted(first), first, make_response([b]))))
    with pytest.raises(KeyboardInterrupt):
        next(executions)
    assert list(executions) == [a, b]


def test_two_statuses_may_have_the_same_tokens() -> None:
    """Tokens are compared only within one status."""
    fleet = [make_execution(f"thing-{n}", s) for s in ("QUEUED", "FAILED") for n in range(3)]
    script = [
        make_response([e], t) for e, t in zip(fleet, ["A", "B", None, "A", "B", None], strict=True)
    ]
    assert list(paginate(ScriptedClient(*script), status=["QUEUED", "FAILED"])) == fleet


def test_max_items_still_counts_after_a_bad_token() -> None:
    """The executions that were yielded before the error count towards the limit."""
    a, b, c, d, e = make_executions("a", "b", "c", "d", "e")
    script = [
        make_response([a, b], "A"),
        make_response([c], "A"),
        make_response([c], "Z"),
        make_response([d, e]),
    ]
    executions = iter(paginate(ScriptedClient(*script), max_items=4))
    found = [next(executions) for _ in range(2)]
    with pytest.raises(PaginationError):
        next(executions)
    assert [*found, *executions] == [a, b, c, d]


def test_a_token_is_remembered_until_the_end() -> None:
    """A repeated token is an error even after two thousand pages."""
    script = [make_response([], str(n)) for n in range(2_000)] + [make_response([], "46")]
    client = ScriptedClient(*script)
    with pytest.raises(PaginationError):
        list(paginate(client))
    assert client.script == []


def test_a_client_that_raises_stop_iteration_is_an_error() -> None:
    """An exhausted mock does not end the listing."""
    mock = MagicMock()
    mock.list_job_executions_for_job.side_effect = [make_response(make_executions("a"), "t")]
    executions = iter(paginate(mock))
    next(executions)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        next(executions)


def test_a_response_that_is_not_a_dict_is_an_error() -> None:
    """A mock without a return value does not cause an endless listing."""
    with pytest.raises(
        MalformedResponseError, match="the response is not a dict but of type object"
    ):
        next(iter(paginate(ScriptedClient(object()))))
