"""A plain HTTP request, for the tests of ``LocalEndpoint``."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from support import JOB_ID

from iotjobs_client.testing import LocalEndpoint

THINGS = f"/jobs/{JOB_ID}/things"


def ask(
    endpoint: LocalEndpoint, path: str = THINGS, **query: object
) -> tuple[int, dict[str, Any], Any]:
    """Send a plain GET, and return the status, headers and JSON of the response."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
    connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
    response = connection.getresponse()
    result = response.status, dict(response.headers), json.loads(response.read())
    connection.close()
    return result
