"""A boto3 client that the caller passes in: it is neither closed nor changed for other users."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest
from support import JOB_ID, UNUSED_URL, boto3_client

from iotjobs_client import ConfigurationError, IoTJobsClient, MalformedResponseError, TransportError
from iotjobs_client.testing import LocalEndpoint, RawResponse, make_fleet, make_response


class TestBorrowed:
    def test_close_leaves_the_borrowed_client_open(self) -> None:
        """Closing ends this client's use of the boto3 client, which its owner can still use."""
        with LocalEndpoint({JOB_ID: make_fleet(3)}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            with IoTJobsClient(borrowed) as client:
                assert client.boto3_client is borrowed
                assert len(list(client.list_job_executions_for_job(JOB_ID))) == 3
            assert len(borrowed.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"])
            with pytest.raises(ConfigurationError, match="closed"):
                list(client.list_job_executions_for_job(JOB_ID))
            borrowed.close()

    def test_close_is_not_called_on_the_borrowed_client(self) -> None:
        """A borrowed client is not closed, even if it has a ``close`` method."""
        mock = MagicMock()
        IoTJobsClient(mock).close()
        assert mock.mock_calls == []

    @pytest.mark.parametrize("make", ["MagicMock", "create_autospec"])
    def test_a_mock_records_only_the_calls_of_the_method(self, make: str) -> None:
        """``mock_calls`` of a borrowed mock holds the requests and nothing else."""
        real = boto3_client(UNUSED_URL)
        mock = MagicMock() if make == "MagicMock" else create_autospec(real)
        fleet = make_fleet(2)
        mock.list_job_executions_for_job.return_value = make_response(fleet)
        mock.mock_calls.clear()
        assert list(IoTJobsClient(mock).list_job_executions_for_job(JOB_ID)) == fleet
        assert len(mock.mock_calls) == 1
        mock.list_job_executions_for_job.assert_called_once_with(jobId=JOB_ID, maxResults=250)
        real.close()

    def test_a_direct_call_returns_what_it_did_before(self) -> None:
        """Direct calls before, during and after a listing return the same as without it."""
        fleet = make_fleet(20)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            untouched, borrowed = boto3_client(endpoint.url), boto3_client(endpoint.url)

            def direct(client: Any) -> dict[str, Any]:
                page: dict[str, Any] = client.list_job_executions_for_job(jobId=JOB_ID)
                page["ResponseMetadata"]["HTTPHeaders"].pop("date")
                page["ResponseMetadata"]["HTTPHeaders"].pop("x-amzn-requestid")
                page["ResponseMetadata"].pop("RequestId")
                return page

            expected = direct(untouched)
            executions = iter(
                IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID, page_size=5)
            )
            found = []
            assert direct(borrowed) == expected
            for execution in executions:
                found.append(execution)
                assert direct(borrowed) == expected
            assert found == fleet
            assert direct(borrowed) == expected
            zones = {
                type(i["jobExecutionSummary"]["queuedAt"].tzinfo).__name__
                for i in direct(borrowed)["executionSummaries"]
            }
            assert zones == {"tzlocal"}
            agents = {
                request.user_agent for request in endpoint.requests if not request.max_results
            }
            assert not any("iotjobs-client" in agent for agent in agents)
            untouched.close()
            borrowed.close()

    def test_direct_calls_in_other_threads_are_unaffected(self) -> None:
        """Direct calls in other threads return the same while a listing runs."""
        fleet = make_fleet(50)
        with LocalEndpoint({JOB_ID: fleet}, latency=0.002) as endpoint:
            borrowed = boto3_client(endpoint.url)
            expected = borrowed.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"]
            done = threading.Event()
            pages = []

            def call_directly() -> None:
                while not done.is_set():
                    page = borrowed.list_job_executions_for_job(jobId=JOB_ID)
                    pages.append(page["executionSummaries"])

            threads = [threading.Thread(target=call_directly) for _ in range(2)]
            for thread in threads:
                thread.start()
            client = IoTJobsClient(borrowed)
            try:
                for listings in itertools.count():
                    if listings >= 3 and len(pages) > 5:
                        break
                    assert list(client.list_job_executions_for_job(JOB_ID, page_size=5)) == fleet
            finally:
                done.set()
                for thread in threads:
                    thread.join()
            assert all(page == expected for page in pages)
            borrowed.close()

    def test_direct_calls_after_an_interrupt_are_unaffected(self) -> None:
        """An interrupt during a request of this library does not change later direct calls."""
        with LocalEndpoint({JOB_ID: make_fleet(3)}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            expected = borrowed.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"]

            def interrupt(**_: Any) -> None:
                raise KeyboardInterrupt

            borrowed.meta.events.register("before-call.iot", interrupt)
            with pytest.raises(KeyboardInterrupt):
                list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
            borrowed.meta.events.unregister("before-call.iot", interrupt)
            page = borrowed.list_job_executions_for_job(jobId=JOB_ID)
            assert page["executionSummaries"] == expected
            borrowed.close()

    def test_a_wrapper_of_the_method_sees_datetimes(self) -> None:
        """A wrapper of the method sees datetimes, and the page that it returns is listed."""
        fleet = make_fleet(3)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            seen: list[type] = []
            method = borrowed.list_job_executions_for_job

            def wrapper(**arguments: Any) -> Any:
                page = method(**arguments)
                seen.extend(
                    type(item["jobExecutionSummary"]["queuedAt"])
                    for item in page["executionSummaries"]
                )
                return page

            class Delegating:
                meta = borrowed.meta
                list_job_executions_for_job = staticmethod(wrapper)

            assert list(IoTJobsClient(Delegating()).list_job_executions_for_job(JOB_ID)) == fleet
            assert list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID)) == fleet
            borrowed.list_job_executions_for_job = wrapper
            assert list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID)) == fleet
            assert seen == [datetime] * 6
            borrowed.close()

    def test_event_handlers_see_numbers_or_datetimes(self) -> None:
        """Handlers see times as numbers, or as datetimes if botocore parses the response."""
        fleet = make_fleet(1)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            seen: list[Any] = []

            def record_time(parsed: dict[str, Any], **_: Any) -> None:
                seen.append(parsed["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"])

            borrowed.meta.events.register("after-call.iot", record_time)
            only_method = SimpleNamespace(
                list_job_executions_for_job=borrowed.list_job_executions_for_job
            )
            for client in (IoTJobsClient(borrowed), IoTJobsClient(only_method)):
                assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
            borrowed.list_job_executions_for_job(jobId=JOB_ID)
            borrowed.close()
        queued_at = fleet[0].queued_at
        assert queued_at is not None
        assert [type(time) for time in seen] == [float, datetime, datetime]
        assert seen == [queued_at.timestamp(), queued_at, queued_at]

    @pytest.mark.parametrize("fault", ["truncate", "disconnect-in-headers", "html", "none", "{}"])
    def test_a_fault_behind_a_wrapper_is_not_the_end(self, fault: Any) -> None:
        """A fault is an error although botocore's parser reads it as an empty last page."""
        raw = {
            "html": RawResponse(200, b"<html>Log in</html>"),
            "none": RawResponse(200, b"", {"Content-Type": "text/plain"}),
            "{}": RawResponse(200, b"{}"),
        }
        with LocalEndpoint({JOB_ID: []}, faults={1: raw.get(fault, fault)}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            method = borrowed.list_job_executions_for_job
            borrowed.list_job_executions_for_job = partial(method)
            listing = IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID)
            if fault == "{}":
                assert list(listing) == []
            else:
                with pytest.raises((MalformedResponseError, TransportError)):
                    list(listing)
            assert list(listing) == []  # the second response has no fault
            borrowed.close()

    def test_another_handler_can_set_the_user_agent(self) -> None:
        """A handler may replace the user agent with a str, although botocore uses bytes."""
        with LocalEndpoint({JOB_ID: []}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            IoTJobsClient(borrowed)

            def rename(request: Any, **_: Any) -> None:
                request.headers["User-Agent"] = "mine"

            borrowed.meta.events.register_first("before-send.iot", rename)
            borrowed.meta.events.register_first("before-send.iot.*", rename)
            list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
            borrowed.close()
            assert endpoint.requests[0].user_agent.startswith("mine")

    def test_two_clients_can_borrow_the_same_boto3_client(self) -> None:
        """Closing one of two clients that share a boto3 client does not affect the other."""
        fleet = make_fleet(4)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            first, second = IoTJobsClient(borrowed), IoTJobsClient(borrowed)
            second.close()
            assert list(first.list_job_executions_for_job(JOB_ID)) == fleet
            agent = endpoint.requests[-1].user_agent
            assert agent.count("iotjobs-client/") == 1
            borrowed.close()
