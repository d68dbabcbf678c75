"""The tree of errors: the position and the status of an error say who must act."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import meeting_agents
from meeting_agents import errors
from meeting_agents.errors import Defect, InvalidSignature, MeetingAgentsError, Outage, Refusal

for module in pkgutil.walk_packages(meeting_agents.__path__, "meeting_agents."):
    importlib.import_module(module.name)


def below(error: type[MeetingAgentsError], depth: int = 0) -> Iterator[tuple[int, type[MeetingAgentsError]]]:
    yield depth, error
    for inner in error.__subclasses__():
        yield from below(inner, depth + 1)


EVERY = [error for _, error in below(MeetingAgentsError) if error.__module__.startswith("meeting_agents.")]
BRANCHES = (MeetingAgentsError, Refusal, Outage, Defect)
"""Never raised themselves: they hold what the errors below them have in common."""


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    """No module defines an error outside the tree."""
    drawn = re.findall(r"^((?:[│ ]   )*(?:[├└]── )?)(\w+)", errors.__doc__ or "", re.MULTILINE)
    drawn = [(len(indent) // 4, name) for indent, name in drawn if indent or name == "MeetingAgentsError"]
    assert drawn == [(depth, error.__name__) for depth, error in below(MeetingAgentsError)]
    assert {error.__module__ for error in EVERY} == {errors.__name__}


@pytest.mark.parametrize("error", EVERY)
def test_every_error_has_a_status_and_a_code_of_its_own(error: type[MeetingAgentsError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert "code" in vars(error)
    assert [other for other in EVERY if other.code == error.code] == [error]


@pytest.mark.parametrize("error", EVERY)
def test_the_status_says_who_must_act(error: type[MeetingAgentsError]) -> None:
    """4xx: the caller. 5xx: an operator or a developer, unless a retry succeeds."""
    assert (400 <= error.status < 500) is issubclass(error, Refusal)
    assert (500 <= error.status < 600) is not issubclass(error, Refusal)
    assert sum(issubclass(error, branch) for branch in BRANCHES) == (1 if error is MeetingAgentsError else 2)


@cache
def expected_by_tests() -> set[str]:
    """Return the names of errors that tests expect to be raised, and the codes that they expect in responses."""
    names: set[str] = set()
    for path in Path(__file__).parents[1].rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.raises", "isinstance"):
                names |= {
                    inner.id for argument in node.args for inner in ast.walk(argument) if isinstance(inner, ast.Name)
                }
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
    return names


@pytest.mark.parametrize("error", [error for error in EVERY if error not in BRANCHES])
def test_every_error_has_a_test(error: type[MeetingAgentsError]) -> None:
    """A test expects its name or its code."""
    assert {error.__name__, error.code} & expected_by_tests()


def test_an_error_has_a_detail_and_fields() -> None:
    field = errors.FieldError("start", "a time")
    error = errors.InvalidRequest("a field is wrong", field)
    assert (str(error), error.detail, error.fields) == ("a field is wrong", "a field is wrong", (field,))
    refused = InvalidSignature("missing", "the header is missing")
    assert (refused.reason, refused.detail, refused.fields) == ("missing", "the header is missing", ())
