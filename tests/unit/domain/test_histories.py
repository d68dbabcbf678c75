"""A generated judge: every history of one and of two steps, against a vendor that works and against one that is silent.

The world below knows the truth: the times at which an agent is wanted, and the agents that are in a meeting. The system
under test knows only its journal. People must be alerted to every meeting without its agent, and to nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import combinations_with_replacement, count, product

import pytest

from meeting_agents.domain.alerts import OwedAlert, alerting_owed
from meeting_agents.domain.attempts import next_request
from meeting_agents.domain.deadlines import deadlines
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Reading,
    Request,
    Resource,
)
from meeting_agents.domain.readings import SILENCE, calendar_of, is_settled, next_reading_at, reading_entry
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record, incident_key

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 4, 29, 10, 0, tzinfo=UTC)
END = START + HOUR
REQUESTED_AT = START - DAY
GRACE_PERIODS = GracePeriods()
MOMENTS = {
    "before the meeting": START - HOUR,
    "after activated": START - MINUTE / 2,
    "while it runs": START + 20 * MINUTE,
    "after an early complete": START + 40 * MINUTE,
    "after the end": END + 20 * MINUTE,
}
"""The vendor's agent is active a minute before the start, and complete two minutes after the end or half an hour after
the start."""


@dataclass(frozen=True)
class Plan:
    """The calendar event as the caller wants it."""

    start: datetime = START
    end: datetime = END
    title: str = "Standup"
    is_wanted: bool = True
    is_deleted: bool = False
    """A person deleted the calendar event."""
    generation: int = 0
    """The number of times that the agent was switched on, or the calendar event created."""

    @property
    def as_the_caller_knows_it(self) -> "Plan":
        """A caller does not know of a deletion; any request but a cancellation creates the calendar event again."""
        is_new = self.is_deleted
        return replace(self, is_wanted=True, is_deleted=False, generation=self.generation + 1) if is_new else self


@dataclass(frozen=True)
class Vendor:
    """The ways in which a vendor may behave. All of them are possible: none is documented."""

    is_silent: bool = False
    leaves_early: bool = False
    """The agent is complete half an hour after the start."""
    last_report: EntryType | None = EntryType.COMPLETE
    """The report of an agent whose meeting was moved away, or which was switched off."""
    reuses_subs: bool = False
    has_triggers: bool = False
    """It calls before the start and after the end."""
    keeps_addresses: bool = False
    """It calls at the address of the first request for ever."""
    expects_conference: bool = True
    has_account: bool = False
    """The caller has a registered account, so that its calendar can be read."""


type Change = Callable[[Plan], list[Plan]]


def moved(by: timedelta) -> Change:
    return lambda plan: [replace(plan, start=plan.start + by, end=plan.end + by)]


def off(plan: Plan) -> list[Plan]:
    return [replace(plan, is_wanted=False)]


def on(plan: Plan) -> list[Plan]:
    return [plan if plan.is_wanted else replace(plan, is_wanted=True, generation=plan.generation + 1)]


def deleted(plan: Plan) -> list[Plan]:
    return [replace(plan, is_wanted=False, is_deleted=True)]


CHANGES: dict[str, Change] = {
    "the same again": lambda plan: [plan],
    "title only": lambda plan: [replace(plan, title=plan.title + "!")],
    "earlier": moved(-30 * MINUTE),
    "later": moved(2 * HOUR),
    "another day": moved(DAY),
    "longer": lambda plan: [replace(plan, end=plan.end + HOUR)],
    "off": off,
    "on": on,
    "off and on": lambda plan: [*off(plan), *on(*off(plan))],
    "upsert after a delete": lambda plan: [*off(plan), *on(*off(plan))],
}
DRAGS: dict[str, Change] = {
    "dragged earlier": CHANGES["earlier"],
    "dragged longer": CHANGES["longer"],
    "dragged later": CHANGES["later"],
    "dragged to another day": CHANGES["another day"],
    "deleted in the calendar": deleted,
}
"""Changes in the calendar, of which only Cronofy's notifications and the calendar itself tell."""
STEPS = [(when, what) for when in MOMENTS for what in CHANGES]
DRAGGED = [(when, what) for when in MOMENTS for what in DRAGS]


