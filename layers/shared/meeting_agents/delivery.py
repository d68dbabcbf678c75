"""A journalled request on its way to Cronofy: the outcome of a try, and the time of the next one."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, CronofyResponse, Outcome
from meeting_agents.cronofy.subscriptions import has_event_triggers
from meeting_agents.domain.grace_periods import GracePeriods, end_of
from meeting_agents.domain.labels import Labels
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Action, DeadlineType, Entry, EntryType, Request, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.rescue import Obstacle, is_second
from meeting_agents.errors import (
    MeetingAgentsError,
    NothingToRetry,
    RateLimited,
    RetryLeftToCaller,
    UnknownAccount,
    UpstreamTimeout,
)

DELIVERY_LEASE = timedelta(seconds=60)
"""The time for which a request belongs to the function that sends it; a function lives for less."""
INITIAL_BACKOFF, MAX_BACKOFF = timedelta(seconds=15), timedelta(minutes=15)
"""The pauses between two tries: the first, which doubles each time, and the longest."""
MAX_RETRY_AGE = timedelta(days=3)
"""The time after which a request is not retried, even if its meeting is not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request that is in the journal and on its way to Cronofy."""

    agent_id: str
    request: Request
    cronofy_request: CronofyRequest
    credentials: CallerCredentials
    attempt: int
    revision: int
    requested_at: datetime
    correlation_id: str
    labels: Labels = field(default_factory=dict, hash=False)
    """Those of the caller's request; none for one that is sent again, so that the agent keeps those that it has."""
    reason: Reason | None = None
    """Of the entry of the request: that of a second agent has one."""
    tries: int = 0
    """Entries that leave its outcome open."""
    may_have_arrived: bool = False
    """An earlier try may have reached Cronofy."""
    is_held: bool = False
    """It repeats the request for an agent in whose place a second one was sent: it is not passed on."""
    is_settled: bool = False
    """Its outcome is in the journal already, so nothing more is written there."""

    @property
    def is_new(self) -> bool:
        """True if neither an earlier try nor an outcome is known."""
        return not (self.may_have_arrived or self.is_settled)

    @property
    def is_cancellation(self) -> bool:
        """True if it de-provisions the agent."""
        return self.request.action is Action.CANCEL

    def retry_deadline(self, assumed_meeting_duration: timedelta) -> datetime:
        """Return the time after which it is not retried: the end of the meeting, or three days after the request.

        A cancellation before the meeting is retried until the start: after it only people can keep the agent out.
        """
        meeting = self.request.meeting
        end = meeting.end or (meeting.start or self.requested_at) + assumed_meeting_duration
        if self.is_cancellation and meeting.start and meeting.start > self.requested_at:
            end = meeting.start
        return min(end, self.requested_at + MAX_RETRY_AGE)

    def requested_entry(self) -> Entry:
        """Return the entry written before it is sent; if the function dies, the sweep retries if that is safe."""
        is_retried = self.credentials.outlives_the_request and self.cronofy_request.is_idempotent
        return Entry(
            key=f"requested#{self.revision:04d}",
            kind=EntryType.REQUESTED,
            at=self.requested_at,
            attempt=self.attempt,
            revision=self.revision,
            request=self.request,
            retry_at=self.requested_at + DELIVERY_LEASE if is_retried else None,
            reason=self.reason,
            correlation_id=self.correlation_id,
            labels=self.labels,
        )

    def key_may_be_taken(self, response: CronofyResponse) -> bool:
        """True if Cronofy may have refused the scheduling_key because an earlier try has created the agent."""
        is_refused = response.outcome is not Outcome.ACCEPTED and response.wrong_fields == {"scheduling_key"}
        return self.is_repeated(response) and is_refused and bool(self.request.scheduling_key)

    def is_repeated(self, response: CronofyResponse) -> bool:
        """True if an earlier try than the one with this response may have arrived."""
        return self.may_have_arrived or response.tries > 1

    def is_deleted(self, response: CronofyResponse) -> bool:
        """True if Cronofy does not find what an earlier try of this deletion may have deleted."""
        return self.cronofy_request.method == "DELETE" and response.status == 404 and self.is_repeated(response)


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The outcome of a try, as the journal has it: accepted, cancelled, rejected or unconfirmed."""

    kind: EntryType
    reason: Reason
    retry_at: datetime | None = None


def outcome_of_response(
    delivery: Delivery, response: CronofyResponse, now: datetime, until: datetime
) -> DeliveryOutcome:
    """Return the outcome of a try that Cronofy answered; `until`: the delivery's `retry_deadline`."""
    is_cancellation, status = delivery.is_cancellation, response.status
    was_postponed = status in (423, 429)
    if response.outcome is Outcome.ACCEPTED or delivery.is_deleted(response):
        kind = EntryType.CANCELLED if is_cancellation else EntryType.ACCEPTED
        code = ReasonCode.CANCELLATION_ACCEPTED if is_cancellation else ReasonCode.REQUEST_ACCEPTED
        without = "event triggers" if response.has_refused_triggers else ""
        return DeliveryOutcome(kind, Reason.of(code, status=status, without=without))
    if not delivery.credentials.outlives_the_request and status in (
        401,
        423,
        429,
    ):  # the caller renews the token, or waits, and sends it again
        return DeliveryOutcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=status))
    if response.outcome is Outcome.REJECTED:
        code = ReasonCode.CANCELLATION_REFUSED if is_cancellation else ReasonCode.REQUEST_REFUSED
        return DeliveryOutcome(EntryType.REJECTED, Reason.of(code, status=status, complaint=response.complaint))
    return _open(delivery, status, now, until, retry_after=response.retry_after, had_no_effect=was_postponed)


