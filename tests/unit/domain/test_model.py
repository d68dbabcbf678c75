"""The words of the domain, and the values before the first entry."""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from meeting_agents.domain import model
from meeting_agents.domain.model import Action, AlertStatus, Entry, EntryType, Meeting, Reading, Request, Severity
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import LastAlert, Pending, Record

AT = datetime(2026, 4, 29, 12, tzinfo=UTC)


def test_before_the_first_entry_nothing_is_counted() -> None:
    """The record of an empty journal."""
    nothing = Record()
    assert (nothing.entries, nothing.revision, nothing.alerts_due, nothing.was_requested) == (0, 0, 0, False)


def test_a_value_that_is_left_out_is_the_usual_one() -> None:
    """A reading shows a meeting that is there, an alert is the first one and a message of its own."""
    assert not Reading().is_deleted
    assert Entry(key="alerted", kind=EntryType.ALERTED, at=AT).reminder == 0
    last = LastAlert(status=AlertStatus.FIRING, severity=Severity.CRITICAL, at=AT, count=1)
    assert (last.reminders, last.is_included) == (0, False)


def test_a_request_waits_for_its_account_if_the_newest_try_found_no_grant() -> None:
    request = Request(action=Action.PROVISION, data_center="us", meeting=Meeting())
    pending = Pending(revision=1, request=request, requested_at=AT)
    assert not pending.waits_for_account
    for failure, expected in (("reauthorisation_required", True), ("503", False)):
        assert (
            replace(pending, reason=Reason.of(ReasonCode.RETRY_PLANNED, failure=failure)).waits_for_account is expected
        )


def test_a_request_expects_no_conference_unless_it_says_so() -> None:
    """Cronofy is to make one only when asked."""
    assert not Request(action=Action.PROVISION, data_center="us", meeting=Meeting()).conference_expected


WORDS = [one for one in vars(model).values() if isinstance(one, type) and one.__base__ is StrEnum]


@pytest.mark.parametrize("words", WORDS)
def test_a_word_is_lower_case_without_blanks(words: type[StrEnum]) -> None:
    """The same in the table, in announcements and in logs."""
    assert all(word.value == word.value.lower() and " " not in word.value for word in words)