@dataclass
class Guest:
    """An agent of the vendor's, in a meeting or on its way there."""

    sub: str
    plan: Plan
    address: int | None
    is_gone: bool = False


@dataclass
class World:
    """A calendar event, the vendor, the journal and the sweep, on one clock."""

    vendor: Vendor
    now: datetime = REQUESTED_AT
    plan: Plan = field(default_factory=lambda: Plan(is_wanted=False, generation=-1))
    plans: list[tuple[datetime, Plan]] = field(default_factory=list)
    record: Record | None = None
    alerts: list[tuple[datetime, Plan, OwedAlert]] = field(default_factory=list)
    attempts: list[tuple[datetime, int]] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)
    is_unknowable: bool = False
    """A meeting was postponed or deleted before its agent came, in a calendar that cannot be read: no notification
    tells of it before the old start. Or the vendor reports an agent as failed whose meeting a person deleted."""
    address: int | None = None
    """The attempt in the address of the newest request."""
    read_at: datetime = REQUESTED_AT
    """The time of the last daily reading."""
    readings: int = 0
    """The readings of the calendar that said something new."""

    def __post_init__(self) -> None:
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()

    def run(self) -> None:
        """Let time pass until nothing more happens."""
        while True:
            next_at = self._queue[0][0] if self._queue else None
            due = deadlines(self.record, GRACE_PERIODS) if self.record else ()
            daily = self._next_reading()
            if daily and (not due or daily < due[0].at) and (next_at is None or daily < next_at):
                self.now = self.read_at = daily
                self._read()
            elif due and (next_at is None or due[0].at < next_at):
                self.now = max(self.now, due[0].at)
                self._sweep(due[0].phase, due[0].at)
            elif next_at is not None:
                self.now, _, happening = heappop(self._queue)
                happening()
            else:
                return

    def _next_reading(self) -> datetime | None:
        """Return the time of the next daily reading."""
        if not self.record:
            return None
        return next_reading_at(self.record, GRACE_PERIODS, max(self.record.updated_at, self.read_at, self.now))

    def at(self, when: datetime, happening: Callable[[], None]) -> None:
        heappush(self._queue, (max(when, self.now), next(self._numbers), happening))

    # The caller

    def change(self, what: Change) -> None:
        for plan in what(self.plan.as_the_caller_knows_it):
            self._send(plan)

    def _send(self, plan: Plan) -> None:
        action = Action.PROVISION if plan.is_wanted else Action.CANCEL
        request = Request(
            action=action,
            data_center="us",
            calendar_id="cal",
            event_id="evt",
            meeting=Meeting(start=plan.start, end=plan.end, summary=plan.title),
            digest=repr(replace(plan, generation=0)),
            conference_expected=self.vendor.expects_conference,
            account="alice" if self.vendor.has_account else "",
        )
        attempt, revision, is_new = next_request(self.record, request, self.now)
        was_deleted = self.plan.is_deleted
        if self.plan != plan:
            self.plan = plan
            self.plans.append((self.now, plan))
        if not is_new:
            if was_deleted:
                self._follow()  # the request is sent, though the journal has it already
            return
        self._append(EntryType.REQUESTED, attempt=attempt, revision=revision, request=request)
        accepted = EntryType.ACCEPTED if plan.is_wanted else EntryType.CANCELLED
        self._append(accepted, attempt=attempt, revision=revision)
        if not self.vendor.keeps_addresses:
            self.address = attempt if attempt > 1 else None
        if not self.vendor.is_silent:
            self._follow()

    def drag(self, what: Change) -> None:
        if self.plan.is_deleted:
            return
        (plan,) = what(self.plan)
        is_away = plan.start > max(self.now, self.plan.start) or not plan.is_wanted
        is_empty = all(guest.is_gone for guest in self.guests)
        is_unseen = is_away and is_empty and not self.vendor.has_account
        is_failure = plan.is_deleted and not is_empty and self.vendor.last_report is EntryType.FAILED
        self.is_unknowable |= self.plan.is_wanted and (is_unseen or is_failure)
        self.plan = plan
        self.plans.append((self.now, self.plan))
        if not self.vendor.is_silent:
            self._follow()

    # The vendor

    def _follow(self) -> None:
        plan, address = self.plan, self.address
        for guest in self.guests:
            is_same = plan.is_wanted and guest.plan.generation == plan.generation
            stays = is_same and (plan.start <= self.now < plan.end or plan.start == guest.plan.start)
            if not guest.is_gone and not stays:
                guest.is_gone = True
                report = EntryType.COMPLETE if is_same and plan.end <= self.now else self.vendor.last_report
                if report:
                    self.at(self.now + MINUTE, self._reporter(guest, report))
            elif not guest.is_gone:
                self._plan_end(guest)
        if not plan.is_wanted:
            return
        if self.vendor.expects_conference:
            assigned = Notification(kinds=(EntryType.CONFERENCING_ASSIGNED,), event_id="evt", meeting=self._meeting())
            if len(self.plans) == 1:
                self.at(self.now + MINUTE, lambda: self._notify(assigned, address))
        if self.vendor.has_triggers:
            self.at(plan.start - 15 * MINUTE, lambda: self._trigger(EntryType.BEFORE_START, plan))
            self.at(plan.end + 5 * MINUTE, lambda: self._trigger(EntryType.AFTER_END, plan))
        if self.now < plan.end:
            self.at(max(self.now + MINUTE / 4, plan.start - MINUTE), lambda: self._join(plan, address))

    def _trigger(self, kind: EntryType, plan: Plan) -> None:
        before, after = self.plan.start - 15 * MINUTE, self.plan.end + 5 * MINUTE
        is_due = self.now - MINUTE < (before if kind is EntryType.BEFORE_START else after) <= self.now
        if is_due and self.plan.is_wanted:
            self._notify(Notification(kinds=(kind,), event_id="evt", meeting=self._meeting()), self.address)

    def _join(self, plan: Plan, address: int | None) -> None:
        is_current = (plan.start, plan.generation, True) == (self.plan.start, self.plan.generation, self.plan.is_wanted)
        has_been = any((g.plan.start, g.plan.generation) == (plan.start, plan.generation) for g in self.guests)
        is_there = any(not guest.is_gone for guest in self.guests)
        if is_current and not has_been and not is_there:
            has_left = any(g.plan.generation == plan.generation and plan.start <= START for g in self.guests)
            if has_left and plan.start <= self.now - MINUTE:
                return  # nothing but a later start, or off and on, brings back an agent that has left
            number = 0 if self.vendor.reuses_subs else len(self.guests)
            guest = Guest(f"agt_{number}", plan, address)
            self.guests.append(guest)
            self._reporter(guest, EntryType.ACTIVATED)()
            self._plan_end(guest)

    def _plan_end(self, guest: Guest) -> None:
        end = self.plan.end + 2 * MINUTE
        if self.vendor.leaves_early:
            end = max(self.now, min(end, guest.plan.start + 30 * MINUTE))

        def leave() -> None:
            if not guest.is_gone and (self.vendor.leaves_early or self.now >= self.plan.end):
                guest.is_gone = True
                self._reporter(guest, EntryType.COMPLETE)()

        self.at(end, leave)

    def _reporter(self, guest: Guest, kind: EntryType) -> Callable[[], None]:
        def report() -> None:
            resources = (Resource("transcript", "cronofy", guest.sub),) if kind is EntryType.COMPLETE else ()
            notification = Notification(
                kinds=(kind,), sub=guest.sub, event_id="evt", meeting=self._meeting(), resources=resources
            )
            self._notify(notification, guest.address)

        return report

    def _meeting(self) -> Meeting:
        return Meeting(start=self.plan.start, end=self.plan.end, summary=self.plan.title)

    # The journal

    def _notify(self, notification: Notification, address: int | None) -> None:
        self._append(notification.kinds[-1], attempt=address, notification=notification)

    def _sweep(self, phase: DeadlineType, at: datetime) -> None:
        assert self.record
        reason = Reason.of(ReasonCode.ACTIVATION_MISSED, at=at.isoformat())
        attempt, revision = self.record.current.number, self.record.revision
        if phase is DeadlineType.ALERT:
            return self._alert()
        if phase in SILENCE and self._read():
            return None
        self._append(EntryType.OVERDUE, attempt=attempt, revision=revision, phase=phase, reason=reason)
        return None

    def _read(self) -> bool:
        """Read the calendar, if it can be read; True if it says something new."""
        assert self.record
        if not calendar_of(self.record) or not is_settled(self.record.current, self.now):
            return False
        reading = Reading(meeting=self._meeting()) if self.plan.is_wanted else Reading(is_deleted=True)
        entry = reading_entry(self.record, reading, self.now)
        if entry:
            self.readings += 1
            self._append(entry.kind, attempt=entry.attempt, reading=reading, reason=entry.reason)
        return entry is not None

    def _append(self, kind: EntryType, **fields: object) -> None:
        entry = Entry(key=str(next(self._numbers)), kind=kind, at=self.now, **fields)  # type: ignore[arg-type]
        (step,) = steps([entry], self.record)
        self.record = step.after
        self.attempts.append((self.now, step.after.current.number))
        self.now += timedelta(milliseconds=1)
        if kind is not EntryType.ALERTED:
            self._alert()

    def _alert(self) -> None:
        assert self.record
        for alert in alerting_owed(self.record, GRACE_PERIODS, self.now):
            self.alerts.append((self.now, self.plan, alert))
            incident = alert.incident
            self._append(
                EntryType.ALERTED,
                attempt=incident.attempt,
                cause=incident.type,
                status=alert.status,
                severity=incident.severity,
                reminder=alert.reminder,
            )

    def is_known_at(self, at: datetime) -> bool:
        """The last alert about the attempt at this time says that its agent never reported itself."""
        number = [number for since, number in self.attempts if since <= at][-1]
        of_attempt = [
            alert.status
            for sent_at, _, alert in self.alerts
            if sent_at <= at and alert.incident.key == incident_key(number, IncidentType.NEVER_ACTIVATED)
        ]
        return of_attempt[-1:] == [AlertStatus.FIRING]


