"""Second agents, sent: decided on a fresh journal, paid from a budget, journalled before the call, and sent once.

A crash before the entry is a rescue that the next sweep begins anew; after the entry nothing is sent again, and the
silence of the second agent is a deadline like that of any other.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.rescue_budget import RescueBudget
from meeting_agents.cronofy.client import TOTAL_TIMEOUT, CronofyClient
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest
from meeting_agents.cronofy.payloads import join_link_of
from meeting_agents.cronofy.second_agent import ACCOUNT_PATH, attendee_of, read_account_email, second_agent_request
from meeting_agents.delivery import DELIVERY_LEASE, Delivery
from meeting_agents.domain.groups import Group
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import IncidentType
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import (
    Obstacle,
    cause_of,
    is_late,
    is_rescue_due,
    request_reason,
    withheld_entry,
)
from meeting_agents.errors import Refusal
from meeting_agents.provisioning import SWEEP_RATE_SHARE, Provisioning, ProvisioningResult
from meeting_agents.tokens import Tokens


class Rescuer:
    """Sends second agents, with the API key of the application."""

    def __init__(
        self,
        journal: Journal,
        provisioning: Provisioning,
        cronofy: CronofyClient,
        tokens: Tokens,
        groups: Groups,
        budget: RescueBudget,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._provisioning = provisioning
        self._cronofy = cronofy
        self._tokens = tokens
        self._groups = groups
        self._budget = budget
        self._clock = clock

    def rescue(self, agent_id: str) -> ProvisioningResult | None:
        """Send the second agent that is due; None if none is, none can be sent, or another sweep has it.

        What keeps it from being sent is journalled once. Raises `RateLimited`, `Unreachable`, `UpstreamTimeout` and
        `StoreUnavailable` before anything is journalled: then it stays due.
        """
        now = self._clock()
        entries = self._journal.read(agent_id, now)
        record = fold(stored.entry for stored in entries)
        if not is_rescue_due(record, self._journal.grace_periods, now):
            return None
        first = _accepted_request(record, entries)
        permit = self._cronofy.permit(first.data_center, SWEEP_RATE_SHARE)
        if not self._journal.claim(agent_id, now, now + DELIVERY_LEASE):
            return None
        obstacle, attendee = self._obstacle(record, first, now), ""
        if obstacle is None:
            attendee, obstacle = self._attendee(record, first)
        if obstacle is None and not self._budget.spend(_payer(record, first), now):
            obstacle = Obstacle.BUDGET_SPENT
        if obstacle:
            self._journal.append(agent_id, withheld_entry(record, obstacle, self._clock()))
            return None
        return self._provisioning.send_second(_delivery(agent_id, record, entries, first, attendee, now), permit)

    def _obstacle(self, record: Record, first: CronofyRequest, now: datetime) -> Obstacle | None:
        """Return what the record alone does not say: too late, or no callback came since the meeting began."""
        if is_late(record, self._journal.grace_periods, now):
            return Obstacle.TOO_LATE
        if cause_of(record.current) is IncidentType.FAILED:
            return None
        heard_at = self._groups.read(Group(IncidentType.CALLBACKS_MISSING, first.data_center)).heard_at
        start = record.current.meeting.start
        return None if heard_at and start and heard_at >= start else Obstacle.NOTHING_HEARD

    def _attendee(self, record: Record, first: CronofyRequest) -> tuple[str, Obstacle | None]:
        """Return the e-mail address in whose name the agent joins: that of the first one's request, or the account's.

        Raises `RateLimited`, `Unreachable`, `UpstreamTimeout` and `StoreUnavailable`.
        """
        account = _account(record)
        if not account:
            return (email, None) if (email := attendee_of(first)) else ("", Obstacle.NO_ATTENDEE)
        request = CronofyRequest("GET", ACCOUNT_PATH, first.data_center, "")
        until = time.monotonic() + TOTAL_TIMEOUT / 2
        try:
            response = self._tokens.send(request, CallerCredentials(account=account), until=until)
        except Refusal:  # the account is not registered any more, or must authorise the application again
            return "", Obstacle.ACCOUNT_DISCONNECTED
        return (email, None) if (email := read_account_email(response)) else ("", Obstacle.NO_ATTENDEE)


def _payer(record: Record, first: CronofyRequest) -> str:
    """Return the name of the budget: the account's, or that of the application in the data center."""
    return f"{first.data_center}/{_account(record)}"


def _account(record: Record) -> str:
    """Return the account of the first agent's request; empty for one with the API key."""
    return record.current.request.account if record.current.request else ""


def _accepted_request(record: Record, entries: Sequence[StoredEntry]) -> CronofyRequest:
    """Return the newest accepted request for the first agent, as it was sent to Cronofy."""
    revision = record.current.accepted_revision
    requests = (s.cronofy_request for s in entries if s.entry.request and s.entry.revision == revision)
    return next(request for request in requests if request)


def _delivery(
    agent_id: str,
    record: Record,
    entries: Sequence[StoredEntry],
    first: CronofyRequest,
    attendee: str,
    now: datetime,
) -> Delivery:
    """Return the request for a second agent: an attempt and a request of its own, with the digest of the first."""
    attempt, request = record.current, record.current.latest_request
    if request is None:
        raise ValueError("an agent whose request was accepted has one")
    with_link = (s for s in reversed(entries) if s.raw and s.entry.notification and s.entry.notification.has_join_link)
    link = next(join_link_of(stored.raw) for stored in with_link if stored.raw and _is_own(stored, record))
    number = attempt.number + 1
    return Delivery(
        agent_id=agent_id,
        request=replace(request, account="", scheduling_key=""),
        cronofy_request=second_agent_request(first, agent_id, number, join_link=link, attendee=attendee),
        credentials=CallerCredentials(),
        attempt=number,
        revision=record.revision + 1,
        requested_at=now,
        correlation_id="",
        reason=request_reason(record),
    )


def _is_own(stored: StoredEntry, record: Record) -> bool:
    """Return True for a notification that does not name another calendar event."""
    name = stored.entry.notification.event_id if stored.entry.notification else ""
    return name in ("", record.event_id)
