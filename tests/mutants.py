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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import boto3.session  # noqa: F401  (loaded once for all child processes)
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine  # noqa: F401  (loaded once, too)

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("iotjobs_client")
CORE = (
    *("_botocore", "_decode", "_request", "_resume", "client"),
    *("exceptions", "models", "paginator", "rollout"),
)
# The tests in these folders and files take long, or hardly touch the core.
LEFT_OUT = re.compile(
    r"/(command_line|docs|testing_kit|typing)/"
    r"|test_(faults|gevent|interrupts|moto\w*|processes|quota|stubber)\b"
)
LONGEST_TEST = 1.0  # Tests that take more seconds are left out.
TIMEOUT = 15.0
PAIRS: tuple[tuple[type[ast.AST], type[ast.AST]], ...] = (
    *((ast.Lt, ast.LtE), (ast.Lt, ast.GtE), (ast.Gt, ast.GtE), (ast.Gt, ast.LtE)),
    *((ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn), (ast.And, ast.Or)),
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.FloorDiv, ast.Mult)),
    *((ast.BitAnd, ast.BitOr), (ast.Break, ast.Continue)),
)
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One change of a module.

    Attributes:
        module: The name of the module.
        node: The number in :func:`walk` of the node that is replaced.
        replacement: The number in :func:`replacements` of what replaces it.
        line: Where the node ends.
        tested_lines: The lines whose tests may fail: those of the node, or the uses of a constant.
    """

    module: str
    node: int
    replacement: int
    line: int
    tested_lines: set[int]


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


def walk(node: ast.AST, line: int = 1) -> Iterator[tuple[ast.AST, int]]:
    """Yield the nodes that may be changed, each with the first line of its statement.

    Annotations, type variables and docstrings are left out.
    """
    if isinstance(node, ast.stmt):
        line = node.lineno
    text = ast.unparse(node) if isinstance(node, (ast.If, ast.Assign)) else ""
    if "TypeVar(" in text or text.startswith("if TYPE_CHECKING"):
        return
    yield node, line
    for name, value in ast.iter_fields(node):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_type = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple)
        is_text = isinstance(node, ast.JoinedStr)
        if name in {"annotation", "returns", "format_spec"} or is_docstring or is_type:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (is_text and isinstance(child, ast.Constant)):
                yield from walk(child, line)


def changed(node: Any, **fields: Any) -> Any:
    """Return a copy of ``node`` with other values of ``fields``."""
    values = dict(ast.iter_fields(node)) | fields
    return ast.copy_location(type(node)(**values), node)


def without_each(values: list[Any]) -> Iterator[list[Any]]:
    """Yield ``values`` without one of them, for each of them."""
    for index in range(len(values)):
        yield values[:index] + values[index + 1 :]


def replacements(node: Any) -> Iterator[ast.AST]:
    """Yield what ``node`` may be replaced with."""
    for one, other in PAIRS:
        if isinstance(node, (one, other)):
            yield other() if isinstance(node, one) else one()
    yield from other_statements(node)
    yield from other_expressions(node)


def other_expressions(node: Any) -> Iterator[ast.AST]:  # noqa: C901, PLR0912  (one case per kind)
    match node:
        case ast.BoolOp(values=values):
            for left in without_each(values):
                yield left[0] if len(left) == 1 else changed(node, values=left)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield changed(node, value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield changed(node, value=value + 1)
        case ast.Constant(value=str(value)) if value:
            words = list(re.finditer(r"\S+", value))
            is_table = len(words) > 1 and all(re.fullmatch(r"[A-Z]\w+", w[0]) for w in words)
            for word in words if is_table else ():
                yield changed(node, value=value[: word.start()] + value[word.end() :])
            if not is_table:
                yield changed(node, value="")
        case ast.FormattedValue():
            yield ast.Constant("")
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield changed(node, id=NAMES[name])
        case ast.Dict(keys=keys, values=values):
            for left, values_left in zip(without_each(keys), without_each(values), strict=True):
                yield changed(node, keys=left, values=values_left)
        case ast.Set(elts=elts) | ast.Tuple(elts=elts, ctx=ast.Load()) | ast.List(elts=elts):
            for left in without_each(elts):
                yield changed(node, elts=left) if left else ast.Tuple([], ast.Load())
        case ast.Call(keywords=keywords):
            for left in without_each(keywords):
                yield changed(node, keywords=left)
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Compare):
            yield changed(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=ifs):
            for left in without_each(ifs):
                yield changed(node, ifs=left)


def other_statements(node: Any) -> Iterator[ast.AST]:  # noqa: C901, PLR0912  (one case per kind)
    match node:
        case ast.Return(value=ast.expr()) if ast.unparse(node) != "return None":
            yield changed(node, value=None)
        case ast.Raise() | ast.Delete() | ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass()
        case ast.Assign(
            targets=[ast.Attribute() | ast.Subscript() | ast.Tuple(elts=[ast.Attribute(), *_])]
        ):
            yield ast.Pass()
        case ast.AugAssign() | ast.AnnAssign(target=ast.Attribute()):
            yield ast.Pass()
        case ast.With(items=[ast.withitem(optional_vars=None)], body=body):
            yield ast.If(ast.Constant(value=True), body, [])
        case ast.Try(body=body, handlers=handlers, finalbody=finalbody):
            for left in without_each(handlers):
                if left or finalbody:
                    yield changed(node, handlers=left)
            if finalbody and handlers:
                yield changed(node, finalbody=[])
            elif finalbody:
                yield ast.If(ast.Constant(value=True), body, [])
        case ast.Match(cases=cases):
            for left in without_each(cases):
                yield changed(node, cases=left)
        case ast.match_case(guard=ast.expr()):
            yield changed(node, guard=None)


def find_mutants(module: str, source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    uses: dict[str, set[int]] = defaultdict(set)  # the lines that use a name
    for node, line in walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] |= {line, node.lineno}
    constants: dict[int, set[int]] = defaultdict(set)
    for statement in tree.body:
        for target in (
            ast.walk(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else ()
        ):
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                constants[statement.lineno] |= uses[target.id]
    for number, (node, line) in enumerate(walk(tree)):
        is_block = isinstance(node, ast.stmt) and hasattr(node, "body")
        last = line if is_block else getattr(node, "end_lineno", line)
        lines = constants.get(line, set(range(line, last + 1)))
        for replacement, _ in enumerate(replacements(node)):
            yield Mutant(module, number, replacement, last, lines)


def mutate(source: str, mutant: Mutant) -> str:
    """Return the source of the module with the change of ``mutant``."""
    tree = ast.parse(source)
    (node, _) = list(walk(tree))[mutant.node]
    new = list(replacements(node))[mutant.replacement]

    class Replace(ast.NodeTransformer):
        def visit(self, visited: ast.AST) -> Any:
            return new if visited is node else self.generic_visit(visited)

    return ast.unparse(ast.fix_missing_locations(Replace().visit(tree)))


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
    options = ("--hypothesis-profile=mutants", "--assert=plain", f"--timeout={TIMEOUT}")
    off = ("-pno:randomly", "-pno:cacheprovider", "-pno:xdist", "-pno:cov")
    pytest.main([*options, *off, *arguments], plugins=[plugin])
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


def common_length(one: str, other: str) -> int:
    """Return the length of the start that both texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


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
        """Return what the change takes out and puts in, with some text around it."""
        before = ast.unparse(ast.parse(self.sources[mutant.module]))
        after = mutate(self.sources[mutant.module], mutant)
        start = common_length(before, after)
        longest = min(len(before), len(after)) - start
        end = min(longest, common_length(before[::-1], after[::-1]))
        head, tail = before[max(0, start - 120) : start], before[len(before) - end :][:60]
        taken, put = before[start : len(before) - end], after[start : len(after) - end]
        return f"{head}[-{taken}-]{{+{put}+}}{tail}"

    def killer(self, mutant: Mutant) -> str | None:
        """Return the first test that fails on ``mutant``."""
        by_line: dict[str, list[str]] = self.tests[mutant.module]
        found = {name for line in mutant.tested_lines for name in by_line.get(str(line), ())} - {""}
        if not found & self.seconds.keys():  # The line runs at import, or in a thread.
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