def outcome_of_error(delivery: Delivery, error: MeetingAgentsError, now: datetime, until: datetime) -> DeliveryOutcome:
    """Return the outcome of a try that Cronofy did not answer."""
    if isinstance(error, UnknownAccount):
        reason = Reason.of(ReasonCode.ACCOUNT_UNKNOWN, account=delivery.credentials.account)
        return DeliveryOutcome(EntryType.REJECTED, reason)
    return _open(
        delivery,
        error.code,
        now,
        until,
        retry_after=error.retry_after if isinstance(error, RateLimited) else None,
        had_no_effect=not isinstance(error, UpstreamTimeout),
    )


def expired(delivery: Delivery, failure: object) -> DeliveryOutcome:
    """Return the outcome of a request that could not be delivered in time; `failure`: that of its last try."""
    code = ReasonCode.CANCELLATION_EXPIRED if delivery.is_cancellation else ReasonCode.REQUEST_EXPIRED
    return DeliveryOutcome(EntryType.REJECTED, Reason.of(code, failure=failure))


def withheld(obstacle: Obstacle) -> DeliveryOutcome:
    """Return the outcome of the request for a second agent that is not sent any more."""
    return DeliveryOutcome(EntryType.REJECTED, Reason.of(ReasonCode.RESCUE_WITHHELD, obstacle=obstacle))


def _open(
    delivery: Delivery,
    failure: object,
    now: datetime,
    until: datetime,
    *,
    retry_after: float | None,
    had_no_effect: bool,
) -> DeliveryOutcome:
    """Return an open outcome, with the time of the next try if the sweep can and may retry."""
    is_safe = delivery.cronofy_request.is_idempotent or had_no_effect
    if not (delivery.credentials.outlives_the_request and is_safe):
        return DeliveryOutcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=failure))
    retry_at = now + backoff(delivery.tries, retry_after)
    if retry_at >= until:
        return expired(delivery, failure)
    return DeliveryOutcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.RETRY_PLANNED, failure=failure), retry_at)


def backoff(tries: int, retry_after: float | None = None) -> timedelta:
    """Return the pause before the next try: it doubles each time, with jitter; `retry_after`: seconds at least."""
    seconds = min(INITIAL_BACKOFF.total_seconds() * 2.0 ** min(tries, 16), MAX_BACKOFF.total_seconds())
    jittered = seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    return timedelta(seconds=max(jittered, retry_after or 0))