@dataclass(frozen=True)
class Expectation:
    """An agent that is wanted at a time of the meeting, for a while."""

    since: datetime
    until: datetime
    start: datetime
    generation: int

    @property
    def deadline(self) -> datetime:
        return self.since + GRACE_PERIODS.activation

    def matches(self, plan: Plan) -> bool:
        return (plan.start, plan.generation) == (self.start, self.generation)


def expectations(plans: list[tuple[datetime, Plan]]) -> Iterator[Expectation]:
    """Yield the times at which an agent was wanted, and until when that was the plan."""
    begun: list[tuple[datetime, Plan]] = []
    for at, plan in plans:
        if not begun or (plan.start, plan.generation, plan.is_wanted) != (
            begun[-1][1].start,
            begun[-1][1].generation,
            begun[-1][1].is_wanted,
        ):
            begun.append((at, plan))
    ends = [*(at for at, _ in begun[1:]), datetime.max.replace(tzinfo=UTC)]
    for (at, plan), until in zip(begun, ends, strict=True):
        since = max(at, plan.start)
        if plan.is_wanted and since < plan.end and since < until:
            yield Expectation(since, until, plan.start, plan.generation)


def verdict(world: World) -> list[str]:
    """Return what was missed and what was false."""
    if world.is_unknowable:
        return []
    wanted = list(expectations(world.plans))
    faults = []
    for expectation in wanted:
        alerted = [at for at, plan, type_ in firing(world, IncidentType.NEVER_ACTIVATED) if expectation.matches(plan)]
        is_without = world.vendor.is_silent and expectation.until > expectation.deadline + MINUTE
        if is_without and not world.is_known_at(expectation.deadline + MINUTE):
            faults.append(f"missed: {expectation.start:%d %H:%M} at {expectation.deadline:%d %H:%M}")
        if len(alerted) > 1:
            faults.append(f"alerted {len(alerted)} times: {expectation.start:%d %H:%M}")
    for at, plan, type_ in firing(world):
        is_true = any(
            expectation.matches(plan) and expectation.deadline <= at < expectation.until for expectation in wanted
        )
        is_warning_of_silence = type_ is IncidentType.NO_CONFERENCE and world.vendor.is_silent
        if not (world.vendor.is_silent and is_true) and not is_warning_of_silence:
            faults.append(f"false: {type_} at {at:%d %H:%M}")
    faults += [
        f"resolved: {alert.incident.type}" for _, _, alert in world.alerts if alert.status is AlertStatus.RESOLVED
    ]
    return faults


