"""The testing kit: an endpoint that answers as the API reference says, and plausible fleets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from base64 import b64encode
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any
from unittest import mock
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from freezegun import freeze_time
from support import JOB_ID, boto3_client, owning_client

from iotjobs_client import (
    ConfigurationError,
    InvalidArgumentError,
    InvalidRequestError,
    IoTJobsError,
    JobExecutionStatus,
    JobExecutionSummary,
    MalformedResponseError,
    RequestTimeoutError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, RawResponse, make_execution, make_fleet


def ask(endpoint: LocalEndpoint, path: str, **query: object) -> tuple[int, dict[str, Any], Any]:
    """The status, headers and JSON of the answer to a plain GET."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
    connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), json.loads(response.read())
    connection.close()
    return answer


class OtherInt:
    """An integer type that is not a subclass of ``int``, like ``numpy.int64``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class TestMakeExecution:
    @pytest.mark.parametrize("status", JobExecutionStatus)
    def test_its_times_are_in_order_and_fit_its_status(self, status: JobExecutionStatus) -> None:
        """Queued, then started unless still queued, then updated."""
        execution = make_execution("pump-7", status)
        assert execution == make_execution("pump-7", status.value)
        assert (execution.thing_name, execution.status) == ("pump-7", status)
        assert (execution.started_at is None) is (status == "QUEUED")
        times = [execution.queued_at, execution.started_at, execution.last_updated_at]
        present = [time for time in times if time is not None]
        assert present == sorted(present)

    def test_times_follow_the_one_that_is_given(self) -> None:
        """Nothing starts before it was queued."""
        queued_at = datetime(2027, 1, 1)  # noqa: DTZ001  (taken for UTC)
        execution = make_execution("pump-7", "FAILED", queued_at=queued_at)
        minute = timedelta(minutes=1)
        assert execution.queued_at == queued_at.replace(tzinfo=timezone.utc)
        assert execution.started_at == execution.queued_at + minute
        assert execution.last_updated_at == execution.started_at + minute
        assert make_execution(queued_at=None).queued_at is None
        last = datetime.max.replace(tzinfo=timezone.utc)
        made = make_execution(queued_at=last, started_at=last, last_updated_at=last)
        assert made.started_at == last

    def test_any_member_can_be_given(self) -> None:
        """Also None, for what the service leaves out."""
        execution = make_execution(retry_attempt=None, execution_number=9, thing_arn="arn")
        assert (execution.retry_attempt, execution.execution_number) == (None, 9)
        assert execution.thing_arn == "arn"


class TestMakeFleet:
    def test_it_is_a_plausible_rollout(self) -> None:
        """One execution a thing, in the order of queueing, most of them done."""
        fleet = make_fleet(2_000)
        assert [e.thing_name for e in fleet] == [f"thing-{n}" for n in range(2_000)]
        assert {e.status for e in fleet} == set(JobExecutionStatus)
        assert sum(e.status == "SUCCEEDED" for e in fleet) > 1_000
        queued = [e.queued_at for e in fleet if e.queued_at is not None]
        assert queued == sorted(queued)
        assert len(set(queued)) == len(fleet)
        for e in fleet:
            assert (e.started_at is None) is (e.status == "QUEUED")
            assert e.queued_at is not None
            assert e.last_updated_at is not None
            assert e.queued_at <= (e.started_at or e.queued_at) <= e.last_updated_at

    def test_the_seed_decides(self) -> None:
        """The same seed, the same fleet; another seed, another one."""
        assert make_fleet(50, seed=1) == make_fleet(50, seed=1) != make_fleet(50, seed=2)

    def test_statuses_can_be_chosen_and_weighted(self) -> None:
        """Names alone are alike; weights weigh."""
        assert {e.status for e in make_fleet(50, statuses=["FAILED", "QUEUED"])} == {
            "FAILED",
            "QUEUED",
        }
        assert {e.status for e in make_fleet(5, statuses="FAILED")} == {"FAILED"}
        fleet = make_fleet(1_000, statuses={"FAILED": 1, "SUCCEEDED": 99})
        assert 0 < sum(e.status == "FAILED" for e in fleet) < 50
        assert make_fleet(0) == []

    def test_size_may_be_of_another_integer_type(self) -> None:
        """Such as ``numpy.int64``."""
        size: Any = OtherInt(3)
        assert make_fleet(size) == make_fleet(3)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ({"size": -1}, "size must be an int of at least 0, not -1"),
            ({"size": True}, "size must be"),
            ({"size": 1.0}, "size must be"),
            ({"size": 1, "statuses": []}, "statuses must be one status or more"),
            ({"size": 1, "statuses": {}}, "statuses must be one status or more"),
            ({"size": 1, "statuses": 5}, "statuses must be one status or more"),
            ({"size": 1, "statuses": {"FAILED": 0}}, "statuses must be .* with a weight"),
            ({"size": 1, "statuses": {"FAILED": -1, "QUEUED": 2}}, "a weight .*, not -1"),
            ({"size": 1, "statuses": {"FAILED": float("nan")}}, "a weight .*, not nan"),
            ({"size": 1, "statuses": {"FAILED": "x"}}, "a weight .*, not 'x'"),
        ],
    )
    def test_wrong_arguments_are_refused(self, arguments: Any, complaint: str) -> None:
        """By name, with the rule and the value."""
        with pytest.raises(InvalidArgumentError, match=complaint):
            make_fleet(**arguments)


class TestLocalEndpoint:
    @pytest.fixture
    def endpoint(self) -> Any:
        with LocalEndpoint({JOB_ID: make_fleet(300), "empty": []}) as endpoint:
            yield endpoint

    @pytest.mark.parametrize(
        ("path", "query", "status", "code"),
        [
            ("/jobs/firmware-42/things", {"maxResults": 0}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"maxResults": 251}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"maxResults": "x"}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"maxResults": "-1"}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"maxResults": "9" * 99}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"status": "failed"}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"status": ""}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"nextToken": "x"}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"nextToken": ""}, 400, "InvalidRequestException"),
            ("/jobs/firmware-42/things", {"nextToken": "WzFd"}, 400, "InvalidRequestException"),
            (
                "/jobs/firmware-42/things",
                {"nextToken": b64encode(b'["firmware-42",null,-1,0]').decode()},
                400,
                "InvalidRequestException",
            ),
            ("/jobs/a%20b/things", {}, 400, "InvalidRequestException"),
            (f"/jobs/{'x' * 65}/things", {}, 400, "InvalidRequestException"),
            ("/jobs/nobody/things", {}, 404, "ResourceNotFoundException"),
            ("/things", {}, 404, "UnknownOperationException"),
        ],
    )
    def test_what_the_reference_forbids_is_refused(
        self, endpoint: LocalEndpoint, path: str, query: dict[str, object], status: int, code: str
    ) -> None:
        """With the HTTP status and the code that it names."""
        found, headers, _ = ask(endpoint, path, **query)
        assert (found, headers["x-amzn-ErrorType"]) == (status, code)
        assert headers["x-amzn-RequestId"]

    def test_its_answers_are_those_of_the_service_model(self) -> None:
        """No member is missing, has another name or is of another type than botocore's model says.

        The model and the API reference differ in one: ThrottlingException is 400 in the one and
        429 in the other, which the endpoint follows.
        """
        errors: list[Any] = [InvalidRequestError, ResourceNotFoundError, ThrottlingError]
        errors.append(ServiceUnavailableError)
        client: Any = boto3_client("http://127.0.0.1")
        model = client.meta.service_model
        operation = model.operation_model("ListJobExecutionsForJob")
        summary = model.shape_for("JobExecutionSummary")
        faults = dict(enumerate(errors, 1))
        path = f"/jobs/{JOB_ID}/things"
        with LocalEndpoint({JOB_ID: make_fleet(50)}, faults=faults) as endpoint:
            answers = [ask(endpoint, path) for _ in errors]
            _, headers, page = ask(endpoint, path, maxResults=49)
        assert headers["Content-Type"] == "application/json"
        assert page.keys() == operation.output_shape.members.keys()
        assert not ParamValidator().validate(page, operation.output_shape).has_errors()
        members = set[str]()
        for item in page["executionSummaries"]:
            assert item.keys() == {"thingArn", "jobExecutionSummary"}
            members |= item["jobExecutionSummary"].keys()
        assert members == summary.members.keys()
        modelled = {shape.name: shape for shape in operation.error_shapes}
        for status, headers, body in answers:
            shape = modelled[headers["x-amzn-ErrorType"]]
            expected = 429 if shape.name == "ThrottlingException" else None
            assert status == (expected or shape.metadata["error"]["httpStatusCode"])
            assert body.keys() == shape.members.keys()

    def test_raw_boto3_lists_it_too(self, endpoint: LocalEndpoint) -> None:
        """Its own paginator gets every execution, and absent times are absent."""
        client = boto3_client(endpoint.url)
        pages = client.get_paginator("list_job_executions_for_job").paginate(jobId=JOB_ID)
        items = [item for page in pages for item in page["executionSummaries"]]
        client.close()
        assert [item["thingArn"] for item in items] == [e.thing_arn for e in make_fleet(300)]
        queued = next(
            i["jobExecutionSummary"]
            for i in items
            if i["jobExecutionSummary"]["status"] == "QUEUED"
        )
        assert "startedAt" not in queued

    def test_a_token_belongs_to_its_job_and_status(self, endpoint: LocalEndpoint) -> None:
        """It is refused elsewhere, as the service refuses it."""
        _, _, page = ask(endpoint, f"/jobs/{JOB_ID}/things", maxResults=5)
        token = page["nextToken"]
        assert ask(endpoint, f"/jobs/{JOB_ID}/things", nextToken=token)[0] == 200
        assert ask(endpoint, "/jobs/empty/things", nextToken=token)[0] == 400
        assert ask(endpoint, f"/jobs/{JOB_ID}/things", nextToken=token, status="FAILED")[0] == 400

    @pytest.mark.parametrize(
        "query",
        [
            "maxResults=01",
            "maxResults=0&maxResults=5",
            "status=FAILED&status=QUEUED",
            "nextToken=x&nextToken=x",
            f"nextToken={b64encode(b'[' * 40_000).decode()}",
        ],
        ids=lambda query: query[:30],
    )
    def test_what_is_no_value_of_a_parameter_is_refused(
        self, query: str, endpoint: LocalEndpoint
    ) -> None:
        """Rather than taken for one, and without a noise."""
        assert ask(endpoint, f"/jobs/{JOB_ID}/things?{query}")[0] == 400

    def test_a_token_must_be_as_it_was_given(self, endpoint: LocalEndpoint) -> None:
        """Though base64 passes over some changes, and JSON knows a true that is 1."""
        path = f"/jobs/{JOB_ID}/things"
        token = ask(endpoint, path, maxResults=1)[2]["nextToken"]
        assert ask(endpoint, path, nextToken=token)[0] == 200
        others = [f"{token}!!!!", f"{token[:4]}**{token[4:]}"]
        content = json.dumps([JOB_ID, None, True, 0]).encode()
        for other in [*others, b64encode(content).decode()]:
            assert ask(endpoint, path, nextToken=other)[0] == 400

    def test_a_body_is_not_read_as_the_next_request(self, endpoint: LocalEndpoint) -> None:
        """The operation has none, but a client may send one."""
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
        for headers in ({}, {"Content-Length": "x"}, {}):
            body = None if headers else b"GET / HTTP/1.1"
            connection.request("GET", f"/jobs/{JOB_ID}/things", body, headers)
            response = connection.getresponse()
            assert (response.status, len(response.read()) > 100) == (200, True)
        connection.close()

    def test_it_starts_without_asking_for_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Which may take seconds, and leave this machine."""

        def look_up(*_: object) -> str:
            raise AssertionError("a look-up")

        monkeypatch.setattr(socket, "getfqdn", look_up)
        LocalEndpoint({}).close()

    def test_jobs_and_requests_are_its_own(self) -> None:
        """Whatever becomes of the lists that it took and gave."""
        fleet = make_fleet(3)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            fleet.clear()
            assert len(ask(endpoint, f"/jobs/{JOB_ID}/things")[2]["executionSummaries"]) == 3
            endpoint.requests.clear()
            assert len(endpoint.requests) == 1

    def test_a_named_fault_applies_to_a_throttled_request(self) -> None:
        """The endpoint disconnects instead of sending the 429."""
        faults: dict[int, Fault] = {2: "disconnect"}
        with LocalEndpoint({JOB_ID: []}, requests_per_second=0.01, faults=faults) as endpoint:
            assert ask(endpoint, f"/jobs/{JOB_ID}/things")[0] == 200
            with pytest.raises(http.client.RemoteDisconnected):
                ask(endpoint, f"/jobs/{JOB_ID}/things")

    def test_it_remembers_what_was_asked(self, endpoint: LocalEndpoint) -> None:
        """Job, filter, size, token and user agent of each request, in order."""
        with endpoint.client() as client:
            list(client.list_job_executions_for_job(JOB_ID, status="FAILED", page_size=200))
            list(client.list_job_executions_for_job(JOB_ID, page_size=200))
        asked = [
            (r.job_id, r.status, r.max_results, r.next_token is None) for r in endpoint.requests
        ]
        assert asked == [
            (JOB_ID, "FAILED", "200", True),
            (JOB_ID, None, "200", True),
            (JOB_ID, None, "200", False),
        ]
        assert all("Botocore" in request.user_agent for request in endpoint.requests)

    def test_above_the_rate_it_throttles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second's worth at once, then as they refill."""
        now = [50.0]
        monkeypatch.setattr("iotjobs_client.testing._endpoint._now", lambda: now[0])
        with LocalEndpoint({JOB_ID: []}, requests_per_second=2) as endpoint:
            path = f"/jobs/{JOB_ID}/things"
            statuses = [ask(endpoint, path)[0] for _ in range(3)]
            now[0] += 0.5
            statuses += [ask(endpoint, path)[0] for _ in range(2)]
            now[0] += 60
            statuses += [ask(endpoint, path)[0] for _ in range(3)]
        assert statuses == [200, 200, 429, 200, 429, 200, 200, 429]

    def test_the_allowance_refills_inside_frozen_time(self) -> None:
        """The rate follows a real clock, though freezegun stops ``time.monotonic``."""
        path = f"/jobs/{JOB_ID}/things"
        with (
            freeze_time("2026-01-01"),
            LocalEndpoint({JOB_ID: []}, requests_per_second=2) as endpoint,
        ):
            for status in (200, 429, 200):
                while ask(endpoint, path)[0] != status:
                    sleep(0.01)

    def test_below_one_request_a_second_the_first_one_passes(self) -> None:
        """The allowance is never less than one request."""
        with LocalEndpoint({JOB_ID: []}, requests_per_second=0.5) as endpoint:
            path = f"/jobs/{JOB_ID}/things"
            assert [ask(endpoint, path)[0] for _ in range(2)] == [200, 429]

    def test_closing_it_in_a_forked_process_leaves_the_parents_alone(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There it does not serve, and there is nothing to wait for."""
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
        connection.request("GET", f"/jobs/{JOB_ID}/things")
        connection.getresponse().read()
        closed = []
        with monkeypatch.context() as patch:
            patch.setattr("os.getpid", lambda: -1)
            patch.setattr(endpoint._server, "server_close", lambda: closed.append(True))
            endpoint.close()
        assert closed == [True]
        connection.request("GET", f"/jobs/{JOB_ID}/things")  # on the same connection
        assert connection.getresponse().status == 200
        connection.close()

    def test_many_may_connect_at_once(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also while the endpoint is busy with another."""
        address = ("127.0.0.1", urlsplit(endpoint.url).port or 0)
        is_over = threading.Event()
        process = endpoint._server.process_request
        monkeypatch.setattr(
            endpoint._server, "process_request", lambda *args: is_over.wait(30) and process(*args)
        )
        with ExitStack() as stack:
            stack.callback(is_over.set)
            for _ in range(60):
                stack.enter_context(socket.create_connection(address, timeout=5))

    @pytest.mark.parametrize(("method", "body"), [("POST", b"{}"), ("HEAD", b"")])
    def test_another_method_is_no_operation(
        self, method: str, body: bytes, endpoint: LocalEndpoint
    ) -> None:
        """And answered as AWS would, in JSON, at the end of the connection."""
        netloc = urlsplit(endpoint.url)
        with socket.create_connection((netloc.hostname, netloc.port or 0), timeout=30) as raw:
            raw.sendall(f"{method} /jobs/{JOB_ID}/things HTTP/1.1\r\n\r\n".encode())
            head, _, found = b"".join(iter(lambda: raw.recv(65536), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 501 ")
        assert b"x-amzn-ErrorType: UnknownOperationException" in head
        assert b"Connection: close" in head
        assert found == body

    def test_a_first_page_cannot_repeat_a_token(self) -> None:
        """It is given as it is."""
        with LocalEndpoint({JOB_ID: make_fleet(3)}, faults={1: "repeat"}) as endpoint:
            _, _, page = ask(endpoint, f"/jobs/{JOB_ID}/things", maxResults=2)
        assert page["nextToken"] is not None

    def test_latency_is_in_seconds(self) -> None:
        """A response comes no earlier, and the endpoint waits no longer before it."""
        with LocalEndpoint({JOB_ID: []}, latency=0.2) as endpoint:
            start = monotonic()
            ask(endpoint, f"/jobs/{JOB_ID}/things")
            assert monotonic() - start >= 0.2
            with mock.patch.object(endpoint._is_closing, "wait") as wait:
                ask(endpoint, f"/jobs/{JOB_ID}/things")
            assert mock.call(0.2) in wait.mock_calls

    def test_latency_delays_each_answer(self) -> None:
        """A client that waits less than that does not get it."""
        with LocalEndpoint({JOB_ID: []}, latency=30) as endpoint:
            client = boto3_client(endpoint.url, read_timeout=0.1)
            with pytest.raises(Exception, match="Read timeout"):
                client.list_job_executions_for_job(jobId=JOB_ID)
            client.close()

    @pytest.mark.parametrize(
        ("fault", "status", "code"),
        [
            (ThrottlingError, 429, "ThrottlingException"),
            (ThrottlingError("slow", http_status=400), 400, "ThrottlingException"),
            (ServiceError, 409, "ConflictException"),
            (ServiceError("odd", code="Odd", http_status=418), 418, "Odd"),
        ],
        ids=str,
    )
    def test_an_error_is_sent_as_the_service_sends_it(
        self, fault: Any, status: int, code: str
    ) -> None:
        """As a class, or with the details to send; raw boto3 reads them the same."""
        with LocalEndpoint({JOB_ID: []}, faults={1: fault}) as endpoint:
            client = boto3_client(endpoint.url)
            with pytest.raises(ClientError) as caught:
                client.list_job_executions_for_job(jobId=JOB_ID)
            client.close()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (TransportError, TransportError),
            (RequestTimeoutError, RequestTimeoutError),
            (MalformedResponseError, MalformedResponseError),
        ],
    )
    def test_an_error_that_the_service_does_not_send_is_caused_by_a_named_fault(
        self, fault: type[IoTJobsError], expected: type[IoTJobsError]
    ) -> None:
        """An error class selects the named fault that causes it."""
        from botocore.config import Config

        read_timeout = 0.1 if fault is RequestTimeoutError else 60
        config = Config(read_timeout=read_timeout, retries={"total_max_attempts": 1})
        with (
            LocalEndpoint({JOB_ID: []}, faults={1: fault}) as endpoint,
            endpoint.client(config=config) as client,
            pytest.raises(IoTJobsError) as caught,
        ):
            list(client.list_job_executions_for_job(JOB_ID))
        assert type(caught.value) is expected

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"jobs": {"j": None}}, "job 'j' must be a list of JobExecutionSummary objects, not"),
            ({"jobs": None}, "jobs must be a mapping, not None"),
            ({"faults": ["hang"]}, "faults must be a mapping, not"),
            ({"latency": "1"}, "latency must be a number of seconds of at least 0, not '1'"),
            ({"latency": True}, "latency must be"),
            ({"faults": {1: RawResponse(200, "x")}}, "the body of a RawResponse must be bytes"),  # type: ignore[arg-type]
            ({"faults": {1: RawResponse(headers={"a": "b\r\nc: d"})}}, "a header of a RawResponse"),
            ({"jobs": {"j": ["x"]}}, "the executions of job 'j' must be JobExec.*, not 'x'"),
            ({"jobs": {"a b": []}}, "job_id must be 1 to 64 characters .*, not 'a b'"),
            ({"latency": -1}, "latency must be a number of seconds of at least 0, not -1"),
            ({"requests_per_second": 0}, "requests_per_second must be a number from 0.001 to"),
            ({"latency": float("nan")}, "latency must be"),
            ({"latency": float("inf")}, "latency must be"),
            ({"faults": {0: "hang"}}, "the request number of a fault must be an int of at least 1"),
            ({"faults": {"1": "hang"}}, "the request number of a fault must be"),
            ({"faults": {1: ServiceError(http_status=200)}}, "the HTTP status of a fault must be"),
            (
                {"faults": {1: RawResponse(99)}},
                "the HTTP status of a fault must be an int from 200",
            ),
            ({"port": -1}, "port must be an int from 0 to 65535, not -1"),
            ({"port": True}, "port must be"),
            ({"faults": {1: "explode"}}, "fault must be .*, not 'explode'"),
            ({"faults": {1: ConfigurationError}}, "fault must be"),
            ({"faults": {1: ValueError}}, "fault must be"),
            (
                {"faults": {1: ResourceNotFoundError(code="NotFound", http_status=410)}},
                "the code .* for ResourceNotFoundError must be a pair .* not to ServiceError, not",
            ),
            ({"faults": {1: RawResponse(headers=[("a", "b")])}}, "the headers of a RawResponse"),  # type: ignore[arg-type]
        ],
    )
    def test_wrong_options_are_refused(self, options: Any, complaint: str) -> None:
        """Before anything is served."""
        # Threads of tests before this one may still be on their way out.
        threads = set(threading.enumerate())
        with pytest.raises(InvalidArgumentError, match=complaint):
            LocalEndpoint(**{"jobs": {JOB_ID: []}, **options})
        assert threads.issuperset(threading.enumerate())

    def test_closing_it_cuts_connections_and_ends_its_threads(self) -> None:
        """Even with a client that holds its connection open, and twice."""
        threads = set(threading.enumerate())
        endpoint = LocalEndpoint({JOB_ID: []}, faults={2: "hang"})
        parts = urlsplit(endpoint.url)
        connections = [http.client.HTTPConnection(parts.netloc, timeout=30) for _ in range(2)]
        connections[0].request("GET", f"/jobs/{JOB_ID}/things")
        connections[0].getresponse().read()
        connections[1].request("GET", f"/jobs/{JOB_ID}/things")
        endpoint.close()
        endpoint.close()
        for connection in connections:
            connection.close()
        for thread in set(threading.enumerate()) - threads:
            thread.join(5)
        assert threads.issuperset(threading.enumerate())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((parts.hostname, parts.port or 0))

    def test_an_answer_can_be_sent_as_it_stands(self) -> None:
        """Body, status and headers, over those that are always there."""
        headers = {"content-type": "text/html", "X-Cache": "stale"}
        raw = RawResponse(203, b'"an answer"', headers)
        with LocalEndpoint({JOB_ID: []}, faults={1: raw}) as endpoint:
            status, found, body = ask(endpoint, f"/jobs/{JOB_ID}/things")
        assert (status, body) == (203, "an answer")
        assert found["Content-Length"] == "11"
        assert found.items() >= headers.items()

    def test_a_taken_port_is_an_error_and_a_freed_one_is_not(self) -> None:
        """So that a service can go away and come back."""
        with LocalEndpoint({JOB_ID: []}) as endpoint:
            port = urlsplit(endpoint.url).port or 0
            threads = set(threading.enumerate())
            with pytest.raises(OSError, match="in use"):
                LocalEndpoint({JOB_ID: []}, port=port)
            assert threads.issuperset(threading.enumerate())
        with LocalEndpoint({JOB_ID: []}, port=port) as again:
            assert again.url == endpoint.url

    def test_integers_may_be_of_another_type(self) -> None:
        """The port, the number of a fault's request and an HTTP status, such as ``HTTPStatus``."""
        port: Any = OtherInt(0)
        faults: Any = {OtherInt(1): RawResponse(HTTPStatus.ACCEPTED, b"{}")}
        with LocalEndpoint({JOB_ID: []}, port=port, faults=faults) as endpoint:
            found = [ask(endpoint, f"/jobs/{JOB_ID}/things")[0] for _ in range(2)]
        assert found == [202, 200]

    def test_its_client_needs_no_aws_configuration(self, endpoint: LocalEndpoint) -> None:
        """Credentials and region are made up; none can be found here."""
        assert boto3.Session().get_credentials() is None
        with endpoint.client(requests_per_second=1000) as client:
            assert len(list(client.list_job_executions_for_job(JOB_ID, max_items=3))) == 3