# ---------------------------------------------------------------------------------------------------------- its order


def newer_request(delivery: Delivery, entries: Sequence[StoredEntry]) -> StoredEntry | None:
    """Return the agent's newest request if it is newer than the delivery's and asks for something else.

    A newer request that Cronofy rejected changes nothing, so it does not count.
    """
    rejected = {stored.entry.revision for stored in entries if stored.entry.kind is EntryType.REJECTED}
    valid = [stored for stored in _requests(entries) if stored.entry.revision not in rejected]
    newest = max(valid, key=_revision, default=None)
    is_newer = newest is not None and _revision(newest) > delivery.revision
    return newest if newest and is_newer and newest.cronofy_request != delivery.cronofy_request else None


def is_overtaken(delivery: Delivery, entries: Sequence[StoredEntry]) -> bool:
    """Return True if an older request was journalled after a repeated one had found the journal without it."""
    newest = newer_request(delivery, entries)
    return newest is not None and newest.entry.at < delivery.requested_at


def credentials_at_hand(stored: StoredEntry, credentials: CallerCredentials) -> CallerCredentials:
    """Return the account of a journalled request, or else these credentials."""
    account = stored.entry.request.account if stored.entry.request else ""
    return CallerCredentials(account=account) if account else credentials


def older_request_on_its_way(delivery: Delivery, entries: Sequence[StoredEntry], now: datetime) -> StoredEntry | None:
    """Return an older request for something else that may reach Cronofy after the delivery's, or None.

    Its function has journalled no outcome and may be dead, or it has given up waiting for Cronofy.
    """
    for stored in (each for each in _requests(entries) if each.cronofy_request and each.cronofy_request.is_idempotent):
        outcomes = [other.entry for other in entries if _revision(other) == _revision(stored) and other is not stored]
        is_open = all(entry.reason and entry.reason["failure"] == UpstreamTimeout.code for entry in outcomes)
        is_recent = now < stored.entry.at + DELIVERY_LEASE
        is_other = stored.cronofy_request != delivery.cronofy_request
        if is_open and is_recent and is_other and _revision(stored) < delivery.revision:
            return stored
    return None


def may_have_effect(reply: CronofyResponse | MeetingAgentsError) -> bool:
    """True unless Cronofy certainly did not act on the request."""
    if isinstance(reply, MeetingAgentsError):
        return isinstance(reply, UpstreamTimeout)
    return not 400 <= reply.status < 500


def repeated(
    agent_id: str, stored: StoredEntry, revision: int, credentials: CallerCredentials, now: datetime
) -> Delivery:
    """Return the delivery that sends a journalled request again, as a request of its own."""
    request, cronofy_request = stored.entry.request, stored.cronofy_request
    if request is None or cronofy_request is None:
        raise ValueError("the entry is not that of a request")
    return Delivery(
        agent_id=agent_id,
        request=replace(request, account=credentials.account),
        cronofy_request=cronofy_request,
        credentials=credentials,
        attempt=stored.entry.attempt or 1,
        revision=revision,
        requested_at=now,
        correlation_id=stored.entry.correlation_id,
        may_have_arrived=True,
    )


def _requests(entries: Sequence[StoredEntry]) -> list[StoredEntry]:
    return [stored for stored in entries if stored.entry.request and stored.cronofy_request]


def _revision(stored: StoredEntry) -> int:
    return stored.entry.revision or 0


# --------------------------------------------------------------------------------------------------- its event triggers


def data_center_without_call(entries: Sequence[StoredEntry], record: Record, lead_time: timedelta) -> str:
    """Return the data center that was to call `lead_time` before the start of the meeting and has not; else empty.

    Empty for an agent of a registered account: its calendar was read.
    """
    if not record.attempts:
        return ""
    attempt, accepted = record.current, record.current.accepted_revision
    start, request = attempt.meeting.start, attempt.latest_request
    if attempt.before_start_at or start is None or attempt.accepted_at is None or request is None or request.account:
        return ""
    of_request = [stored for stored in entries if _revision(stored) == accepted]
    has_triggers = any(s.cronofy_request and has_event_triggers(s.cronofy_request.body) for s in of_request)
    is_refused = any(stored.entry.reason and stored.entry.reason["without"] for stored in of_request)
    is_missing = has_triggers and not is_refused and attempt.accepted_at < start - lead_time
    return request.data_center if is_missing else ""


