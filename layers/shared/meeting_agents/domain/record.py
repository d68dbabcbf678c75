"""The record of an agent: what its journal folds to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    ChangeType,
    Conference,
    DeadlineType,
    EntryType,
    IncidentType,
    Meeting,
    Request,
    Resource,
    Severity,
    State,
)
from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED, Reason

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAlert:
    """The last alert about one incident, as the journal has it."""

    status: AlertStatus
    severity: Severity
    at: datetime
    count: int
    """The number of alerts about the incident so far."""
    reminders: int = 0
    is_included: bool = False
    """It was no message of its own: the alert about a group of agents says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The last change of one incident that one channel took."""

    action: ChangeType
    number: int
    """The number of alerts about the incident by then."""
    count: int
    """The number of changes of the incident that the channel took so far."""
    at: datetime
    message: str = ""
    """The id that the channel gave its message, by which it is found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAlert:
    """An alert that is owed and held back."""

    severity: Severity
    """Of the incident when it was held back: with another one, the alert is decided anew."""
    until: datetime
    count: int
    """The times that it was held back since the last alert about the incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """A resource in the archive."""

    resource: Resource
    bucket: str
    key: str
    size: int
    """Bytes."""
    sha256: str
    """Of the whole file, in hexadecimal digits; empty for one that is too large to be read at once."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request without an outcome yet."""

    revision: int
    request: Request
    requested_at: datetime
    tries: int = 0
    retry_at: datetime | None = None
    """When the sweep sends it again; None if only the caller can, or until its first outcome."""
    reason: Reason | None = None
    """The failure of its newest try."""
    may_have_arrived: bool = True
    """Cronofy may have taken it: no try has an outcome yet, or one was not answered."""

    @property
    def waits_for_account(self) -> bool:
        """Its account must authorise the application again before it can be sent."""
        return self.reason is not None and self.reason["failure"] == REAUTHORISATION_REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The newest request, refused or not delivered in time, while an earlier one still stands."""

    pending: Pending
    at: datetime
    reason: Reason

    @property
    def revision(self) -> int:
        return self.pending.revision

    @property
    def action(self) -> Action:
        return self.pending.request.action

    @property
    def meeting(self) -> Meeting:
        return self.pending.request.meeting

    @property
    def tries(self) -> int:
        """Earlier tries; 0: the caller got the refusal as the response."""
        return self.pending.tries

    @property
    def may_have_arrived(self) -> bool:
        """Cronofy may have taken it although it counts as refused: a try of it was not answered."""
        return (self.tries > 0 and self.pending.may_have_arrived) or not self.reason.leaves_no_agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to have an agent in the meeting, from a request to a terminal state."""

    number: int
    state: State
    since: datetime
    reason: Reason
    began_at: datetime
    requested_at: datetime
    """The time of the request for this time of the meeting. A new title gives silence no more time."""
    newest_request_at: datetime = NEVER
    """The time of the newest request for its agent; `NEVER` if none has come since it began."""
    rescheduled_at: datetime | None = None
    """The last change of the start or the end of its meeting; None: none."""
    is_rescue: bool = False
    """It is that of a second agent, which this deployment sent because the one before failed or was never heard of."""
    rescue: Reason | None = None
    """The `rescue` entry about its agent: a second one would have been sent, or was not, and why."""
    is_requested: bool = True
    """A request began it; otherwise the meeting moved after an agent was heard of."""
    request: Request | None = None
    """The newest accepted request; before there is one, the refused one, or what a notification says."""
    reported: Meeting | None = None
    """The meeting as Cronofy reported it after the newest request; None: as requested."""
    reported_at: datetime | None = None
    replaced: tuple[Meeting, ...] = ()
    """The meeting before each request that changed its times. A notification with one of these is older than that."""
    before_start_at: datetime | None = None
    """The time of the event trigger which said that the meeting is about to start."""
    after_end_at: datetime | None = None
    """The time of an event trigger after the end that is known now."""
    accepted_revision: int = 0
    unanswered: tuple[Pending, ...] = ()
    """The requests without an outcome, oldest first: two callers may send one at the same time."""
    may_have_arrived: bool = False
    """Cronofy may have taken a request that is closed without its acceptance, or an agent of before may still come."""
    subs: tuple[str, ...] = ()
    reports: frozenset[tuple[str, EntryType]] = frozenset()
    """The reports of each agent, by its `sub`: two requests at the same time may bring one agent each."""
    completions: Mapping[str, datetime] = field(default_factory=dict)
    """The first report of each agent that it is complete, by its `sub`."""
    resources: tuple[Resource, ...] = ()
    left_by: frozenset[tuple[str, str]] = frozenset()
    """The categories of its resources, each with the `sub` of the agent that reported one."""
    resources_at: datetime | None = None
    """The time at which the newest of its resources was reported."""
    archived: tuple[ArchivedFile, ...] = ()
    expired: frozenset[Resource] = frozenset()
    """The resources that Cronofy no longer had when they were to be archived."""
    not_archived: frozenset[str] = frozenset()
    """The categories of resources that were not archived in time, or failed."""
    not_archived_at: datetime | None = None
    """The time since which a resource is not archived; `not_archived_because`: the newest reason."""
    not_archived_because: Reason | None = None
    failures: tuple[str, ...] = ()
    refusal: Refusal | None = None
    refused_move: Pending | None = None
    """The last move that began another attempt and was refused, so that this one is the current one again."""
    conference: Conference | None = None
    conference_at: datetime | None = None
    """The time of the first report on the conference."""
    disconnected_profile: tuple[str, datetime] | None = None
    """The conferencing profile that was seen disconnected, as the request names it, and when; None: none is."""
    missed: tuple[DeadlineType, ...] = ()
    """The deadlines missed. A request that moves the meeting sets them anew."""
    missing: frozenset[str] = frozenset()
    arranged_at: datetime | None = None
    """The first acceptance of a request for it; `accepted_at`: of the newest one."""
    accepted_at: datetime | None = None
    activated_at: datetime | None = None
    complete_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    deleted_at: datetime | None = None
    unwanted_at: datetime | None = None
    """When the agent reported itself active although its cancellation had been accepted."""
    overdue_at: datetime | None = None
    end_at_leaving: datetime | None = None
    """The end of its meeting, as it was when its agent first reported that it had left."""

    @property
    def origin(self) -> str:
        """Its beginning: a `request`, a `move` of the meeting after an agent was heard of, or a `rescue`."""
        return "rescue" if self.is_rescue else "request" if self.is_requested else "move"

    @property
    def known_starts(self) -> tuple[datetime, ...]:
        """The start of its meeting as it is known, and as it was before each request that changed its times."""
        return tuple(meeting.start for meeting in (self.meeting, *self.replaced) if meeting.start)

    @property
    def is_conflicting(self) -> bool:
        return self.complete_at is not None and self.failed_at is not None

    @property
    def is_failure_outweighed(self) -> bool:
        """An agent that failed is known by its `sub`, and another one of the attempt is active."""
        active, failed, complete = (
            {sub for sub, reported in self.reports if reported is kind}
            for kind in (EntryType.ACTIVATED, EntryType.FAILED, EntryType.COMPLETE)
        )
        return bool(failed) and "" not in failed and bool(active - failed - complete - {""})

    @property
    def is_heard_of(self) -> bool:
        """Cronofy has reported on the agent of this attempt."""
        return self.activated_at is not None or self.ended_at is not None

    @property
    def last_to_leave(self) -> str:
        """The `sub` of the agent that was complete last, if it had several: the rest of the meeting was its."""
        named = sorted((at, sub) for sub, at in self.completions.items() if sub)
        return named[-1][1] if len(named) > 1 else ""

    @property
    def categories_left(self) -> frozenset[str]:
        """The categories of its resources; of several agents those of the last to leave, or of an unnamed one."""
        own = frozenset(category for sub, category in self.left_by if sub in ("", self.last_to_leave))
        return own if self.last_to_leave else frozenset(resource.category for resource in self.resources)

    @property
    def may_come(self) -> bool:
        """Cronofy may have an agent for it: not if it has refused every request."""
        if self.accepted_revision or self.is_heard_of or self.conference_at or self.may_have_arrived:
            return True
        is_known_otherwise = self.request is not None and self.state not in (State.REJECTED, State.CANCELLED)
        return is_known_otherwise or any(p.may_have_arrived for p in self._provisions)

    @property
    def ended_at(self) -> datetime | None:
        """The time at which Cronofy reported the end of the agent."""
        return self.complete_at or self.failed_at

    @property
    def is_unwanted(self) -> bool:
        """The agent is active although its cancellation was accepted."""
        return self.state is State.CANCELLED and self.unwanted_at is not None

    @property
    def latest_request(self) -> Request | None:
        """The newest open request for the agent, else the accepted one, with the meeting's current times."""
        request = self.newest_provision.request if self.newest_provision else self.request
        return request if not request or request.meeting == self.meeting else replace(request, meeting=self.meeting)

    @property
    def meeting(self) -> Meeting:
        """The meeting according to the newest word: a request, or Cronofy's report after it.

        A report of the accepted times says nothing against a request that has not arrived yet.
        """
        pending = self.newest_provision
        waits = pending is not None and not pending.may_have_arrived and self._reports_accepted_times
        is_replaced = pending and (waits or pending.requested_at > (self.reported_at or NEVER))
        if self.reported and not is_replaced:
            return self.reported
        request = pending.request if pending else self.request
        return request.meeting if request else Meeting()

    @property
    def _reports_accepted_times(self) -> bool:
        if self.request is None or self.reported is None:
            return False
        accepted, reported = self.request.meeting, self.reported
        return (accepted.start, accepted.end) == (reported.start, reported.end)

    @property
    def _provisions(self) -> list[Pending]:
        return [pending for pending in self.unanswered if pending.request.action is Action.PROVISION]

    @property
    def newest_provision(self) -> Pending | None:
        """The newest request for an agent without an outcome."""
        provisions = self._provisions
        return provisions[-1] if provisions else None

    @property
    def pending(self) -> Pending | None:
        """The newest request without an outcome."""
        return self.unanswered[-1] if self.unanswered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The fold of one agent's journal. Derived, never edited; `entries` is its version."""

    attempts: tuple[Attempt, ...] = ()
    entries: int = 0
    revision: int = 0
    updated_at: datetime = NEVER
    was_requested: bool = False
    """False for an agent that is known from a notification only."""
    identity: Request | None = None
    """The first request: data center, calendar and calendar event, or scheduling key."""
    event_id: str = ""
    has_join_link: bool = False
    """A notification has the link by which people join the meeting."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of the newest request that came with any."""
    alerts: Mapping[str, LastAlert] = field(default_factory=dict)
    """The last alert about each incident, by `incident_key`."""
    receipts: Mapping[tuple[str, str], Receipt] = field(default_factory=dict)
    """The last change that a channel took, by the channel's name and `incident_key`."""
    held: Mapping[str, HeldAlert] = field(default_factory=dict)
    """The alerts that were held back and not published since, by `incident_key`."""
    alerts_due: int = 0
    """The `alert_due` entries since the last alert, or since it was held back."""
    notices: Mapping[str, tuple[datetime, Reason | None]] = field(default_factory=dict)
    """The time and the reason of each notice, and of each agent that went silent before its meeting moved away."""
    acknowledged_at: datetime | None = None
    """The time at which a person last acknowledged the open incidents."""
    verdicts: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> Attempt:
        """The newest attempt. Every record that `fold` returns has one."""
        return self.attempts[-1]

    def attempt(self, number: int | None) -> Attempt | None:
        """Return the attempt with a number; None if there is none."""
        return next((attempt for attempt in self.attempts if attempt.number == number), None)

    @property
    def rescued(self) -> Attempt | None:
        """The attempt whose agent a second one is to replace, until that is complete or called off; None if none."""
        is_open = self.current.is_rescue and self.state not in (State.COMPLETE, State.CANCELLED)
        return self.attempts[-2] if is_open and len(self.attempts) > 1 else None

    @property
    def state(self) -> State:
        return self.current.state

    @property
    def meeting(self) -> Meeting:
        if self.current.latest_request or self.current.reported or not self.identity:
            return self.current.meeting
        return self.identity.meeting


def incident_key(attempt: int, type_: IncidentType) -> str:
    """Return the key of an incident within its agent. With the agent's id it is the `dedup_key` of its alerts."""
    return f"{attempt}/{type_}"
