"""``LocalEndpoint`` responds as the API reference and the service's model say."""

from __future__ import annotations

import http.client
import json
import socket
from base64 import b64encode
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import pytest
from botocore.validate import ParamValidator
from endpoint_requests import THINGS, ask
from support import JOB_ID, boto3_client

from iotjobs_client import (
    InvalidRequestError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    ThrottlingError,
)
from iotjobs_client.testing import LocalEndpoint, make_fleet

INVALID = [
    *("maxResults=0", "maxResults=251", "maxResults=x", "maxResults=-1", f"maxResults={'9' * 99}"),
    *("maxResults=01", "maxResults=0&maxResults=5"),
    *("status=failed", "status=", "status=FAILED&status=QUEUED"),
    *("nextToken=x", "nextToken=", "nextToken=WzFd", "nextToken=x&nextToken=x"),
    *(
        f"nextToken={quote(b64encode(content))}"
        for content in (b'["firmware-42",null,-1,0]', b"[" * 40_000)
    ),
]


class TestLocalEndpoint:
    @pytest.fixture
    def endpoint(self) -> Any:
        with LocalEndpoint({JOB_ID: make_fleet(300), "empty": []}) as endpoint:
            yield endpoint

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            *((f"{THINGS}?{query}", 400, "InvalidRequestException") for query in INVALID),
            ("/jobs/a%20b/things", 400, "InvalidRequestException"),
            (f"/jobs/{'x' * 65}/things", 400, "InvalidRequestException"),
            ("/jobs/nobody/things", 404, "ResourceNotFoundException"),
            ("/things", 404, "UnknownOperationException"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_request_that_the_reference_forbids_is_refused(
        self, endpoint: LocalEndpoint, path: str, status: int, code: str
    ) -> None:
        """The response has the HTTP status and the error code that the API reference names."""
        found, headers, _ = ask(endpoint, path)
        assert (found, headers["x-amzn-ErrorType"]) == (status, code)
        assert headers["x-amzn-RequestId"]

    def test_a_refused_status_gets_the_known_ones(self, endpoint: LocalEndpoint) -> None:
        """The message of the 400 lists the statuses as the API reference writes them."""
        _, _, body = ask(endpoint, f"/jobs/{JOB_ID}/things", status="failed")
        expected = (
            "status must be one of QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT, REJECTED, "
            "REMOVED, CANCELED"
        )
        assert body == {"message": expected}

    def test_the_responses_match_the_service_model(self) -> None:
        """Each response has the members, names and types of botocore's service model.

        The API reference and the model differ in one status: ThrottlingException is 429 in the
        reference, which the endpoint follows, and 400 in the model.
        """
        errors: list[Any] = [InvalidRequestError, ResourceNotFoundError, ThrottlingError]
        errors.append(ServiceUnavailableError)
        client: Any = boto3_client("http://127.0.0.1")
        model = client.meta.service_model
        operation = model.operation_model("ListJobExecutionsForJob")
        summary = model.shape_for("JobExecutionSummary")
        faults = dict(enumerate(errors, 1))
        with LocalEndpoint({JOB_ID: make_fleet(50)}, faults=faults) as endpoint:
            responses = [ask(endpoint) for _ in errors]
            _, headers, page = ask(endpoint, maxResults=49)
        assert headers["Content-Type"] == "application/json"
        assert page.keys() == operation.output_shape.members.keys()
        assert not ParamValidator().validate(page, operation.output_shape).has_errors()
        members = set[str]()
        for item in page["executionSummaries"]:
            assert item.keys() == {"thingArn", "jobExecutionSummary"}
            members |= item["jobExecutionSummary"].keys()
        assert members == summary.members.keys()
        modelled = {shape.name: shape for shape in operation.error_shapes}
        for status, headers, body in responses:
            shape = modelled[headers["x-amzn-ErrorType"]]
            expected = 429 if shape.name == "ThrottlingException" else None
            assert status == (expected or shape.metadata["error"]["httpStatusCode"])
            assert body.keys() == shape.members.keys()

    def test_a_token_belongs_to_its_job_and_status(self, endpoint: LocalEndpoint) -> None:
        """A token of another job or status is refused, as by the service."""
        _, _, page = ask(endpoint, maxResults=5)
        token = page["nextToken"]
        assert ask(endpoint, nextToken=token)[0] == 200
        assert ask(endpoint, "/jobs/empty/things", nextToken=token)[0] == 400
        assert ask(endpoint, nextToken=token, status="FAILED")[0] == 400

    def test_a_modified_token_is_refused(self, endpoint: LocalEndpoint) -> None:
        """A modified token is refused, although it may decode to the same value."""
        token = ask(endpoint, maxResults=1)[2]["nextToken"]
        assert ask(endpoint, nextToken=token)[0] == 200
        others = [f"{token}!!!!", f"{token[:4]}**{token[4:]}"]
        content = json.dumps([JOB_ID, None, True, 0]).encode()
        for other in [*others, b64encode(content).decode()]:
            assert ask(endpoint, nextToken=other)[0] == 400

    def test_a_request_body_is_not_read_as_a_request(self, endpoint: LocalEndpoint) -> None:
        """The operation has no body, but the endpoint reads one that a client sends."""
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
        for headers in ({}, {"Content-Length": "x"}, {}):
            body = None if headers else b"GET / HTTP/1.1"
            connection.request("GET", THINGS, body, headers)
            response = connection.getresponse()
            assert (response.status, len(response.read()) > 100) == (200, True)
        connection.close()

    def test_jobs_and_requests_are_copies(self) -> None:
        """Later changes of the lists that it received or returned do not affect the endpoint."""
        fleet = make_fleet(3)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            fleet.clear()
            assert len(ask(endpoint)[2]["executionSummaries"]) == 3
            endpoint.requests.clear()
            assert len(endpoint.requests) == 1

    def test_each_request_is_recorded(self, endpoint: LocalEndpoint) -> None:
        """``requests`` holds the job, status, size, token and user agent of each request."""
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

    @pytest.mark.parametrize(("method", "body"), [("POST", b"{}"), ("HEAD", b"")])
    def test_another_http_method_is_not_implemented(
        self, method: str, body: bytes, endpoint: LocalEndpoint
    ) -> None:
        """The response is a 501 in JSON, after which the endpoint closes the connection."""
        netloc = urlsplit(endpoint.url)
        with socket.create_connection((netloc.hostname, netloc.port or 0), timeout=30) as raw:
            raw.sendall(f"{method} /jobs/{JOB_ID}/things HTTP/1.1\r\n\r\n".encode())
            head, _, found = b"".join(iter(lambda: raw.recv(65536), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 501 ")
        assert b"x-amzn-ErrorType: UnknownOperationException" in head
        assert b"Connection: close" in head
        assert found == body

    def test_the_client_needs_no_aws_configuration(self, endpoint: LocalEndpoint) -> None:
        """``client()`` uses made-up credentials and a made-up region."""
        assert boto3.Session().get_credentials() is None
        # Options that an application's settings leave out do not lead to AWS.
        with endpoint.client(endpoint_url=None, session=None, region_name=None) as client:
            assert len(list(client.list_job_executions_for_job(JOB_ID, max_items=3))) == 3
