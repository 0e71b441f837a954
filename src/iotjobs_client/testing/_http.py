"""The HTTP server of a ``LocalEndpoint``: connections, and the faults while a response is sent."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET, socket
from socketserver import TCPServer
from threading import Event
from typing import Any
from uuid import uuid4

from iotjobs_client.testing._faults import FAULT_SEND_OPTIONS, SEND_ALL, RawResponse


class Server(ThreadingHTTPServer):
    """A server on the loopback interface.

    Args:
        port: The port to listen on; 0 for a free one.
        respond: Returns the response to a request's target and user agent, and the named fault to
            apply to it.
        is_closing: It is set when the server is to close.
    """

    # The default of 5 makes many simultaneous connections wait for seconds.
    request_queue_size = 128
    # With this option, two servers can listen on one port of Windows.
    allow_reuse_address = os.name != "nt"

    def __init__(
        self,
        port: int,
        respond: Callable[[str, str], tuple[RawResponse, str | None]],
        is_closing: Event,
    ) -> None:
        self.respond = respond
        self.is_closing = is_closing
        self.connections: set[socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without a look-up of the machine's name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()

    def close(self) -> None:
        """Stop serving, and close all connections."""
        self.is_closing.set()
        self.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):  # Its handler may have closed it already.
                connection.shutdown(SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # Buffered, so that the head and the body of a response share a packet.
    connection: socket

    def __init__(self, request: Any, client_address: Any, server: Server) -> None:
        self._server = server
        super().__init__(request, client_address, server)

    def setup(self) -> None:
        super().setup()
        self._server.connections.add(self.connection)

    def finish(self) -> None:
        self._server.connections.discard(self.connection)
        with suppress(OSError):  # The client may have closed the connection.
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):  # The client may have closed the connection.
            super().handle()

    def do_GET(self) -> None:
        # The server would parse a body that is left unread as the next request.
        with suppress(ValueError):
            self.rfile.read(max(0, int(self.headers.get("Content-Length", "0"))))
        response, fault = self._server.respond(self.path, self.headers.get("User-Agent", ""))
        head, body = _to_head(response), response.body
        options = FAULT_SEND_OPTIONS.get(fault or "", SEND_ALL)
        self.wfile.write(head[: int(len(head) * options.head_share)])
        body = body[: int(len(body) * options.body_share)]
        step = len(body) // options.parts + 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            self._server.is_closing.wait(options.pause)
        self.wfile.flush()
        self.close_connection |= options.ending != "keep-alive"
        if options.ending == "wait":
            self._server.is_closing.wait()
        elif options.ending == "reset":
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, linger)
            # The files of this socket would delay its close, so a second object closes it.
            socket(fileno=self.connection.detach()).close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Send AWS's response to a request for an unknown operation, instead of an HTML page."""
        response = unknown_operation(code, Connection="close")
        self.wfile.write(_to_head(response))
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


def unknown_operation(status: int, **headers: str) -> RawResponse:
    """Return the response to a request for another operation."""
    code = {"x-amzn-ErrorType": "UnknownOperationException"}
    return RawResponse(status, b"{}", {**code, **headers})


def _to_head(response: RawResponse) -> bytes:
    defaults = {
        "Date": formatdate(usegmt=True),
        "Content-Type": "application/json",
        "Content-Length": str(len(response.body)),
        "x-amzn-RequestId": str(uuid4()),
    }
    given = {name.lower() for name in response.headers}
    headers = {name: value for name, value in defaults.items() if name.lower() not in given}
    headers.update(response.headers)
    phrase = responses.get(response.status, "Unknown")
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += (f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join([*lines, "", ""]).encode()
