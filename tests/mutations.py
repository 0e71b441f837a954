"""The changes of a module that mutation testing makes: each is one small mistake.

Examples are ``<`` for ``<=``, ``and`` for ``or``, a number that is one too large, a condition that
is negated, and a call, a keyword argument or an entry of a table that is left out.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

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


def swaps(node: Any) -> Iterator[Any]:
    """Yield the operators, or the statements, that may stand for ``node``."""
    for one, other in PAIRS:
        if isinstance(node, (one, other)):
            yield other() if isinstance(node, one) else one()


def replacements(node: Any) -> Iterator[ast.AST]:
    """Yield what ``node`` may be replaced with.

    All operators of a kind are one object in the tree, so the node around them is replaced.
    """
    if isinstance(node, ast.stmt):
        yield from swaps(node)
    if isinstance(node, (ast.BoolOp, ast.BinOp, ast.AugAssign)):
        yield from (changed(node, op=op) for op in swaps(node.op))
    if isinstance(node, ast.Compare):
        for index, old in enumerate(node.ops):
            for op in swaps(old):
                yield changed(node, ops=[*node.ops[:index], op, *node.ops[index + 1 :]])
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
    """Yield each mutant of a module."""
    tree = ast.parse(source)
    uses: dict[str, set[int]] = defaultdict(set)  # the lines that use a name
    for node, line in walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] |= {line, node.lineno}
    constants: dict[int, set[int]] = defaultdict(set)
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            for target in ast.walk(statement):
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
