"""Errors, logs and pickles hold no secret, and untrusted input does no harm: see SECURITY.md."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import re
import traceback
from functools import partial
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from hypothesis import given
from hypothesis import strategies as st
from support import (
    JOB_ID,
    ONCE,
    RawAnswer,
    RawServer,
    ScriptedClient,
    forge,
    listing_error,
    owning_client,
    served,
    to_item,
)

from iotjobs_client import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    IoTJobsClient,
    IoTJobsError,
    JobExecutionStatus,
    ServiceError,
    TransportError,
)
from iotjobs_client.testing import LocalEndpoint, RawResponse, make_execution, make_fleet

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "FwoGZXIvYXdzEBYaDExample+Session/Token=="
NEXT_TOKEN = "AAAAAexample/next+token==with%everything"
LARGE = 100_000_000  # bytes
# The wording of the first two messages is that of AWS.
MESSAGES = (
    """The request signature we calculated does not match. The Canonical String for this request
should have been
'GET
{path}
host:x
x-amz-security-token:{X-Amz-Security-Token}

host;x-amz-date;x-amz-security-token
e3b0c442'
""",
    "Authorization header requires existence of a 'Date' header. Authorization={Authorization}",
    "x-amz-security-token={X-Amz-Security-Token}&X-Amz-Signature={signature}",
    '{{"X-Amz-Security-Token": "{X-Amz-Security-Token}", "Signature": "{signature}"}}',
    "X-Amz-Security-Token: '{X-Amz-Security-Token}'",
    # The secret is at the place where a body that is not JSON, or a message, is cut.
    "x" * 970 + " x-amz-security-token={X-Amz-Security-Token}",
    "x" * 9_970 + " x-amz-security-token={X-Amz-Security-Token}",
)


class Echo:
    """Responds with a page, and later with errors that repeat secrets of the request.

    Attributes:
        signatures: The signatures of the requests.
    """

    def __init__(self) -> None:
        self.signatures: set[str] = set()

    def page(self, _: str, headers: dict[str, str]) -> RawAnswer:
        self.signature_of(headers)
        item = to_item(make_execution(), as_numbers=True)
        return 200, json.dumps({"executionSummaries": [item], "nextToken": NEXT_TOKEN}).encode()

    def error(self, message: str, path: str, headers: dict[str, str]) -> RawAnswer:
        text = message.format(path=path, signature=self.signature_of(headers), **headers)
        if text.startswith("xxx") and len(text) < 2_000:
            return 403, text.encode()
        body = {"message": text, "code": "InvalidSignatureException"}
        if len(text) < 100:  # A code may repeat the request as well.
            body = {"message": "no", "code": text}
        return 403, json.dumps(body).encode()

    def signature_of(self, headers: dict[str, str]) -> str:
        signature = headers["Authorization"].rpartition("Signature=")[2]
        self.signatures.add(signature)
        return signature


def test_no_secret_of_a_request_is_revealed(caplog: pytest.LogCaptureFixture) -> None:
    """No text, repr, pickle or log record has a secret, even if the service repeats it."""
    caplog.set_level(logging.DEBUG)
    echo = Echo()
    faults = [partial(echo.error, message) for message in MESSAGES]
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, region_name="us-east-1")
    config = Config(retries=ONCE)
    with (
        RawServer(echo.page, echo.page, *faults) as server,
        IoTJobsClient(session=session, endpoint_url=server.url, config=config) as client,
    ):
        listing = client.list_job_executions_for_job(JOB_ID)
        executions, pages = iter(listing), listing.pages()
        errors: list[IoTJobsError] = []
        next(executions)
        page = next(pages)
        for iterator in [*[executions] * len(MESSAGES), pages]:
            with pytest.raises(IoTJobsError) as caught:
                next(iterator)
            errors.append(caught.value)
        resumed = client.list_job_executions_for_job(JOB_ID, resume_token=executions.resume_token)
    assert {type(error) for error in errors[:-1]} == {AccessDeniedError}
    assert type(errors[-1]) is TransportError  # The server had no responses left.
    assert "The Canonical String" in str(errors[0])

    objects: list[object] = [client, listing, executions, pages, page, resumed, *errors]
    texts = [f"{thing} {thing!r}" for thing in objects]
    texts += [f"{error.args} {vars(error)}" for error in errors]
    pickled = [pickle.dumps(thing) for thing in (resumed.resume_token, *errors)]
    texts += [data.decode("latin-1") for data in pickled]
    own_records = [record for record in caplog.records if record.name.startswith("iotjobs_client")]
    texts += [f"{record.getMessage()} {vars(record)}" for record in own_records]
    secrets = {ACCESS_KEY, SECRET_KEY, SESSION_TOKEN}
    for text in texts:
        for secret in secrets | echo.signatures:
            assert secret not in text
            assert secret[:12] not in text


def test_a_password_in_an_endpoint_url_is_not_revealed() -> None:
    """The client's repr and its errors hide the password."""
    client = owning_client("http://me:hunter2@127.0.0.1:9")
    assert "endpoint_url='http://…@127.0.0.1:9'" in repr(client)
    error = listing_error(client)
    assert type(error) is TransportError
    assert "hunter2" not in f"{error} {error!r}"
    for url in (
        "ftp://me:hunter2@example.com",
        "ftp://me:hun/ter2@example.com",
        "ftp://me:hun ter2@example.com",
        "ftp://me:hun@ter2@example.com",
        # A URL that is shortened before it is redacted has no "@" behind the password.
        f"ftp://{'m' * 20}:hunter2{'x' * 90}@example.com",
    ):
        with pytest.raises(InvalidArgumentError) as refused:
            IoTJobsClient(endpoint_url=url)
        assert "or None, not 'ftp://…@example.com'" in str(refused.value)
        assert "hun" not in str(refused.value)
        assert "ter2" not in str(refused.value)
        client = IoTJobsClient(endpoint_url=url.replace("ftp:", "http:"), profile_name="me@corp")
        assert "profile_name='me@corp', endpoint_url='http://…@example.com'" in repr(client)


