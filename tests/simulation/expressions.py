"""DynamoDB's expressions: the conditions and the updates that the product sends, each compiled once. Pure.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

type Value = Mapping[str, Any]
type Item = Mapping[str, Value]
type Values = Mapping[str, Value]
type Names = Mapping[str, str]
type Operand = Callable[[Item, Values, Names], Value | None]
type Condition = Callable[[Item, Values, Names], bool]
type Update = Callable[[dict[str, Value], Values, Names], None]

_TOKEN = re.compile(r"\s*([:#]?[A-Za-z_][A-Za-z0-9_]*|<=|>=|<>|[=<>(),+-])")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def key_of(value: Value) -> Any:
    """Return a value of an item as something that compares as DynamoDB compares it."""
    ((type_, content),) = value.items()
    return float(content) if type_ == "N" else content


@cache
def condition(text: str) -> Condition:
    """Compile a condition."""
    tokens = _Tokens(text)
    compiled = _any_of(tokens)
    tokens.expect("")
    return compiled


@cache
def update(text: str) -> Update:
    """Compile an update."""
    tokens, changes = _Tokens(text), list[Update]()
    while clause := tokens.take():
        change = {"SET": _set, "REMOVE": _remove, "ADD": _add}[clause]
        changes.append(change(tokens))
        while tokens.take_if(","):
            changes.append(change(tokens))

    def apply(item: dict[str, Value], values: Values, names: Names) -> None:
        for change in changes:
            change(item, values, names)

    return apply


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._at += 1
        return token

    def take_if(self, token: str) -> bool:
        is_next = self.peek() == token
        self._at += is_next
        return is_next

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise ValueError(f"{token or 'the end'} is expected in {' '.join(self._tokens)}")


def _split(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"not understood: {text[at:]}")
        yield match[1]
        at = match.end()


def _any_of(tokens: _Tokens) -> Condition:
    parts = [_all_of(tokens)]
    while tokens.take_if("OR"):
        parts.append(_all_of(tokens))
    if len(parts) == 1:
        return parts[0]
    return lambda item, values, names: any(part(item, values, names) for part in parts)


def _all_of(tokens: _Tokens) -> Condition:
    parts = [_term(tokens)]
    while tokens.take_if("AND"):
        parts.append(_term(tokens))
    if len(parts) == 1:
        return parts[0]
    return lambda item, values, names: all(part(item, values, names) for part in parts)


def _term(tokens: _Tokens) -> Condition:
    if tokens.take_if("NOT"):
        inner = _term(tokens)
        return lambda item, values, names: not inner(item, values, names)
    if tokens.take_if("("):
        inner = _any_of(tokens)
        tokens.expect(")")
        return inner
    if tokens.peek() in ("attribute_exists", "attribute_not_exists", "begins_with"):
        return _function(tokens)
    left = _operand(tokens)
    if tokens.take_if("BETWEEN"):
        least = _operand(tokens)
        tokens.expect("AND")
        return _both(_comparison("<=", least, left), _comparison("<=", left, _operand(tokens)))
    return _comparison(tokens.take(), left, _operand(tokens))


def _both(first: Condition, second: Condition) -> Condition:
    return lambda item, values, names: first(item, values, names) and second(item, values, names)


def _function(tokens: _Tokens) -> Condition:
    name = tokens.take()
    tokens.expect("(")
    operand = _operand(tokens)
    if name == "begins_with":
        tokens.expect(",")
        prefix = _operand(tokens)
        tokens.expect(")")

        def begins(item: Item, values: Values, names: Names) -> bool:
            value, start = operand(item, values, names), prefix(item, values, names)
            return bool(value and start) and str(key_of(value or {})).startswith(str(key_of(start or {})))

        return begins
    tokens.expect(")")
    exists = name == "attribute_exists"
    return lambda item, values, names: (operand(item, values, names) is not None) is exists


def _comparison(symbol: str, left: Operand, right: Operand) -> Condition:
    compare = _COMPARISONS[symbol]

    def holds(item: Item, values: Values, names: Names) -> bool:
        first, second = left(item, values, names), right(item, values, names)
        if first is None or second is None or first.keys() != second.keys():
            return symbol == "<>"
        return compare(key_of(first), key_of(second))

    return holds


def _operand(tokens: _Tokens) -> Operand:
    token = tokens.take()
    if token == "if_not_exists":
        tokens.expect("(")
        path = _operand(tokens)
        tokens.expect(",")
        default = _operand(tokens)
        tokens.expect(")")
        return lambda item, values, names: path(item, values, names) or default(item, values, names)
    if token.startswith(":"):
        return lambda _, values, __: values[token]
    if token.startswith("#"):
        return lambda item, _, names: item.get(names[token])
    return lambda item, _, __: item.get(token)


def _set(tokens: _Tokens) -> Update:
    name = tokens.take()
    tokens.expect("=")
    operand = _operand(tokens)
    sign = {"+": 1, "-": -1}.get(tokens.peek(), 0)
    if sign:
        tokens.take()
        other = _operand(tokens)

    def change(item: dict[str, Value], values: Values, names: Names) -> None:
        value = operand(item, values, names)
        assert value is not None, f"no value for {name}"
        if sign:
            value = _sum(value, other(item, values, names), sign)
        item[names.get(name, name)] = value

    return change


def _remove(tokens: _Tokens) -> Update:
    name = tokens.take()

    def change(item: dict[str, Value], _: Values, names: Names) -> None:
        item.pop(names.get(name, name), None)

    return change


def _add(tokens: _Tokens) -> Update:
    name, operand = tokens.take(), _operand(tokens)

    def change(item: dict[str, Value], values: Values, names: Names) -> None:
        path = names.get(name, name)
        item[path] = _sum(item.get(path, {"N": "0"}), operand(item, values, names), 1)

    return change


def _sum(value: Value, other: Value | None, sign: int) -> Value:
    assert other is not None, "a number is added"
    total = float(value["N"]) + sign * float(other["N"])
    return {"N": f"{total:.3f}".rstrip("0").rstrip(".")}
