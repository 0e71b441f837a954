"""What several test modules need: a scripted client, and the wire's form of an execution."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
from botocore.config import Config
from typing_extensions import Self

from iotjobs_client import JobExecutionSummary

JOB_ID = "firmware-42"
OPERATION = "list_job_executions_for_job"


def to_item(execution: JobExecutionSummary, *, as_numbers: bool = False) -> dict[str, Any]:
    """The execution as boto3 gives it, or with numbers for times as the service sends it."""
    members: dict[str, Any] = {
        "status": execution.status.value,
        "queuedAt": execution.queued_at,
        "startedAt": execution.started_at,
        "lastUpdatedAt": execution.last_updated_at,
        "executionNumber": execution.execution_number,
        "retryAttempt": execution.retry_attempt,
    }
    present = {name: value for name, value in members.items() if value is not None}
    if as_numbers:
        present = {
            name: value.timestamp() if hasattr(value, "timestamp") else value
            for name, value in present.items()
        }
    return {"thingArn": execution.thing_arn, "jobExecutionSummary": present}


def to_page(executions: list[JobExecutionSummary], next_token: str | None = None) -> dict[str, Any]:
    """The page as boto3 gives it."""
    page: dict[str, Any] = {"executionSummaries": [to_item(e) for e in executions]}
    return page if next_token is None else {**page, "nextToken": next_token}


class ScriptedClient:
    """Answers each call with the next entry of a script: returns it, or raises it."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.calls: list[dict[str, Any]] = []

    def list_job_executions_for_job(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        entry = self.script.pop(0)
        if isinstance(entry, BaseException):
            raise entry
        return entry


class FleetClient:
    """Lists a fleet as the service does: pages, tokens that are positions, the status filter."""

    def __init__(self, fleet: list[JobExecutionSummary]) -> None:
        self.fleet = fleet
        self.calls: list[dict[str, Any]] = []
        self.errors: dict[int, BaseException] = {}

    def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        if len(self.calls) in self.errors:
            raise self.errors[len(self.calls)]
        start = int(arguments.get("nextToken", "0"))
        wanted = [
            position
            for position in range(start, len(self.fleet))
            if arguments.get("status") in (None, self.fleet[position].status)
        ]
        size = arguments["maxResults"]
        page = [self.fleet[position] for position in wanted[:size]]
        return to_page(page, str(wanted[size]) if len(wanted) > size else None)


class RawServer:
    """Real HTTP on loopback that answers each request with the next of some raw answers.

    An answer is the HTTP status and the body, with headers if need be.
    """

    def __init__(self, *answers: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> None:
        script = iter(answers)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body, *more = next(script)
                self.send_response(status)
                headers = {"Content-Length": str(len(body)), "x-amzn-RequestId": "request-1"}
                for name, value in {**headers, **(more[0] if more else {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def boto3_client(url: str, **config: Any) -> Any:
    """A boto3 iot client of the server at ``url``, which sends each request once."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    config.setdefault("retries", {"total_max_attempts": 1, "mode": "standard"})
    return session.client("iot", endpoint_url=url, config=Config(**config))
