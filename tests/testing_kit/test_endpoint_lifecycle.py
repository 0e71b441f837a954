"""``LocalEndpoint`` checks its options, starts, accepts connections and closes."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import ExitStack
from errno import EADDRINUSE
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pytest
from endpoint_requests import THINGS, ask
from support import JOB_ID, OtherInt

from iotjobs_client import (
    ConfigurationError,
    InvalidArgumentError,
    ResourceNotFoundError,
    ServiceError,
)
from iotjobs_client.testing import LocalEndpoint, RawResponse, make_fleet


class TestLifecycle:
    @pytest.fixture
    def endpoint(self) -> Any:
        with LocalEndpoint({JOB_ID: make_fleet(300), "empty": []}) as endpoint:
            yield endpoint

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
            ({"play": 0}, "play must be a number of seconds above 0, or None, not 0"),
            ({"play": True}, "play must be"),
            ({"play": "30s"}, "play must be"),
            ({"play": float("nan")}, "play must be"),
            ({"play": float("inf")}, "play must be"),
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
    def test_invalid_options_are_refused(self, options: Any, complaint: str) -> None:
        """The error names the option, and no thread is left running."""
        # Threads of earlier tests may still be ending.
        threads = set(threading.enumerate())
        with pytest.raises(InvalidArgumentError, match=complaint):
            LocalEndpoint(**{"jobs": {JOB_ID: []}, **options})
        assert threads.issuperset(threading.enumerate())

    def test_integers_can_be_of_another_type(self) -> None:
        """The port, the number of a fault's request and an HTTP status can be any integer type."""
        port: Any = OtherInt(0)
        faults: Any = {OtherInt(1): RawResponse(HTTPStatus.ACCEPTED, b"{}")}
        with LocalEndpoint({JOB_ID: []}, port=port, faults=faults) as endpoint:
            found = [ask(endpoint)[0] for _ in range(2)]
        assert found == [202, 200]

    def test_starting_looks_up_no_host_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The endpoint starts without a DNS query, which could take seconds."""

        def look_up(*_: object) -> str:
            raise AssertionError("a look-up")

        monkeypatch.setattr(socket, "getfqdn", look_up)
        LocalEndpoint({}).close()

    def test_a_port_in_use_is_an_error_until_it_is_free(self) -> None:
        """A closed endpoint frees its port, so a test can restart the service."""
        with LocalEndpoint({JOB_ID: []}) as endpoint:
            port = urlsplit(endpoint.url).port or 0
            threads = set(threading.enumerate())
            with pytest.raises(OSError) as caught:  # noqa: PT011  (its text depends on the system)
                LocalEndpoint({JOB_ID: []}, port=port)
            assert caught.value.errno == EADDRINUSE
            assert threads.issuperset(threading.enumerate())
        with LocalEndpoint({JOB_ID: []}, port=port) as again:
            assert again.url == endpoint.url

    def test_many_clients_can_connect_at_once(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sixty clients can connect while the endpoint is busy with another connection."""
        address = ("127.0.0.1", urlsplit(endpoint.url).port or 0)
        may_process = threading.Event()
        # Nothing public delays the thread that accepts connections.
        process = endpoint._server.process_request
        monkeypatch.setattr(
            endpoint._server,
            "process_request",
            lambda *args: may_process.wait(30) and process(*args),
        )
        with ExitStack() as stack:
            stack.callback(may_process.set)
            for _ in range(60):
                stack.enter_context(socket.create_connection(address, timeout=5))

    def test_close_closes_connections_and_ends_threads(self) -> None:
        """Closing works with open and hanging connections, and twice."""
        threads = set(threading.enumerate())
        endpoint = LocalEndpoint({JOB_ID: []}, faults={2: "hang"})
        parts = urlsplit(endpoint.url)
        connections = [http.client.HTTPConnection(parts.netloc, timeout=30) for _ in range(2)]
        connections[0].request("GET", THINGS)
        connections[0].getresponse().read()
        connections[1].request("GET", THINGS)
        endpoint.close()
        endpoint.close()
        for connection in connections:
            connection.close()
        for thread in set(threading.enumerate()) - threads:
            thread.join(5)
        assert threads.issuperset(threading.enumerate())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((parts.hostname, parts.port or 0))

    def test_close_in_a_forked_process_does_not_affect_the_parent(
        self, endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A forked process closes its copy of the socket; the parent still serves."""
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
        connection.request("GET", THINGS)
        connection.getresponse().read()
        closed = []
        with monkeypatch.context() as patch:
            patch.setattr("os.getpid", lambda: -1)
            # Only the private server shows that this process closed its socket.
            patch.setattr(endpoint._server, "server_close", lambda: closed.append(True))
            endpoint.close()
        assert closed == [True]
        connection.request("GET", THINGS)
        assert connection.getresponse().status == 200
        connection.close()
