"""The words of the domain, and the values before the first entry."""

from enum import StrEnum

import pytest

from meeting_agents.domain import model
from meeting_agents.domain.model import Action, Meeting, Record, Request


def test_before_the_first_entry_nothing_is_counted() -> None:
    """The record of an empty journal."""
    nothing = Record()
    assert (nothing.entries, nothing.revision, nothing.alerts_due, nothing.was_requested) == (0, 0, 0, False)


def test_a_request_expects_no_conference_unless_it_says_so() -> None:
    """Cronofy is to make one only when asked."""
    assert not Request(action=Action.PROVISION, data_center="us", meeting=Meeting()).conference_expected


WORDS = [one for one in vars(model).values() if isinstance(one, type) and one.__base__ is StrEnum]


@pytest.mark.parametrize("words", WORDS)
def test_a_word_is_lower_case_without_blanks(words: type[StrEnum]) -> None:
    """The same in the table, in announcements and in logs."""
    assert all(word.value == word.value.lower() and " " not in word.value for word in words)
