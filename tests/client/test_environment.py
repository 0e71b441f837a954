"""The client's environment: sessions, credentials, certificates, logs and unusual responses."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import boto3
import pytest
from botocore.config import Config
from support import JOB_ID, ONCE, FleetClient, RawServer, boto3_client, owning_client

from iotjobs_client import (
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    ServiceUnavailableError,
    TransportError,
)
from iotjobs_client.testing import LocalEndpoint, make_fleet

UNUSED = "http://127.0.0.1:9"


@pytest.fixture
def default_session() -> Iterator[None]:
    """Set up boto3's default session, as a program may do it."""
    boto3.setup_default_session(region_name="eu-central-1", aws_access_key_id="of-the-session")
    yield
    boto3.DEFAULT_SESSION = None


@pytest.mark.usefixtures("default_session")
class TestDefaultSession:
    def test_it_is_used_like_by_boto3_client(self) -> None:
        """A client without options has the region and keys of the default session."""
        for client in (IoTJobsClient(), pickle.loads(pickle.dumps(IoTJobsClient()))):
            assert client.boto3_client.meta.region_name == "eu-central-1"
        session = boto3.DEFAULT_SESSION
        assert session is not None
        credentials = session.get_credentials()
        assert credentials is not None
        assert credentials.access_key == "of-the-session"

    def test_options_override_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A region overrides that of the session; a session or a profile replaces the session."""
        assert IoTJobsClient(region_name="us-west-2").boto3_client.meta.region_name == "us-west-2"
        session = boto3.Session(region_name="ap-south-1")
        assert IoTJobsClient(session=session).boto3_client.meta.region_name == "ap-south-1"
        config_file = tmp_path / "config"
        config_file.write_text("[profile fleet]\nregion = ca-central-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config_file))
        profile = IoTJobsClient(profile_name="fleet")
        assert profile.boto3_client.meta.region_name == "ca-central-1"


class TestAsynchronousClients:
    @pytest.mark.parametrize("option", ["client", "session"])
    @pytest.mark.parametrize("library", ["aiobotocore.client", "aioboto3.session"])
    def test_they_are_refused_by_the_constructor(self, option: str, library: str) -> None:
        """The error says what to pass instead."""
        methods = {"list_job_executions_for_job": None, "client": lambda *_: None}
        kind = type("AioObject", (), {**methods, "__module__": library})
        with pytest.raises(InvalidArgumentError, match=f"{option} must be a boto3"):
            IoTJobsClient(**{option: kind()})

    def test_a_coroutine_is_refused_and_closed(self) -> None:
        """The coroutine is closed, so Python warns of none that was never awaited."""
        client = IoTJobsClient(AsyncMock())
        with pytest.raises(InvalidArgumentError, match="a boto3 iot client, not an asynchronous"):
            list(client.list_job_executions_for_job(JOB_ID))

        async def main() -> None:
            with pytest.raises(InvalidArgumentError, match="not an asynchronous one"):
                await anext(aiter(client.list_job_executions_for_job(JOB_ID)))

        asyncio.run(main())


class TestDebugLog:
    def list_with_log(self, url: str, caplog: pytest.LogCaptureFixture) -> list[Any]:
        """List at ``url`` while botocore's parser logs at debug level."""
        with caplog.at_level(logging.DEBUG, logger="botocore.parsers"):
            client = boto3_client(url)
            try:
                return list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID))
            finally:
                client.close()

    def test_it_holds_the_body_of_a_response(self, caplog: pytest.LogCaptureFixture) -> None:
        """The log has the body, and the listing is the same as without the log."""
        fleet = make_fleet(20)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            assert self.list_with_log(endpoint.url, caplog) == fleet
        assert "thing/thing-19" in caplog.text

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>busy</html>",
            b'{"executionSummaries": {}}',
            b'{"executionSummaries": 5}',
            b'{"executionSummaries": ["x"]}',
            b'{"executionSummaries": [{"thingArn": "a"}]}',
            b'{"executionSummaries": [{"jobExecutionSummary": {"queuedAt": "?"}}]}',
            b'{"executionSummaries": [{"jobExecutionSummary": {"queuedAt": 1e40}}]}',
            b'{"nextToken": 5}',
        ],
        ids=str,
    )
    def test_errors_stay_the_same(self, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
        """A malformed response is the same error with botocore's debug log on."""
        with RawServer((200, body)) as server, pytest.raises(MalformedResponseError):
            self.list_with_log(server.url, caplog)


class TestCredentials:
    """Failures of a source of credentials: a container endpoint, a role or instance metadata."""

    @pytest.mark.parametrize(
        ("status", "is_retryable"), [(503, True), (429, True), (403, False), (404, False)]
    )
    def test_a_container_endpoint(
        self,
        status: int,
        is_retryable: bool,  # noqa: FBT001
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An error of the container endpoint is retryable if it may be temporary."""
        with RawServer(*[(status, b"not now")] * 9) as source:
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", source.url)
            monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
            client = IoTJobsClient(region_name="eu-west-1", endpoint_url=UNUSED)
            with pytest.raises(CredentialsError, match=f"{status}") as caught:
                list(client.list_job_executions_for_job(JOB_ID))
            client.close()
        assert caught.value.is_retryable is is_retryable
        assert pickle.loads(pickle.dumps(caught.value)).is_retryable is is_retryable

    def test_a_container_endpoint_that_refuses_connections(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A refused connection may be temporary, so the error is retryable."""
        with LocalEndpoint({}) as endpoint:
            url = endpoint.url
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
        client = IoTJobsClient(region_name="eu-west-1", endpoint_url=UNUSED)
        with pytest.raises(CredentialsError) as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert caught.value.is_retryable

    @pytest.mark.parametrize(
        ("status", "code", "is_retryable"),
        [
            (400, "Throttling", True),
            (500, "InternalFailure", True),
            (403, "AccessDenied", False),
            (400, "ExpiredToken", False),
        ],
    )
    def test_a_role(
        self,
        status: int,
        code: str,
        is_retryable: bool,  # noqa: FBT001
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """The error is retryable if STS throttles or fails, but not if it denies the role."""
        config_file = tmp_path / "config"
        config_file.write_text(
            "[profile fleet]\nregion = eu-west-1\nrole_arn = arn:aws:iam::1:role/x\n"
            "source_profile = base\n"
            "[profile base]\naws_access_key_id = x\naws_secret_access_key = x\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config_file))
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        body = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>".encode()
        with RawServer((status, body)) as sts:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            client = IoTJobsClient(profile_name="fleet", endpoint_url=UNUSED)
            with pytest.raises(CredentialsError, match=code) as caught:
                list(client.list_job_executions_for_job(JOB_ID))
            client.close()
        assert caught.value.is_retryable is is_retryable

    def test_instance_metadata_that_stops_responding(self) -> None:
        """Credentials were available before, so the error is retryable."""
        from botocore.credentials import RefreshableCredentials

        source = RefreshableCredentials.create_from_metadata(
            {
                "access_key": "x",
                "secret_key": "x",
                "token": "x",
                "expiry_time": "2020-01-01T00:00:00Z",
            },
            refresh_using=dict[str, str],
            method="iam-role",
        )
        session = boto3.Session(region_name="eu-west-1")
        # boto3 has no public way to set refreshable credentials.
        session._session._credentials = source  # type: ignore[attr-defined]
        client = IoTJobsClient(session=session, endpoint_url=UNUSED)
        with pytest.raises(CredentialsError, match="did not contain") as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert caught.value.is_retryable

    def test_no_credentials_at_all(self) -> None:
        """The error is not retryable, because a retry would find no credentials either."""
        client = IoTJobsClient(region_name="eu-west-1", endpoint_url=UNUSED)
        with pytest.raises(CredentialsError) as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert not caught.value.is_retryable


@pytest.mark.parametrize("bundle", ["missing", "empty", "folder", "text"])
def test_a_ca_bundle_that_cannot_be_read(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable CA bundle is a ConfigurationError, because no retry would succeed."""
    path = tmp_path / bundle
    if bundle == "folder":
        path.mkdir()
    elif bundle != "missing":
        path.write_text("" if bundle == "empty" else "-----BEGIN CERTIFICATE-----\nx\n")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    with LocalEndpoint({JOB_ID: []}) as endpoint:
        url = endpoint.url.replace("http:", "https:")
        client = IoTJobsClient(
            session=boto3.Session("x", "x", region_name="eu-west-1"),
            endpoint_url=url,
            config=Config(retries=ONCE),
        )
        with pytest.raises(ConfigurationError) as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        client.close()
    assert not caught.value.is_retryable


def test_a_connection_that_is_lost_in_a_response() -> None:
    """A cut-off response is a TransportError, and the listing continues."""
    fleet = make_fleet(20)
    with (
        LocalEndpoint({JOB_ID: fleet}, faults={2: "truncate"}) as endpoint,
        owning_client(endpoint.url) as client,
    ):
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=10))
        found = [next(executions) for _ in range(10)]
        with pytest.raises(TransportError) as caught:
            next(executions)
        assert type(caught.value) is TransportError
        assert [*found, *executions] == fleet


def test_a_body_shorter_than_its_content_length() -> None:
    """The error says after how many bytes the body ended."""

    class Response:
        status_code = 200
        headers = {"content-length": "5000", "x-amzn-requestid": "r-1"}  # noqa: RUF012
        content = b'{"executionSummaries": ['

    client = boto3_client(UNUSED)
    client.meta.events.register("before-send.iot", lambda **_: Response())
    with pytest.raises(TransportError, match=r"after 24 of 5,000 bytes \(request id r-1\)"):
        list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID))
    client.close()


@pytest.mark.parametrize("port", ["port", "99999"])
def test_an_endpoint_with_an_invalid_port(port: str) -> None:
    """The error comes when botocore signs the first request."""
    session = boto3.Session("x", "x", region_name="eu-west-1")
    client = IoTJobsClient(session=session, endpoint_url=f"http://127.0.0.1:{port}")
    with pytest.raises(ConfigurationError, match=r"[Pp]ort") as caught:
        list(client.list_job_executions_for_job(JOB_ID))
    assert caught.value.resume_token is not None
    client.close()


def test_a_content_length_of_thousands_of_digits() -> None:
    """The error is that of a body that is cut short."""

    class Response:
        status_code = 200
        headers = {"content-length": "9" * 5000}  # noqa: RUF012
        content = b"{}"

    client = boto3_client(UNUSED)
    client.meta.events.register("before-send.iot", lambda **_: Response())
    with pytest.raises(TransportError, match="after 2 of 999,999,999,999,999,999 bytes"):
        list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID))
    client.close()


def test_the_library_works_without_the_event_before_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore lacks the event, it parses the response and the executions are the same."""
    fleet = make_fleet(20)
    # Only the private method sees the name of each event.
    emit = "botocore.hooks.HierarchicalEmitter._emit"
    from botocore.hooks import HierarchicalEmitter

    original: Any = vars(HierarchicalEmitter)["_emit"]

    def without_event(self: Any, name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("before-parse"):
            return []
        return original(self, name, *args, **options)

    monkeypatch.setattr(emit, without_event)
    with LocalEndpoint({JOB_ID: fleet}) as endpoint, owning_client(endpoint.url) as client:
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=7)) == fleet


# 204 and 304 are left out: they have no body, so the client would misread the connection.
STATUSES = [
    200,
    201,
    202,
    203,
    205,
    206,
    *range(299, 304),
    *range(305, 309),
    400,
    404,
    429,
    500,
    503,
]
BODIES = [
    b"",
    b"choose",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b'{"__type": {"a": 1}}',
    b'{"code": ["a"], "message": {"a": 1}}',
    b'{"executionSummaries": "x"}',
    b'{"executionSummaries": [[]], "nextToken": []}',
]


@pytest.mark.parametrize("status", STATUSES)
def test_any_status_with_an_invalid_body_is_an_error(status: int) -> None:
    """Each of the responses is an IoTJobsError, and the same iterator continues after it."""
    last = (200, b'{"executionSummaries": []}')
    with RawServer(*((status, body) for body in BODIES), last) as server:
        client = boto3_client(server.url)
        executions = iter(IoTJobsClient(client).list_job_executions_for_job(JOB_ID))
        for _ in BODIES:
            with pytest.raises(IoTJobsError):
                next(executions)
        assert list(executions) == []
        client.close()


def test_the_repr_of_an_iterator_shows_its_listing() -> None:
    """The repr has the job but no token."""
    listing = IoTJobsClient(FleetClient(make_fleet(3))).list_job_executions_for_job(JOB_ID)
    assert repr(iter(listing)).startswith("JobExecutionIterator(JobExecutionPaginator(job_id=")
    assert repr(listing.pages()).startswith("JobExecutionPageIterator(")


def test_an_unreadable_502_of_a_proxy_is_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 502 is retryable even if botocore's parser cannot read its compressed body."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with RawServer((502, b"\x1f\x8b\xff")) as server, pytest.raises(ServiceUnavailableError):
        list(IoTJobsClient(boto3_client(server.url)).list_job_executions_for_job(JOB_ID))