class TestMove:
    def test_an_execution_that_was_listed_is_listed_as_it_is_now(self) -> None:
        """Though it was encoded before."""
        with (
            LocalEndpoint({JOB_ID: make_fleet(2, statuses="QUEUED")}) as endpoint,
            endpoint.client() as client,
        ):
            listing = client.list_job_executions_for_job(JOB_ID)
            assert [e.status for e in listing] == ["QUEUED", "QUEUED"]
            moved = endpoint.move(JOB_ID, "thing-1", "FAILED")
            assert list(listing)[1] == moved

    ENDS = ("SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED")
    LAWFUL = (
        {("QUEUED", end) for end in ("IN_PROGRESS", *ENDS) if end != "TIMED_OUT"}
        | {("IN_PROGRESS", end) for end in ENDS}
        | {("FAILED", "QUEUED"), ("TIMED_OUT", "QUEUED")}
    )

    @pytest.mark.parametrize("before", JobExecutionStatus)
    @pytest.mark.parametrize("after", JobExecutionStatus)
    def test_only_lawful_moves_are_made(self, before: str, after: str) -> None:
        """And an unlawful one changes nothing."""
        execution = make_execution("pump-7", before)
        with (
            LocalEndpoint({JOB_ID: [execution]}) as endpoint,
            owning_client(endpoint.url) as client,
        ):
            listing = client.list_job_executions_for_job(JOB_ID)
            if (before, after) not in self.LAWFUL:
                with pytest.raises(InvalidArgumentError, match=f"can follow {before} .*, not"):
                    endpoint.move(JOB_ID, "pump-7", after)
                assert list(listing) == [execution]
                return
            moved = endpoint.move(JOB_ID, "pump-7", after)
            assert (moved.thing_name, moved.status) == ("pump-7", after)
            assert list(listing) == ([execution, moved] if after == "QUEUED" else [moved])

    def test_times_go_on_and_a_retry_is_another_execution(self) -> None:
        """With the next number; the failed one stays in the job."""
        first = make_execution("pump-7", "QUEUED", execution_number=4)
        with LocalEndpoint({JOB_ID: [first, make_execution("pump-8")]}) as endpoint:
            life = [first]
            for status in ("IN_PROGRESS", "FAILED", "QUEUED", "IN_PROGRESS", "SUCCEEDED"):
                life.append(endpoint.move(JOB_ID, "pump-7", status))
            with endpoint.client() as client:
                listed = list(client.list_job_executions_for_job(JOB_ID))
        assert [(e.execution_number, e.retry_attempt) for e in life] == [
            (4, first.retry_attempt)
        ] * 3 + [(5, (first.retry_attempt or 0) + 1)] * 3
        updates = [e.last_updated_at for e in life if e.last_updated_at is not None]
        assert updates == sorted(set(updates))
        assert [e.started_at is None for e in life] == [True, False, False, True, False, False]
        assert listed == [life[2], make_execution("pump-8"), life[5]]

    def test_what_the_service_left_out_stays_out(self) -> None:
        """Times that are not known do not come from nowhere."""
        bare = JobExecutionSummary("arn:aws:iot:eu-west-1:123456789012:thing/pump-7", "FAILED")
        with LocalEndpoint({JOB_ID: [bare]}) as endpoint, endpoint.client() as client:
            assert list(client.list_job_executions_for_job(JOB_ID)) == [bare]
            retry = endpoint.move(JOB_ID, "pump-7", "QUEUED")
        assert (retry.execution_number, retry.queued_at, retry.last_updated_at) == (1, None, None)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("firmware-24", "pump-7", "FAILED"), "job_id must be one of firmware-42, not"),
            ((JOB_ID, "pump-9", "FAILED"), "thing_name must be a thing with an execution of job"),
            (
                (JOB_ID, "pump-7", "failed"),
                r"status must be .* follow QUEUED \(CANCELED, .*SUCCEEDED\), not 'failed'",
            ),
        ],
    )
    def test_what_is_not_there_cannot_be_moved(self, arguments: Any, complaint: str) -> None:
        """Nor to where there is nothing."""
        with (
            LocalEndpoint({JOB_ID: [make_execution("pump-7", "QUEUED")]}) as endpoint,
            pytest.raises(InvalidArgumentError, match=complaint),
        ):
            endpoint.move(*arguments)
