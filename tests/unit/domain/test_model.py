"""The words of the lifecycle: each has its meaning, and what nobody said is nothing."""

from enum import StrEnum

import pytest

from meeting_agents.domain import model
from meeting_agents.domain.incidents import SEVERITIES
from meeting_agents.domain.model import Action, IncidentType, Meeting, Record, Request, Severity


def test_every_cause_says_how_soon_a_person_should_look() -> None:
    """High is where a meeting is without its agent, or with one that nobody wants."""
    grave = {cause for cause in IncidentType if SEVERITIES[cause] is Severity.HIGH}
    assert grave == {
        IncidentType.FAILED,
        IncidentType.REJECTED,
        IncidentType.NEVER_ACTIVATED,
        IncidentType.NOT_CANCELLED,
    }
    assert {cause for cause in IncidentType if SEVERITIES[cause] is Severity.CLEAR} == {IncidentType.RECOVERED}


def test_before_the_first_entry_nothing_is_counted() -> None:
    """The record of an empty journal."""
    nothing = Record()
    assert (nothing.entries, nothing.revision, nothing.escalations, nothing.was_requested) == (0, 0, 0, False)
    assert not nothing.has_incident


def test_a_request_expects_no_conference_unless_it_says_so() -> None:
    """Cronofy is to make one only when asked."""
    assert not Request(action=Action.PROVISION, data_center="us", meeting=Meeting()).conference_expected


WORDS = [one for one in vars(model).values() if isinstance(one, type) and one.__base__ is StrEnum]


@pytest.mark.parametrize("words", WORDS)
def test_a_word_is_written_as_it_is_meant_to_be_read(words: type[StrEnum]) -> None:
    """In the table, in announcements, in logs: lower case, without blanks."""
    assert all(word.value == word.value.lower() and " " not in word.value for word in words)