# ---------------------------------------------------------------------------------------------------------- its retry


def due_delivery(
    agent_id: str, entries: Sequence[StoredEntry], now: datetime, *, at_once: bool = False
) -> Delivery | None:
    """Return the delivery of an agent's newest open request if its retry is due, or, `at_once`, if one is planned."""
    if not entries:
        return None
    record = fold(stored.entry for stored in entries)
    pending = record.current.pending
    if pending is None or pending.retry_at is None or (pending.retry_at > now and not at_once):
        return None
    stored = next(stored for stored in entries if stored.entry.request and stored.entry.revision == pending.revision)
    if stored.cronofy_request is None:
        return None
    return Delivery(
        agent_id=agent_id,
        request=pending.request,
        cronofy_request=stored.cronofy_request,
        credentials=CallerCredentials(account=pending.request.account),
        attempt=record.current.number,
        revision=pending.revision,
        requested_at=pending.requested_at,
        correlation_id=stored.entry.correlation_id,
        reason=stored.entry.reason,
        tries=pending.tries,
        may_have_arrived=True,
    )


def repeatable_request(entries: Sequence[StoredEntry], grace_periods: GracePeriods, now: datetime) -> StoredEntry:
    """Return an agent's newest request if a person may have it sent to Cronofy again now.

    Raises `NothingToRetry` if that is of no use, and `RetryLeftToCaller` if only the caller can do it.
    """
    callers = (stored for stored in _requests(entries) if not is_second(stored.entry.reason))
    newest = max(callers, key=_revision, default=None)
    if newest is None or newest.entry.request is None or newest.cronofy_request is None:
        raise NothingToRetry("nothing to retry: the agent was not requested through this API")
    attempt = fold(stored.entry for stored in entries).current
    if end_of(attempt, grace_periods) <= now:
        raise NothingToRetry("nothing to retry: the meeting is over")
    is_silent = attempt.state is State.OVERDUE and DeadlineType.ACTIVATION in attempt.missed
    is_open = attempt.pending is not None or attempt.refusal is not None or attempt.is_unwanted
    if not (is_open or is_silent or attempt.state in (State.REJECTED, State.FAILED)):
        raise NothingToRetry(f"nothing to retry: Cronofy accepted the newest request, and the agent is {attempt.state}")
    if attempt.pending is not None and attempt.pending.retry_at is not None:
        return newest
    if not newest.cronofy_request.is_idempotent:
        raise RetryLeftToCaller("an agent that is sent now is sent once: only its caller can request a new one")
    if newest.entry.retry_at is None:
        raise RetryLeftToCaller(
            "the request was sent with its caller's own token, which is stored nowhere: only the caller can send it"
            " again"
        )
    if '"start"' in newest.cronofy_request.body and _is_moved_since(attempt, newest.entry):
        raise RetryLeftToCaller(
            "the meeting was moved in the calendar after the request, which would move it back: only its caller can"
            " send one for the new time"
        )
    return newest


def _is_moved_since(attempt: Attempt, requested: Entry) -> bool:
    if requested.request is None or attempt.reported_at is None or attempt.reported_at < requested.at:
        return False
    before, after = requested.request.meeting, attempt.meeting
    return (before.start, before.end) != (after.start, after.end)


def last_failure(entries: Sequence[StoredEntry], revision: int) -> str:
    """Return the failure of a request's newest try; empty if there was none."""
    tries = [stored.entry for stored in entries if stored.entry.kind is EntryType.UNCONFIRMED]
    tries = [entry for entry in tries if entry.revision == revision]
    newest = max(tries, key=lambda entry: entry.at, default=None)
    return newest.reason["failure"] if newest and newest.reason else ""