def firing(world: World, *types: IncidentType) -> list[tuple[datetime, Plan, IncidentType]]:
    """Return the firing alerts of these types, or of all."""
    return [
        (at, plan, alert.incident.type)
        for at, plan, alert in world.alerts
        if alert.status is AlertStatus.FIRING and (not types or alert.incident.type in types)
    ]


VENDORS = [Vendor(is_silent=True), Vendor(is_silent=True, expects_conference=False)] + [
    Vendor(leaves_early=early, last_report=last, reuses_subs=reuses, keeps_addresses=keeps)
    for early, last, (reuses, keeps) in product(
        (False, True), (EntryType.COMPLETE, EntryType.FAILED, None), ((False, False), (True, False), (False, True))
    )
]
HISTORIES = [[step] for step in STEPS] + [list(pair) for pair in combinations_with_replacement(STEPS, 2)]


def lived(vendor: Vendor, history: list[tuple[str, str]]) -> World:
    """Let a history happen."""
    world = World(vendor)
    world.at(REQUESTED_AT, lambda: world.change(on))
    for when, what in history:
        if what in DRAGS:
            world.at(MOMENTS[when], partial(world.drag, DRAGS[what]))
        else:
            world.at(MOMENTS[when], partial(world.change, CHANGES[what]))
    world.run()
    return world


