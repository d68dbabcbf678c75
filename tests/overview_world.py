"""Agents in a table as they are after some days of work, for what people look at."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched, count
from typing import Any

import boto3

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.groups import Groups, LastCallbacks
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.notifications import append_notification
from meeting_agents.cronofy.messages import CronofyRequest
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import Group
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    DeadlineType,
    EntryType,
    IncidentType,
    Meeting,
    Severity,
    State,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import LastAlert
from tests.unit.alerting.test_message import History

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TITLES = (
    "Board meeting",
    "Customer call: Northwind",
    "Design review",
    "Interview: data engineer",
    "Quarterly numbers",
    "Sprint planning",
    "Supplier negotiation",
    "Weekly sync",
)
DATA_CENTER = "de"
"""That of all agents of a `History`."""


class World:
    """The tables of one account, with agents that are written as the functions write them."""

    def __init__(self, session: boto3.Session, agents_table: str, now: datetime) -> None:
        self.now = now.astimezone(UTC).replace(microsecond=0)
        self._client = session.client("dynamodb")
        self._table = Table(self._client, agents_table)
        self.journal = Journal(self._table, GracePeriods(), timedelta(days=90))
        self.groups = Groups(self._table, lambda _: None)

    def add(self, *histories: History) -> None:
        """Write journals and their records."""
        for history in histories:
            for entry in history.entries:
                if entry.notification:
                    raw = history.bodies[entry.key]
                    append_notification(
                        self._table, history.agent, raw, at=entry.at, attempt=1, signed_with="de:current"
                    )
                elif entry.request:
                    # As one in the name of an account, which can be sent again.
                    sent = CronofyRequest("POST", "/v1/calendars/cal_1/events", DATA_CENTER, "{}")
                    durable = replace(entry, retry_at=entry.at + MINUTE)
                    assert self.journal.append(history.agent, durable, cronofy_request=sent)
                else:
                    assert self.journal.append(history.agent, entry)
            entries = self.journal.read(history.agent, self.now)
            self.journal.save_record(history.agent, timeline(entries), entries, self.now)

    def hear(self, data_center: str, at: datetime) -> None:
        """Record a callback of a data center."""
        LastCallbacks(self._table).hear(data_center, at)

    def alert_of_group(self, group: Group, severity: Severity, at: datetime) -> None:
        """Record the first alert about a group."""
        before = self.groups.read(group)
        self.groups.record_alert(group, before, LastAlert(status=AlertStatus.FIRING, severity=severity, at=at, count=1))

    def fill_day(self, number: int, midnight: datetime, seed: int = 7) -> None:
        """Write the records of a day, without journals: the index is all that a page reads of them."""
        chance = random.Random(seed)
        self._put(self._of_day(position, midnight, chance) for position in range(number))

    def _of_day(self, position: int, midnight: datetime, chance: random.Random) -> dict[str, Any]:
        at = min(23 * HOUR + 45 * MINUTE, max(timedelta(), chance.gauss(12.5, 3.2) * HOUR))
        start = (midnight + at - at % (15 * MINUTE)).astimezone(UTC)
        state = State.COMPLETE if start + HOUR < self.now else State.ACTIVATED if start < self.now else State.SCHEDULED
        state = State.CANCELLED if chance.random() < 0.04 else state
        name = f"day-{position}"
        agent = agent_id(DATA_CENTER, "cal_of_the_day", name)
        meeting = {"summary": TITLES[position % 8], "start": keys.timestamp(start), "end": keys.timestamp(start + HOUR)}
        texts = {"state": state, "since": keys.timestamp(start), "event_id": name, "account": f"acc_{position % 40}"}
        texts |= keys.day_index(agent, start)
        return {
            **keys.record(agent),
            **{key: {"S": str(value)} for key, value in texts.items()},
            "meeting": {"M": {key: {"S": value} for key, value in meeting.items()}},
            "entries": {"N": "2"},
            "expires_at": {"N": str(int((self.now + timedelta(days=90)).timestamp()))},
        }

    def _put(self, items: Iterable[dict[str, Any]]) -> None:
        for batch in batched(items, 25, strict=False):
            puts: Any = [{"PutRequest": {"Item": item}} for item in batch]
            self._client.batch_write_item(RequestItems={self._table.name: puts})


def midnight_of(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


# ------------------------------------------------------------------------------------------------------------ incidents

_numbers = count(1)


def meeting(title: str, start: datetime, minutes: int = 60) -> Meeting:
    start = start.astimezone(UTC).replace(microsecond=0)
    return Meeting(start=start, end=start + minutes * MINUTE, tzid="Europe/Berlin", summary=title)


def requested(about: Meeting, **options: Any) -> History:
    """An agent that was requested two days before its meeting."""
    assert about.start
    history = History(f"event-{next(_numbers)}", about, **options)
    return history.ask(about.start - timedelta(days=2))


def failed(about: Meeting, reason: str = "") -> History:
    """Cronofy reports the failure a minute after the start."""
    assert about.start
    extra: dict[str, Any] = {"reason": reason} if reason else {}
    return requested(about).accepted().hear("meeting_agent_failed", about.start + MINUTE, **extra)


def silent(about: Meeting) -> History:
    assert about.start
    at = about.start + 10 * MINUTE
    reason = Reason.of(ReasonCode.ACTIVATION_MISSED, at=keys.timestamp(at))
    return requested(about).accepted().add(EntryType.OVERDUE, at, phase=DeadlineType.ACTIVATION, reason=reason)


def refused(about: Meeting, status: int = 403, *, at: datetime) -> History:
    """The refusal of a request in the name of an account: a person can have it sent again."""
    history = History(f"event-{next(_numbers)}", about)
    history.ask(at)
    reason = Reason.of(ReasonCode.REQUEST_REFUSED, status=status)
    return history.add(EntryType.REJECTED, at + timedelta(seconds=1), reason=reason)


def without_conference(about: Meeting) -> History:
    assert about.start
    history = requested(about)
    request = history.entries[-1].request
    assert request
    history.entries[-1] = replace(history.entries[-1], request=replace(request, conference_expected=True))
    return history.accepted().hear("conferencing_failing", about.start - 20 * HOUR)


def unfinished(about: Meeting) -> History:
    assert about.start
    assert about.end
    history = requested(about).accepted().hear("meeting_agent_activated", about.start)
    at = about.end + 30 * MINUTE
    reason = Reason.of(ReasonCode.COMPLETION_MISSED, at=keys.timestamp(at))
    return history.add(EntryType.OVERDUE, at, phase=DeadlineType.COMPLETION, reason=reason)


def without_resources(about: Meeting) -> History:
    assert about.end
    history = requested(about).accepted().hear("meeting_agent_complete", about.end + MINUTE, state="complete")
    at = about.end + 16 * MINUTE
    reason = Reason.of(ReasonCode.RESOURCES_MISSED, at=keys.timestamp(at))
    return history.add(EntryType.OVERDUE, at, phase=DeadlineType.RESOURCES, reason=reason)


def unwanted(about: Meeting, at: datetime) -> History:
    history = requested(about).accepted().ask(at, action=Action.CANCEL)
    return history.add(
        EntryType.REJECTED, at + MINUTE, revision=2, reason=Reason.of(ReasonCode.CANCELLATION_REFUSED, status=403)
    )


def acknowledged(history: History, at: datetime, by: str, note: str) -> History:
    return history.add(EntryType.ACKNOWLEDGED, at, reason=Reason.of(ReasonCode.NOTE, note=note, caller=by))


def some_incidents(now: datetime) -> list[History]:
    """Four that can still be saved, and two that are over."""
    return [
        failed(meeting("Board meeting", now - 6 * MINUTE), "waiting room timed out"),
        acknowledged(silent(meeting("Customer call: Northwind", now - 14 * MINUTE)), now - MINUTE, "Ada", "I am in it"),
        refused(meeting("Interview: data engineer", now + 12 * MINUTE, 45), at=now - 20 * HOUR),
        without_conference(meeting("Supplier negotiation", now + 25 * MINUTE)),
        unfinished(meeting("Design review", now - 3 * HOUR)),
        without_resources(meeting("Weekly sync", now - 4 * HOUR, 30)),
    ]


def many_incidents(now: datetime, number: int) -> Iterator[History]:
    """Incidents of all kinds, from the day before yesterday to tomorrow."""
    makers = (
        lambda title: failed(meeting(title, now - 5 * MINUTE)),
        lambda title: refused(meeting(title, now + 20 * HOUR), at=now - 2 * HOUR),
        lambda title: unfinished(meeting(title, now - 5 * HOUR)),
        lambda title: silent(meeting(title, now - 12 * MINUTE)),
        lambda title: unwanted(meeting(title, now + 40 * MINUTE), now - 2 * HOUR),
        lambda title: failed(meeting(title, now - 50 * HOUR)),
    )
    for position in range(number):
        yield makers[position % len(makers)](f"{TITLES[position % len(TITLES)]} {position + 1}")


def outage(world: World, silent_agents: int) -> None:
    """No callback arrives from the data center, and its agents are silent."""
    began = world.now - 11 * MINUTE
    world.hear(DATA_CENTER, world.now - 27 * MINUTE)
    for position in range(silent_agents):
        world.add(silent(meeting(f"{TITLES[position % len(TITLES)]} {position + 1}", began - (position % 3) * MINUTE)))
    group = Group(IncidentType.CALLBACKS_MISSING, DATA_CENTER)
    world.alert_of_group(group, Severity.CRITICAL, world.now - 40 * timedelta(seconds=1))
