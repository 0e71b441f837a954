"""Mutation testing of the core: ``python tests/mutants.py --help``.

A mutant is a copy of the package with one small change, such as ``<`` for ``<=`` or a call left
out. A test should fail on each mutant. A mutant that survives shows a missing test, unless the
change makes no difference that a user could see.

mutmut changes only the bodies of functions without decorators, so it leaves out tables, properties
and attrs classes. cosmic-ray changes the working tree and runs all tests on each mutant.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from typing import Any

import boto3.session  # noqa: F401  (loaded once for all child processes)
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine  # noqa: F401  (loaded once, too)
from mutations import Mutant, find_mutants, mutate

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("iotjobs_client")
OTHERS = ("__init__", "__main__", "_version")
CORE = sorted({path.stem for path in (ROOT / "src" / PACKAGE).glob("*.py")} - set(OTHERS))
# The tests in these folders and files take long, or hardly touch the core.
LEFT_OUT = re.compile(
    r"/(command_line|docs|testing_kit|typing)/"
    r"|test_(faults|gevent|interrupts|moto\w*|processes|stubber)\b"
)
LONGEST_TEST = 1.0  # Tests that take more seconds are left out.
TIMEOUT = 15.0


class Plugin:
    """Runs tests in the order of ``chosen`` and notes how long each takes and which fail."""

    def __init__(self, chosen: list[str] | None = None, coverage: Any = None) -> None:
        self.chosen = None if chosen is None else {name: n for n, name in enumerate(chosen)}
        self.coverage = coverage
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: list[str] = []

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if LEFT_OUT.search(str(collection_path)) else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.chosen is not None:
            chosen = self.chosen
            items[:] = [item for item in items if item.nodeid in chosen]
            items.sort(key=lambda item: chosen[item.nodeid])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.coverage is not None:
            self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)


def run_pytest(folder: Path, output: Path, arguments: list[str], chosen: list[str] | None) -> None:
    """Run tests of the package in ``folder``; the child process of :func:`run` calls this."""
    os.setsid()  # All processes that the tests start end with this one.
    with (folder / "log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # A later mutant of the same second could load it.
    os.environ |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    os.chdir(ROOT)
    settings.register_profile(
        "mutants", max_examples=10, phases=[Phase.generate], derandomize=True, database=None
    )
    measured = None
    if chosen is None:
        from coverage import Coverage

        measured = Coverage(data_file=None, source=[str(folder)], config_file=False)
        measured.start()
    plugin = Plugin(chosen, measured)
    options = (
        *("--hypothesis-profile=mutants", "--assert=plain"),
        *(f"--timeout={TIMEOUT}", "--timeout-method=thread"),  # It also ends a wait for a lock.
        *("-pno:randomly", "-pno:cacheprovider", "-pno:xdist", "-pno:cov"),
    )
    pytest.main([*options, *arguments], plugins=[plugin])
    found: dict[str, Any] = {"failed": plugin.failed, "seconds": plugin.seconds}
    if measured is not None:
        measured.stop()
        data = measured.get_data()
        found["tests"] = {
            module: data.contexts_by_lineno(str(folder / PACKAGE / f"{module}.py"))
            for module in CORE
        }
    output.write_text(json.dumps(found))
    os._exit(0)


def run(
    folder: Path, arguments: list[str], chosen: list[str] | None = None, timeout: float = 3_600
) -> dict[str, Any]:
    """Return what a child process found in the tests; ``failed`` names them if it hung."""
    output = folder / "found"
    output.unlink(missing_ok=True)
    work = (folder, output, arguments, chosen)
    process = multiprocessing.get_context("fork").Process(target=run_pytest, args=work)
    process.start()
    try:
        process.join(timeout)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # type: ignore[arg-type]  # it was started
        process.join()
    if not output.exists():
        return {"failed": ["(it hung or crashed)"]}
    found: dict[str, Any] = json.loads(output.read_text())
    return found


class Mutants:
    """Makes mutants in a copy of the package, and runs the tests that reach the changed lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "src" / PACKAGE, folder / PACKAGE)
        self.sources = {module: self.path(module).read_text() for module in CORE}
        found = run(folder, ["tests"])
        self.tests = found["tests"]
        self.seconds = {
            name: seconds
            for name, seconds in found["seconds"].items()
            if name not in found["failed"] and seconds < LONGEST_TEST
        }

    def path(self, module: str) -> Path:
        return self.folder / PACKAGE / f"{module}.py"

    def find(self) -> list[Mutant]:
        return [m for module in CORE for m in find_mutants(module, self.sources[module])]

    def diff(self, mutant: Mutant) -> str:
        """Return the changed lines before and after the change."""
        source = self.sources[mutant.module]
        before = ast.unparse(ast.parse(source)).splitlines()
        after = mutate(source, mutant).splitlines()
        return "\n".join(list(unified_diff(before, after, n=0, lineterm=""))[3:])

    def killer(self, mutant: Mutant) -> str | None:
        """Return the first test that fails on ``mutant``."""
        by_line: dict[str, list[str]] = self.tests[mutant.module]
        found = {name for line in mutant.tested_lines for name in by_line.get(str(line), ())}
        # A line that runs outside of a test, such as at import, may concern any test.
        if "" in found or not found & self.seconds.keys():
            found = set(self.seconds)
        chosen = sorted(found & self.seconds.keys(), key=self.seconds.__getitem__)
        timeout = 60 + 3 * sum(map(self.seconds.__getitem__, chosen))
        files = sorted({name.partition("::")[0] for name in chosen})
        source = self.sources[mutant.module]
        self.path(mutant.module).write_text(mutate(source, mutant))
        try:
            result = run(self.folder, ["-x", *files], chosen, timeout)
        finally:
            self.path(mutant.module).write_text(source)
        if result["failed"]:
            return str(result["failed"][0])
        return None if result["seconds"].keys() == set(chosen) else "(it cannot be imported)"


def main() -> int:
    """Report the mutants of a sample that survive; fail if they are too many."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("modules", nargs="*", default=CORE, help="such as paginator")
    parser.add_argument("--sample", type=int, default=60, help="number of mutants")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    parser.add_argument("--at-least", type=float, default=85, help="percentage to be killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mutants = Mutants(Path(folder))
        report(f"{len(mutants.seconds)} tests, {sum(mutants.seconds.values()):.0f} s")
        candidates = [mutant for mutant in mutants.find() if mutant.module in options.modules]
        size = min(options.sample, len(candidates))
        chosen = random.Random(options.seed).sample(candidates, size)
        killed = 0
        for mutant in sorted(chosen, key=lambda mutant: mutant[:3]):
            killer = mutants.killer(mutant)
            killed += killer is not None
            place = f"src/{PACKAGE}/{mutant.module}.py:{mutant.line}"
            report(f"{place}: {f'killed by {killer}' if killer else 'SURVIVED'}")
            if killer is None:
                report(mutants.diff(mutant))
    percentage = 100 * killed / len(chosen)
    report(
        f"{killed} of {len(chosen)} mutants killed ({percentage:.1f}%), "
        f"{len(candidates)} in all; seed {options.seed}"
    )
    return int(percentage < options.at_least)


def report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