@pytest.mark.parametrize(
    "option", ["session", "config", "client", "region_name", "profile_name", "endpoint_url"]
)
def test_no_value_of_a_wrong_type_is_shown(option: str) -> None:
    """The error shows the type of an option, which may be a response of STS or a part of it."""
    credentials = {"SecretAccessKey": SECRET_KEY}
    for value in (credentials, tuple(credentials.values())):
        options: dict[str, Any] = {option: value}
        with pytest.raises(InvalidArgumentError) as refused:
            IoTJobsClient(**options)
        assert SECRET_KEY not in str(refused.value)
        assert f"not an object of type {type(value).__name__}" in str(refused.value)


@pytest.mark.parametrize("credential", ["access key ID", "session token"])
def test_a_credential_with_a_line_break_is_refused(credential: str) -> None:
    """A credential read from a file with its newline is named but not shown, and not retried."""
    keys = {"access key ID": ACCESS_KEY, "session token": SESSION_TOKEN}
    keys[credential] += "\n"
    session = boto3.Session(keys["access key ID"], SECRET_KEY, keys["session token"])
    with LocalEndpoint({JOB_ID: make_fleet(1)}) as endpoint:
        client = endpoint.client(session=session, region_name="us-east-1")
        with client, pytest.raises(CredentialsError, match=f"the {credential} contains") as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert endpoint.requests == []
    assert not caught.value.is_retryable
    text = "".join(traceback.format_exception(caught.value))
    assert ACCESS_KEY not in text
    assert SESSION_TOKEN not in text


def test_a_refused_header_is_not_shown() -> None:
    """Python's error for a header with a line break repeats the header; ours does not."""
    error = HTTPClientError(error=ValueError(f"Invalid header value b'{SESSION_TOKEN}\\n'"))
    with pytest.raises(TransportError) as caught:
        list(IoTJobsClient(ScriptedClient(error)).list_job_executions_for_job(JOB_ID))
    assert SESSION_TOKEN[:12] not in str(caught.value)


def test_a_password_in_the_environment_is_not_revealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error hides the password if botocore rejects ``AWS_ENDPOINT_URL_IOT``."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_IOT", "http://me:hunter2@exa mple")
    with pytest.raises(ConfigurationError) as caught:
        _ = IoTJobsClient(region_name="eu-west-1").boto3_client
    assert "hunter2" not in f"{caught.value!r}"


@pytest.mark.parametrize("where", ["message", "code", "status", "item"])
def test_no_response_can_forge_a_line_or_control_a_terminal(where: str) -> None:
    """The text of an error is one line of printable characters."""
    evil = "x\n2026-01-01 ERROR root: forged\r\x1b[31m\u2028\u202e\x00"
    item = {"thingArn": "x", "jobExecutionSummary": {"status": "FAILED", "queuedAt": evil}}
    responses = {
        "message": RawResponse(400, json.dumps({"message": evil, "code": "Odd"}).encode()),
        "code": RawResponse(400, json.dumps({"message": "no", "code": evil}).encode()),
        "status": RawResponse(500, evil.encode()),
        "item": RawResponse(200, json.dumps({"executionSummaries": [item]}).encode()),
    }
    with (
        served([], faults={1: responses[where]}) as (_, client),
        pytest.raises(IoTJobsError) as caught,
    ):
        list(client.list_job_executions_for_job(JOB_ID))
    assert str(caught.value).isprintable()


