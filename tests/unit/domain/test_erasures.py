"""The agents whose data must not be erased yet, and what remains of the others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from meeting_agents.domain.erasures import ERASED_KEY, Erasure, may_come_until
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.model import Entry, EntryType, State
from meeting_agents.domain.reasons import ReasonCode
from tests.unit.domain.test_lifecycle import AWAY, END, MINUTE, REACHED, START, History, scheduled

GRACE_PERIODS = GracePeriods()
UNTIL = END + GRACE_PERIODS.completion


def until(history: History, at: datetime = START) -> datetime | None:
    return may_come_until(history.record, GRACE_PERIODS, at)


OPEN = {State.REQUESTED, State.SCHEDULED, State.ACTIVATED, State.OVERDUE}


@pytest.mark.parametrize("state", State)
def test_an_agent_that_has_ended_does_not_come(state: State) -> None:
    assert until(REACHED[state]()) == (UNTIL if state in OPEN else None)


@pytest.mark.parametrize("state", State)
def test_after_its_meeting_no_agent_comes(state: State) -> None:
    """With the time in which it may report its end."""
    history = REACHED[state]()
    assert until(history, UNTIL) is None
    assert until(history, UNTIL - timedelta(milliseconds=1)) == (UNTIL if state in OPEN else None)


def test_an_agent_may_come_as_long_as_its_cancellation_is_not_accepted() -> None:
    assert until(scheduled().request(AWAY)) == UNTIL
    assert until(scheduled().cancel()) is None


def test_an_agent_that_came_although_it_was_cancelled_is_there() -> None:
    assert until(scheduled().cancel().report(EntryType.ACTIVATED)) == UNTIL


def test_an_agent_whose_request_was_given_up_may_come_if_the_request_may_have_arrived() -> None:
    """Cronofy did not answer, and the time for repetitions is over."""
    given_up = History().request().answer(EntryType.UNCONFIRMED, revision=1).answer(EntryType.REJECTED, revision=1)
    record = given_up.record
    assert record.state is State.REJECTED
    arrived = replace(record, attempts=(replace(record.current, may_have_arrived=True),))
    refused = replace(record, attempts=(replace(record.current, may_have_arrived=False),))
    assert may_come_until(arrived, GRACE_PERIODS, START) == UNTIL
    assert may_come_until(refused, GRACE_PERIODS, START) is None


def test_a_request_on_its_way_counts_as_an_agent() -> None:
    """The next one after a failure begins an attempt; one beside a complete agent does not."""
    assert until(REACHED[State.FAILED]().request()) == UNTIL


def test_what_remains_is_read_as_it_was_written() -> None:
    at = datetime(2026, 4, 29, 15, 30, tzinfo=UTC)
    erasure = Erasure(at=at, by="arn:aws:iam::1:user/ann", entries=7, state=State.FAILED, attempt=2)
    entry = erasure.entry()
    assert (entry.key, entry.kind, entry.at, entry.attempt) == (ERASED_KEY, EntryType.ERASED, at, 2)
    assert Erasure.of(entry) == erasure
    unsigned = replace(erasure, by="")
    assert Erasure.of(unsigned.entry()) == unsigned


def test_an_erasure_of_another_version_is_one_all_the_same() -> None:
    """Its data must not come back because a value is missing."""
    at = START + MINUTE
    assert Erasure.of(Entry(key=ERASED_KEY, kind=EntryType.ERASED, at=at)) == Erasure(
        at=at, by="", entries=0, state=State.COMPLETE, attempt=1
    )
    assert Erasure(at=at, by="", entries=0, state=State.COMPLETE).reason.code is ReasonCode.ERASED
