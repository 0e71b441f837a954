"""The package as a whole: its public names, what importing it loads, its metadata."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import iotjobs_client
import iotjobs_client.rollout
import iotjobs_client.testing
from iotjobs_client import client, exceptions, models, paginator


def is_public(name: str) -> bool:
    # pytest finds its hooks by their names.
    return not any(part.startswith(("_", "pytest_")) for part in name.split("."))


PUBLIC_MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(iotjobs_client.__path__, "iotjobs_client.")
    if is_public(module.name)
]


def defined_names(module: ModuleType) -> set[str]:
    """Return the public names that the module's source defines, imports apart."""
    names = set[str]()
    for node in ast.parse(inspect.getsource(module)).body:
        match node:
            case ast.ClassDef(name) | ast.FunctionDef(name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                names.add(name)
    return set(filter(is_public, names))


def run(code: str) -> str:
    """Run ``code`` in a fresh process, and return its output."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_a_public_module_defines_public_names_only(module: Any) -> None:
    """``__all__`` is sorted, and lists each name that the module defines without an underscore."""
    assert module.__all__ == sorted(module.__all__, key=str)
    assert defined_names(module) <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    if not hasattr(module, "__path__"):  # A package exports what its modules define.
        assert defined_names(module) == set(module.__all__)


def test_the_package_exports_the_names_of_its_core() -> None:
    """``__all__`` of the package has the names of the client, paginator, models and exceptions."""
    core = set[str]().union(*(m.__all__ for m in (client, exceptions, models, paginator)))
    assert iotjobs_client.__all__ == sorted(core | {"__version__"}, key=str)


def test_importing_loads_neither_boto3_nor_botocore() -> None:
    """The first request loads the heavy modules, not the import."""
    loaded = run(
        "import sys, iotjobs_client; print([m for m in ('boto3', 'botocore', 'urllib3',"
        " 'logging', 'asyncio', 'importlib.metadata', 'typing_extensions',"
        " 'click', 'rich', 'matplotlib', 'iotjobs_client.cli', 'iotjobs_client.rollout',"
        " 'iotjobs_client.testing') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_the_version_is_that_of_the_distribution() -> None:
    """``__version__`` is the version in the metadata of the distribution."""
    assert iotjobs_client.__version__ == importlib.metadata.version("iotjobs-client")


def test_the_package_requires_four_others() -> None:
    """boto3, botocore, attrs and typing-extensions are required; all others are extras."""
    requirements = importlib.metadata.requires("iotjobs-client") or []
    names = {r.split(">")[0].split(";")[0].strip() for r in requirements if "extra ==" not in r}
    assert names == {"boto3", "botocore", "attrs", "typing-extensions"}


def test_the_package_is_marked_as_typed() -> None:
    """The package contains ``py.typed``."""
    assert pkgutil.get_data("iotjobs_client", "py.typed") == b""


def test_a_stand_in_client_needs_no_boto3() -> None:
    """A listing with a stand-in client loads neither boto3 nor botocore."""
    loaded = run(
        "import sys; from types import SimpleNamespace; from iotjobs_client import IoTJobsClient\n"
        "client = SimpleNamespace(list_job_executions_for_job=lambda **arguments: {})\n"
        "print(list(IoTJobsClient(client).list_job_executions_for_job('x')),"
        " [m for m in ('boto3', 'botocore') if m in sys.modules])"
    )
    assert loaded == "[] []"