def test_no_argument_can_alter_the_path_or_the_query() -> None:
    """An unknown status cannot add parameters, and no job id can alter the path."""
    status = JobExecutionStatus("X&maxResults=1#/../../things?jobId=other")
    with served([]) as (endpoint, client):
        with pytest.raises(ServiceError):
            list(client.list_job_executions_for_job(JOB_ID, status=status))
        for job_id in ("../x", "a/b", "a%2Fb", "a?b", "a#b", ".", "a\n", ""):
            with pytest.raises(InvalidArgumentError):
                client.list_job_executions_for_job(job_id)
        (request,) = endpoint.requests
    assert (request.job_id, request.status, request.max_results) == (JOB_ID, status, "250")


# urllib3 fails on a 303 before it checks whether to follow it, and leaks a socket.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    """A redirect is an error, because following it would send the signature elsewhere."""
    with LocalEndpoint({JOB_ID: make_fleet(5)}) as elsewhere:
        location = f"{elsewhere.url}/jobs/{JOB_ID}/things"
        redirect = RawResponse(status, b"", {"Location": location})
        with (
            served([], faults={1: redirect}) as (_, client),
            pytest.raises(TransportError if status == 303 else ServiceError),
        ):
            list(client.list_job_executions_for_job(JOB_ID))
        assert elsewhere.requests == []
    gc.collect()


@pytest.mark.one_python
class TestLargeResponses:
    """Responses of a hundred megabytes, a thousand times the size of a page."""

    def list_once(self, response: RawResponse) -> list[Any]:
        with served([], faults={1: response}) as (_, client):
            return list(client.list_job_executions_for_job(JOB_ID))

    def test_a_page_with_padding_is_listed(self) -> None:
        """A large member that the library does not read does no harm."""
        item = json.dumps(to_item(make_execution(), as_numbers=True)).encode()
        body = b'{"padding": "%b", "executionSummaries": [%b]}' % (b"x" * LARGE, item)
        assert self.list_once(RawResponse(200, body)) == [make_execution()]

    def test_a_page_of_many_executions_is_listed(self) -> None:
        """All executions are listed, though they are more than were requested."""
        item = json.dumps(to_item(make_execution(), as_numbers=True)).encode()
        count = 20_000
        items = b",".join([item] * count)
        body = b'{"executionSummaries": [%b]%b}' % (items, b" " * (LARGE - len(items)))
        assert self.list_once(RawResponse(200, body)) == [make_execution()] * count

    @pytest.mark.parametrize(
        ("status", "start", "repeated", "expected"),
        [
            (200, b"", b"x", "is not JSON .* 100,000,000 bytes"),
            (200, b"", b"[", "nested too deeply; 100,000,000 bytes"),
            (400, b'{"message": "', b"x", "failed with .*xxx…"),
            (400, b"", b"x", "failed with .*xxx"),
            (400, b"", b"://", "failed with .*://"),
            (400, b"", b"\x00", r"failed with .*x00"),
        ],
        ids=["no-json", "nested", "message", "no-json-error", "urls", "unprintable"],
    )
    def test_another_large_body_is_refused_with_a_short_message(
        self, status: int, start: bytes, repeated: bytes, expected: str
    ) -> None:
        """The error and its pickle are short, so the error does not keep the body."""
        end = b'"}' if start else b""
        body = start + repeated * (LARGE // len(repeated)) + end
        with pytest.raises(IoTJobsError) as caught:
            self.list_once(RawResponse(status, body))
        assert re.search(expected, str(caught.value))
        assert len(str(caught.value)) < 2_100
        assert len(pickle.dumps(caught.value)) < 50_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@given(
    content=st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.tuples(
        st.sampled_from([1, 2, "1", None, 1.5]),
        st.sampled_from([JOB_ID, "x", 7]),
        st.sampled_from([[], ["FAILED"], None, "FAILED", [[]]]),
        st.integers(-3, 3) | st.text(),
        st.none() | st.text() | st.integers(),
        st.integers() | st.none(),
    ).map(lambda value: json.dumps(value).encode() + b"\nabc"),
    status=st.sampled_from([None, "FAILED"]),
)
def test_a_forged_resume_token_can_only_select_a_page(content: bytes, status: str | None) -> None:
    """Tokens are untrusted input: a forged one is refused, or leads to some page."""
    service = ScriptedClient({})
    try:
        listing = IoTJobsClient(service).list_job_executions_for_job(
            JOB_ID, status=status, resume_token=forge(content)
        )
    except InvalidArgumentError as error:
        assert str(error).startswith("resume_token must be")
    else:
        assert list(listing) == []
        urlencode(service.calls[0])