@pytest.mark.parametrize("vendor", VENDORS, ids=str)
def test_every_history_of_two_steps_is_judged_as_it_was(vendor: Vendor) -> None:
    """0 missed, 0 false."""
    faults = {str(history): found for history in HISTORIES if (found := verdict(lived(vendor, history)))}
    assert not faults, f"{len(faults)} of {len(HISTORIES)}: " + "\n".join(
        f"{h}: {f}" for h, f in [*faults.items()][:12]
    )


DRAGGED_BY = [
    Vendor(has_triggers=triggers, has_account=account, leaves_early=early, last_report=last, reuses_subs=early)
    for triggers, account in ((True, False), (False, True), (True, True))
    for early, last in product((False, True), (EntryType.COMPLETE, EntryType.FAILED))
]
MIXED = [[step] for step in DRAGGED] + [
    sorted(pair, key=lambda step: MOMENTS[step[0]]) for pair in product(DRAGGED, [*DRAGGED, *STEPS])
]


@pytest.mark.parametrize("vendor", DRAGGED_BY, ids=str)
def test_every_history_with_a_change_in_the_calendar_is_judged_as_it_was(vendor: Vendor) -> None:
    """The notifications of the agent, event triggers and the calendar itself tell of it: 0 missed, 0 false."""
    worlds = {str(history): lived(vendor, history) for history in MIXED}
    faults = {history: found for history, world in worlds.items() if (found := verdict(world))}
    assert not faults, f"{len(faults)} of {len(MIXED)}: " + "\n".join(f"{h}: {f}" for h, f in [*faults.items()][:12])
    assert any(world.readings for world in worlds.values()) is vendor.has_account
    is_certain = vendor.has_account and vendor.last_report is EntryType.COMPLETE
    assert any(world.is_unknowable for world in worlds.values()) is not is_certain
