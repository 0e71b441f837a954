"""The faults, the rate and the latency of ``LocalEndpoint``."""

from __future__ import annotations

import http.client
from contextlib import nullcontext
from time import monotonic, sleep
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from endpoint_requests import ask
from freezegun import freeze_time
from support import JOB_ID, boto3_client, listing_error, served, short_read_timeout

from iotjobs_client import (
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ServiceError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, RawResponse, make_fleet


class TestFaults:
    def test_a_raw_response_is_sent_unchanged(self) -> None:
        """A RawResponse sets the body, the status and headers, beside the default headers."""
        headers = {"content-type": "text/html", "X-Cache": "stale"}
        raw = RawResponse(203, b'"a response"', headers)
        with LocalEndpoint({JOB_ID: []}, faults={1: raw}) as endpoint:
            status, found, body = ask(endpoint)
        assert (status, body) == (203, "a response")
        assert found["Content-Length"] == "12"
        assert found.items() >= headers.items()

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
        """Raw boto3 reads the code and status of a fault that is a class or an error."""
        with LocalEndpoint({JOB_ID: []}, faults={1: fault}) as endpoint:
            client = boto3_client(endpoint.url)
            with pytest.raises(ClientError) as caught:
                client.list_job_executions_for_job(jobId=JOB_ID)
            client.close()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status

    @pytest.mark.parametrize(
        "fault", [TransportError, RequestTimeoutError, MalformedResponseError, PaginationError]
    )
    def test_a_transport_error_class_causes_that_error(self, fault: type[IoTJobsError]) -> None:
        """An error class selects the named fault that causes it."""
        with (
            served(make_fleet(300), faults={2: fault}) as (endpoint, client),
            short_read_timeout(endpoint, 2) if fault is RequestTimeoutError else nullcontext(),
        ):
            assert type(listing_error(client)) is fault

    def test_a_first_page_cannot_repeat_a_token(self) -> None:
        """The fault ``repeat`` has no effect on a first page."""
        with LocalEndpoint({JOB_ID: make_fleet(3)}, faults={1: "repeat"}) as endpoint:
            _, _, page = ask(endpoint, maxResults=2)
        assert page["nextToken"] is not None

    def test_a_named_fault_applies_to_a_throttled_request(self) -> None:
        """The endpoint disconnects instead of sending the 429."""
        faults: dict[int, Fault] = {2: "disconnect"}
        with LocalEndpoint({JOB_ID: []}, requests_per_second=0.01, faults=faults) as endpoint:
            assert ask(endpoint)[0] == 200
            with pytest.raises(http.client.RemoteDisconnected):
                ask(endpoint)

    def test_requests_above_the_rate_are_throttled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second's allowance can be used at once, and refills at the rate."""
        now = [50.0]
        # The endpoint has no public clock, and a real one would make the test depend on speed.
        monkeypatch.setattr("iotjobs_client.testing._endpoint._now", lambda: now[0])
        with LocalEndpoint({JOB_ID: []}, requests_per_second=2) as endpoint:
            statuses = [ask(endpoint)[0] for _ in range(3)]
            now[0] += 0.5
            statuses += [ask(endpoint)[0] for _ in range(2)]
            now[0] += 60
            statuses += [ask(endpoint)[0] for _ in range(3)]
        assert statuses == [200, 200, 429, 200, 429, 200, 200, 429]

    def test_the_allowance_refills_in_frozen_time(self) -> None:
        """The rate follows a real clock, though freezegun stops ``time.monotonic``."""
        with (
            freeze_time("2026-01-01"),
            LocalEndpoint({JOB_ID: []}, requests_per_second=2) as endpoint,
        ):
            for status in (200, 429, 200):
                while ask(endpoint)[0] != status:
                    sleep(0.01)

    def test_a_rate_below_one_allows_the_first_request(self) -> None:
        """The allowance is never less than one request."""
        with LocalEndpoint({JOB_ID: []}, requests_per_second=0.5) as endpoint:
            assert [ask(endpoint)[0] for _ in range(2)] == [200, 429]

    def test_latency_is_in_seconds(self) -> None:
        """A response comes no earlier, and the endpoint waits no longer before it."""
        with LocalEndpoint({JOB_ID: []}, latency=0.2) as endpoint:
            start = monotonic()
            ask(endpoint)
            assert monotonic() - start >= 0.2
            # The endpoint waits with this private event; a clock gives no upper bound.
            with mock.patch.object(endpoint._is_closing, "wait") as wait:
                ask(endpoint)
            assert mock.call(0.2) in wait.mock_calls
