"""Our handler of botocore's event ``before-parse`` reads the responses of our own calls alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from support import JOB_ID, RawServer, boto3_client, owning_client

from iotjobs_client import IoTJobsClient, MalformedResponseError
from iotjobs_client.testing import LocalEndpoint, make_fleet


def test_botocore_gets_an_empty_body_to_parse() -> None:
    """A later handler of the event sees that nothing is left to parse."""
    bodies: list[bytes] = []

    def note(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    fleet = make_fleet(3)
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, owning_client(endpoint.url) as client:
        client.boto3_client.meta.events.register_last("before-parse.iot", note)
        assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
        client.boto3_client.list_job_executions_for_job(jobId=JOB_ID)
    assert [body == b"" for body in bodies] == [True, False]


def test_the_method_of_a_wrapping_object_gets_datetimes() -> None:
    """Our handler stays inactive in a call that an object of yours makes."""
    fleet = make_fleet(1)
    times: list[Any] = []
    with LocalEndpoint({JOB_ID: fleet}) as endpoint:
        borrowed = boto3_client(endpoint.url)

        class Wrapper:
            def list_job_executions_for_job(self, **arguments: Any) -> Any:
                response = borrowed.list_job_executions_for_job(**arguments)
                (item,) = response["executionSummaries"]
                times.append(item["jobExecutionSummary"]["queuedAt"])
                return response

        for client in (borrowed, Wrapper()):
            assert list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID)) == fleet
        borrowed.close()
    assert [type(time) for time in times] == [datetime]


def test_the_reason_is_named_if_a_body_is_not_json() -> None:
    """The text has the complaint of the parser."""
    with RawServer((200, b'{"a" 1}')) as server, owning_client(server.url) as client:
        with pytest.raises(MalformedResponseError) as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert "not JSON in UTF-8 (Expecting ':' delimiter: line 1 column 6" in str(caught.value)
