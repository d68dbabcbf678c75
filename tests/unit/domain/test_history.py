"""The incidents of an agent over its timeline: open, over, opened again, and notices."""

from datetime import datetime, timedelta

from meeting_agents.domain.acknowledgement import Acknowledgement, acknowledgement_of
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.history import past_incidents
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import Action, DeadlineType, EntryType
from meeting_agents.domain.reasons import Reason, ReasonCode
from tests.unit.alerting.test_message import END, START, WAITED, History

PERIODS = GracePeriods()
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SILENT_AT = START + 10 * MINUTE

type Listed = list[tuple[str, datetime, datetime | None]]


def listed(history: History, now: datetime = END + DAY) -> Listed:
    found = past_incidents(list(steps(history.entries)), PERIODS, now)
    return [(past.incident.key, past.incident.opened_at, past.over_at) for past in found]


def silent() -> History:
    return History().ask().accepted().add(EntryType.OVERDUE, SILENT_AT, phase=DeadlineType.ACTIVATION, reason=WAITED)


def test_an_open_incident_has_no_end() -> None:
    assert listed(silent()) == [("1/never_activated", SILENT_AT, None)]
    assert listed(History().ask().accepted(), START) == []


def test_an_incident_is_over_with_the_entry_that_ends_it() -> None:
    at = SILENT_AT + MINUTE
    assert listed(silent().hear("meeting_agent_activated", at)) == [("1/never_activated", SILENT_AT, at)]


def test_an_incident_that_opens_and_ends_by_time_alone_is_found() -> None:
    """No entry is written at either moment: it opens at the lead time, and the next entry is the acceptance."""
    late = START - 10 * MINUTE
    history = History().ask().add(EntryType.ACCEPTED, late)
    assert listed(history) == [("1/not_arranged", START - PERIODS.arrangement, late)]


def test_each_attempt_has_incidents_of_its_own_in_the_order_in_which_they_opened() -> None:
    history = silent().hear("meeting_agent_failed", SILENT_AT + MINUTE)
    assert [key for key, *_ in listed(history)] == ["1/never_activated", "1/failed"]
    again = history.ask(SILENT_AT + 2 * MINUTE, attempt=2)
    assert [(key, over) for key, _, over in listed(again, SILENT_AT + 3 * MINUTE)] == [
        ("1/never_activated", SILENT_AT + MINUTE),
        ("1/failed", SILENT_AT + 2 * MINUTE),
        ("2/not_arranged", None),
    ]


def test_an_incident_that_opens_again_is_there_once_as_it_opened_last() -> None:
    refused = Reason.of(ReasonCode.CANCELLATION_REFUSED, status=422)
    times = [START - DAY + hour * 60 * MINUTE for hour in range(4)]
    history = History().ask().accepted()
    for at in times[::2]:
        history.ask(at, action=Action.CANCEL)
        revision = history.entries[-1].revision
        history.add(EntryType.REJECTED, at + MINUTE, revision=revision, reason=refused)
        history.ask(at + 2 * MINUTE)
    [(key, opened_at, over_at)] = listed(history, times[-1])
    assert (key, opened_at, over_at) == ("1/unwanted", times[2] + MINUTE, times[2] + 2 * MINUTE)


def test_a_notice_is_over_when_it_is_found() -> None:
    history = History().ask().accepted().hear("meeting_agent_activated", START, event={"event_id": "another"})
    assert listed(history, START + MINUTE) == [("1/mismatched", START, START)]


def test_an_acknowledgement_has_the_person_and_the_note() -> None:
    """The newest counts; one before the incident was about another."""
    history = silent()
    for minutes, by in ((-1, "early"), (1, "ann"), (2, "bob")):
        note = Reason.of(ReasonCode.NOTE, note=f"seen by {by}", caller=by)
        history.add(EntryType.ACKNOWLEDGED, SILENT_AT + minutes * MINUTE, reason=note)
    timeline = list(steps(history.entries))
    [incident] = open_incidents(timeline[-1].after, PERIODS, SILENT_AT + 5 * MINUTE)
    at = SILENT_AT + 2 * MINUTE
    assert acknowledgement_of(incident, timeline) == Acknowledgement(at=at, by="bob", note="seen by bob")
    [incident] = open_incidents(timeline[-3].after, PERIODS, SILENT_AT)
    assert acknowledgement_of(incident, timeline) is None
