"""boto3 clients for tests: made-up credentials, and none of the user's configuration."""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import Any

REGION_NAME = "us-east-1"
CREDENTIAL = "testing"
_lock = Lock()


class TestingSession:
    """A replacement for a boto3 session in an ``IoTJobsClient``; safe to share between threads."""

    def client(self, service_name: str, **options: Any) -> Any:
        """Return a boto3 client for the service, as ``boto3.Session.client`` does."""
        with _lock:  # A boto3 session is not documented as safe to share between threads.
            return _session().client(service_name, **options)


@cache
def _session() -> Any:
    # All clients share one session, because loading the service's model takes most of the time.
    import boto3
    import botocore.session

    # Without names for variables and files, botocore reads no configuration of the user.
    variables = {
        name: (None, None, default, cast)
        for name, (_, _, default, cast) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars={**variables, **files})
    return boto3.Session(CREDENTIAL, CREDENTIAL, region_name=REGION_NAME, botocore_session=core)
