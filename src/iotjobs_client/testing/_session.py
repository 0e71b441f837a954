"""boto3 clients for tests: made-up credentials, and nothing of the user's configuration."""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import Any

REGION_NAME = "us-east-1"
CREDENTIAL = "testing"
_lock = Lock()


class TestingSession:
    """What an ``IoTJobsClient`` needs of a boto3 session; safe to share between threads."""

    def client(self, service_name: str, **options: Any) -> Any:
        """What a boto3 session gives."""
        with _lock:  # boto3 does not promise that two threads can build from one session
            return _session().client(service_name, **options)


@cache
def _session() -> Any:
    # One for all, for it keeps the service's model, which takes longer to read than all the rest.
    import boto3
    import botocore.session

    # Neither a variable of the environment nor a file sets anything; a default leads to no file.
    variables = {
        name: (None, None, default, cast)
        for name, (_, _, default, cast) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars={**variables, **files})
    return boto3.Session(CREDENTIAL, CREDENTIAL, region_name=REGION_NAME, botocore_session=core)
