"""Small changes to a module's syntax tree, each of which changes its behaviour."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SWAPS: dict[type, type] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change. `text` is its source line, so that a list of survivors stays valid when other lines change."""

    number: int
    line: int
    text: str
    change: str

    @property
    def name(self) -> str:
        return f"{self.text} | {self.change}"


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module."""
    lines = source.splitlines()
    return [
        Mutant(number, node.lineno, lines[node.lineno - 1].strip(), change)
        for number, (node, change, _) in enumerate(_changes(ast.parse(source)))
    ]


def changed(source: str, mutant: Mutant) -> ast.Module:
    """The module with that change."""
    tree = ast.parse(source)
    _, _, apply = next(change for number, change in enumerate(_changes(tree)) if number == mutant.number)
    apply()
    return ast.fix_missing_locations(tree)


type Change = tuple[ast.expr | ast.stmt, str, Callable[[], None]]


class Apply:
    """Sets an attribute, or an element of a list, of the syntax tree."""

    def __init__(self, target: object, name: str, value: object) -> None:
        self.target, self.name, self.value = target, name, value

    def __call__(self) -> None:
        if isinstance(self.target, list):
            self.target[int(self.name)] = self.value
        else:
            setattr(self.target, self.name, self.value)


class TakeOut:
    """Removes an entry of a table."""

    def __init__(self, table: ast.Dict, at: int) -> None:
        self.table, self.at = table, at

    def __call__(self) -> None:
        del self.table.keys[self.at], self.table.values[self.at]


def _changes(tree: ast.Module) -> Iterator[Change]:
    silent = _silent(tree)
    for node in ast.walk(tree):
        if id(node) not in silent:
            yield from _of(node)


def _silent(tree: ast.Module) -> set[int]:  # noqa: C901 - one case for each kind of silence
    """Nodes that no test has to notice: annotations, docstrings, and the words of messages."""
    silent: set[int] = set()

    def hush(node: ast.AST | None) -> None:
        if node is not None:
            silent.update(id(child) for child in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg):
            hush(node.annotation)
        if isinstance(node, ast.FunctionDef):
            hush(node.returns)
            for decorator in node.decorator_list:
                hush(decorator)
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                hush(decorator)
        if isinstance(node, ast.TypeAlias | ast.JoinedStr | ast.Raise):
            hush(node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hush(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            hush(node)
    return silent


def _of(node: ast.AST) -> Iterator[Change]:  # noqa: C901, PLR0912 - one case for each kind of change
    match node:
        case ast.Compare():
            for at, operator in enumerate(node.ops):
                other = _SWAPS[type(operator)]
                yield node, f"{type(operator).__name__} -> {other.__name__}", Apply(node.ops, str(at), other())
        case ast.BoolOp() | ast.BinOp() if type(node.op) in _SWAPS:
            other = _SWAPS[type(node.op)]
            yield node, f"{type(node.op).__name__} -> {other.__name__}", Apply(node, "op", other())
        case ast.If() | ast.While() | ast.IfExp():
            yield node.test, "condition negated", Apply(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield node.ifs[0], "filter taken out", Apply(node, "ifs", node.ifs[1:])
        case ast.Return(value=ast.Constant(value=None | False)):
            pass  # None is equivalent
        case ast.Return(value=ast.expr()):
            yield node, "None returned", Apply(node, "value", ast.Constant(None))
        case ast.Name(id=name) if name in _NAMES and isinstance(node.ctx, ast.Load):
            yield node, f"{name} -> {_NAMES[name]}", Apply(node, "id", _NAMES[name])
        case ast.Constant(value=bool(value)):
            yield node, f"{value} -> {not value}", Apply(node, "value", not value)
        case ast.Constant(value=int(value)):
            yield node, f"{value} -> {value + 1}", Apply(node, "value", value + 1)
        case ast.Dict(keys=[_, *_]):
            for at, key in enumerate(node.keys):
                entry = ast.unparse(key) if key else f"**{ast.unparse(node.values[at])}"
                yield key or node.values[at], f"{entry} taken out", TakeOut(node, at)
        case ast.Expr(value=ast.Call()):
            yield node, "call taken out", Apply(node, "value", ast.Constant(None))
        case _:
            return
