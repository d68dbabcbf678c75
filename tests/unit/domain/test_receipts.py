"""The changes that a channel is owed, from the last alert and the last change that it took."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import AlertStatus, ChangeType, DeadlineType, Entry, EntryType, IncidentType, Severity
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.receipts import number_of, owed_actions, owed_changes
from meeting_agents.domain.record import LastAlert, Receipt, Record
from tests.unit.alerting.test_message import END, MINUTE, START, History, silent

TRIGGER, ACKNOWLEDGE, RESOLVE = ChangeType
AT = datetime(2026, 4, 29, 15, 41, tzinfo=UTC)
SECOND = LastAlert(status=AlertStatus.FIRING, severity=Severity.CRITICAL, at=AT, count=2)


SILENT_AGAIN = START + timedelta(hours=4, minutes=10)
"""The silence is noticed at the new time of a meeting that moved."""


def took(action: ChangeType, number: int) -> Receipt:
    return Receipt(action=action, number=number, count=1, at=AT)


@pytest.mark.parametrize(
    ("before", "is_open", "is_acknowledged", "is_included", "owed"),
    [
        # a channel that knows nothing of the incident
        (None, True, False, False, (TRIGGER,)),
        (None, True, True, False, (TRIGGER, ACKNOWLEDGE)),
        (None, False, False, False, ()),
        (None, True, False, True, ()),
        (None, True, True, True, ()),
        (None, False, False, True, ()),
        # that has the alert before the last one
        (took(TRIGGER, 1), True, False, False, (TRIGGER,)),
        (took(TRIGGER, 1), True, True, False, (TRIGGER, ACKNOWLEDGE)),
        (took(TRIGGER, 1), True, False, True, ()),
        (took(TRIGGER, 1), False, False, False, (RESOLVE,)),
        (took(TRIGGER, 1), False, False, True, (RESOLVE,)),
        (took(ACKNOWLEDGE, 1), True, True, False, (TRIGGER, ACKNOWLEDGE)),
        (took(ACKNOWLEDGE, 1), True, False, False, (RESOLVE, TRIGGER)),
        (took(ACKNOWLEDGE, 1), True, False, True, ()),
        (took(RESOLVE, 1), True, False, False, (TRIGGER,)),
        # that has the last one
        (took(TRIGGER, 2), True, False, False, ()),
        (took(TRIGGER, 2), True, True, False, (ACKNOWLEDGE,)),
        (took(TRIGGER, 2), True, True, True, (ACKNOWLEDGE,)),
        (took(ACKNOWLEDGE, 2), True, True, False, ()),
        (took(ACKNOWLEDGE, 2), False, True, False, (RESOLVE,)),
        (took(RESOLVE, 2), False, False, False, ()),
        (took(RESOLVE, 2), True, False, False, (TRIGGER,)),
    ],
)
def test_a_channel_is_owed_what_it_does_not_know(
    before: Receipt | None, is_open: bool, is_acknowledged: bool, is_included: bool, owed: tuple[ChangeType, ...]
) -> None:
    """Nothing new of an incident that the alert about a group says; an open one is closed anyway."""
    last = replace(SECOND, is_included=is_included)
    assert owed_actions(last, before, is_open=is_open, is_acknowledged=is_acknowledged) == owed


@pytest.mark.parametrize(
    ("action", "status", "before", "number"),
    [
        (TRIGGER, AlertStatus.FIRING, took(TRIGGER, 1), 2),
        (RESOLVE, AlertStatus.FIRING, took(ACKNOWLEDGE, 1), 1),
        (RESOLVE, AlertStatus.RESOLVED, took(TRIGGER, 1), 2),
        (TRIGGER, AlertStatus.FIRING, None, 2),
    ],
)
def test_each_end_of_an_incident_has_a_number_of_its_own(
    action: ChangeType, status: AlertStatus, before: Receipt | None, number: int
) -> None:
    """A receiver drops what has the id of something that it took: the end of the second time has another."""
    assert number_of(action, replace(SECOND, status=status), before) == number


def delivered(action: ChangeType, count: int, channel: str = "pager", at: datetime = AT) -> Entry:
    values = {"channel": channel, "action": action, "incident": "never_activated", "number": 1}
    return Entry(
        key=f"delivered#{channel}#1/never_activated#{count}",
        kind=EntryType.DELIVERED,
        at=at,
        attempt=1,
        cause=IncidentType.NEVER_ACTIVATED,
        reason=Reason.of(ReasonCode.DELIVERED, **values),
    )


def alerted() -> list[Entry]:
    history = silent()
    history.add(
        EntryType.ALERTED,
        AT,
        attempt=1,
        cause=IncidentType.NEVER_ACTIVATED,
        status=AlertStatus.FIRING,
        severity=Severity.CRITICAL,
    )
    return history.entries


def owed(record: Record, channel: str = "pager", at: datetime = AT + MINUTE) -> list[ChangeType]:
    return [each.action for each in owed_changes(record, channel, GracePeriods(), at)]


def test_a_channel_that_does_not_get_the_groups_incident_gets_the_agents() -> None:
    """Its filters leave the group out; the alert about the group says nothing to it."""
    included = Reason.of(ReasonCode.ALERT_INCLUDED, incident="never_activated", status="firing", group="group")
    entries = [replace(entry, reason=included) if entry.status else entry for entry in alerted()]
    record, grace_periods = fold(entries), GracePeriods()
    assert list(owed_changes(record, "pager", grace_periods, AT)) == []
    assert list(owed_changes(record, "pager", grace_periods, AT, lambda _: True)) == []
    [change] = owed_changes(record, "pager", grace_periods, AT, lambda _: False)
    assert change.action is TRIGGER


def test_a_delivered_entry_changes_nothing_but_the_receipt() -> None:
    """No state, no deadline, no alert, not even the time of the last news."""
    before = fold(alerted())
    after = fold([delivered(TRIGGER, 0, at=AT + timedelta(minutes=30))], before)
    assert owed(before) == [TRIGGER]
    assert owed(after) == []
    assert owed(after, "another") == [TRIGGER]
    unchanged = replace(after, receipts={}, entries=before.entries, verdicts=before.verdicts)
    assert unchanged == before
    assert after.verdicts["applied"] == before.verdicts["applied"] + 1


def test_the_last_receipt_of_each_channel_counts_in_any_order_of_the_list() -> None:
    entries = [
        *alerted(),
        delivered(TRIGGER, 0, at=AT + timedelta(seconds=1)),
        delivered(RESOLVE, 1, at=AT + timedelta(seconds=2)),
    ]
    for order in permutations(entries[-3:]):
        record = fold([*entries[:-3], *order])
        receipt = record.receipts["pager", "1/never_activated"]
        assert (receipt.action, receipt.count) == (RESOLVE, 2)


def test_a_notice_is_news_for_a_channel_and_never_over() -> None:
    """It is no open incident, and still no channel is to close it."""
    history = History().ask().accepted()
    history.hear("meeting_agent_complete", AT, event={"event_id": "somebody-elses-event"}).published(AT + MINUTE)
    at = AT + 2 * MINUTE
    assert owed(fold(history.entries), at=at) == [TRIGGER]
    key = "1/mismatched"
    took_it = replace(delivered(TRIGGER, 0, at=at), cause=IncidentType.MISMATCHED)
    record = fold([*history.entries, took_it])
    assert record.receipts.keys() == {("pager", key)}
    assert owed(record, at=at) == []


def test_each_channel_and_each_incident_has_a_receipt_of_its_own() -> None:
    record = fold([*alerted(), delivered(TRIGGER, 0), delivered(TRIGGER, 0, channel="chat")])
    assert record.receipts.keys() == {("pager", "1/never_activated"), ("chat", "1/never_activated")}


def test_a_receipt_without_a_number_has_the_least() -> None:
    """So each alert is newer to the channel."""
    entry = delivered(TRIGGER, 0)
    reason = Reason.of(ReasonCode.DELIVERED, channel="pager", action=TRIGGER)
    (receipt,) = fold([*alerted(), replace(entry, reason=reason)]).receipts.values()
    assert receipt.number == 0


def moved() -> History:
    """An agent that was silent, of which people were alerted, and is silent at the new time of its meeting, too."""
    history = silent()
    history.published(AT)
    history.entries.append(delivered(TRIGGER, 0))
    later = timedelta(hours=4)
    history.meeting = replace(history.meeting, start=START + later, end=END + later)
    history.ask(AT + MINUTE).accepted()
    missed = Reason.of(ReasonCode.ACTIVATION_MISSED, at="2026-04-29T19:40:00.000Z")
    history.add(EntryType.OVERDUE, SILENT_AGAIN, revision=2, phase=DeadlineType.ACTIVATION, reason=missed)
    return history


def test_a_meeting_that_moved_is_over_in_a_channel_and_opened_again_by_its_next_alert() -> None:
    """Not before: a silence may hold that alert back, and the patience before it has its reason."""
    history = moved()
    for at in (SILENT_AGAIN, SILENT_AGAIN + timedelta(hours=1)):
        assert owed(fold(history.entries), at=at) == [RESOLVE]
    history.entries.append(delivered(RESOLVE, 1, at=SILENT_AGAIN + MINUTE))
    assert owed(fold(history.entries), at=SILENT_AGAIN + 2 * MINUTE) == []
    history.published(SILENT_AGAIN + 3 * MINUTE)
    assert owed(fold(history.entries), at=SILENT_AGAIN + 4 * MINUTE) == [TRIGGER]


@pytest.mark.parametrize("change", [{"reason": None}, {"cause": None}, {"attempt": None}])
def test_an_entry_without_its_values_says_nothing(change: dict[str, None]) -> None:
    record = fold([*alerted(), replace(delivered(TRIGGER, 0), **change)])  # type: ignore[arg-type]
    assert record.receipts == {}
