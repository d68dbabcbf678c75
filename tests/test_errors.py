"""Every error says who must act, by its place in the tree, its status and its code."""

import re
from collections.abc import Iterator

import pytest

from meeting_agents import errors
from meeting_agents.errors import MeetingAgentsError, Outage, Refusal, SignatureRefused


def below(error: type[MeetingAgentsError], depth: int = 0) -> Iterator[tuple[int, type[MeetingAgentsError]]]:
    yield depth, error
    for inner in error.__subclasses__():
        yield from below(inner, depth + 1)


EVERY = [error for _, error in below(MeetingAgentsError)]
assert errors.MissingSetting in EVERY  # the one error that is no part of the tree: a defect of the deployment


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn = re.findall(r"^((?:[│ ]   )*(?:[├└]── )?)(\w+)", errors.__doc__ or "", re.MULTILINE)
    drawn = [(len(indent) // 4, name) for indent, name in drawn if indent or name == "MeetingAgentsError"]
    assert drawn == [
        (d, error.__name__) for d, error in below(MeetingAgentsError) if error.__module__ == errors.__name__
    ]


@pytest.mark.parametrize("error", EVERY)
def test_every_error_has_a_status_and_a_code_of_its_own(error: type[MeetingAgentsError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert "code" in vars(error)
    assert [other for other in EVERY if other.code == error.code] == [error]


@pytest.mark.parametrize("error", EVERY)
def test_the_status_says_who_must_act(error: type[MeetingAgentsError]) -> None:
    """4xx: whoever called. 5xx: nobody, or an operator."""
    assert (400 <= error.status < 500) is issubclass(error, Refusal)
    assert (500 <= error.status < 600) is not issubclass(error, Refusal)
    assert not (issubclass(error, Refusal) and issubclass(error, Outage))


def test_an_error_is_its_detail_and_its_fields() -> None:
    field = errors.Field("start", "a time")
    error = errors.InvalidRequest("a field is wrong", field)
    assert (str(error), error.detail, error.fields) == ("a field is wrong", "a field is wrong", (field,))
    refused = SignatureRefused("missing", "the header is missing")
    assert (refused.reason, refused.detail, refused.fields) == ("missing", "the header is missing", ())
