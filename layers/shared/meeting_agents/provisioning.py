"""Requests to Cronofy for an agent: journalled, sent, and the response journalled, so that none is lost.

The API submits a request, the sweep retries it; both take the same way.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from meeting_agents.aws.accounts import Accounts
from meeting_agents.aws.journal import Journal, StoredEntry
from meeting_agents.cronofy.client import TOTAL_TIMEOUT, CronofyClient
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, CronofyResponse, Outcome, Permit
from meeting_agents.cronofy.payloads import read_resources
from meeting_agents.domain.attempts import next_request
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Action, Entry, EntryType, IncidentType, Reason, ReasonCode, Record, Request
from meeting_agents.errors import (
    IdempotencyKeyReused,
    InProgress,
    MeetingAgentsError,
    RateLimited,
    ReauthorisationRequired,
    StoreUnavailable,
    UnknownAccount,
    UpstreamTimeout,
)
from meeting_agents.tokens import Tokens

MAX_WRITE_CONFLICTS = 5
"""Other requests for the same agent may come first this often."""
DELIVERY_LEASE = timedelta(seconds=60)
"""A request belongs so long to the function that sends it: longer than one that died can have been at it."""
INITIAL_BACKOFF, MAX_BACKOFF = timedelta(seconds=15), timedelta(minutes=15)
"""Between two tries: the first pause, which doubles each time, and the longest."""
MAX_RETRY_AGE = timedelta(days=3)
"""A request is tried no longer, even if its meeting is not over."""
RESPONSE_WAIT = timedelta(seconds=10)
"""A repeated request waits as long for the response to the first."""
SWEEP_RATE_SHARE = 0.8
"""The part of Cronofy's limits that the sweep may use up; the rest is for callers who wait for a response."""
_RESPONSES = frozenset({EntryType.ACCEPTED, EntryType.CANCELLED, EntryType.REJECTED})


@dataclass(frozen=True, slots=True)
class ProvisioningRequest:
    """A request for an agent. `body_for` makes what is sent to Cronofy, given the attempt that it belongs to."""

    agent_id: str
    request: Request
    method: str
    path: str
    credentials: CallerCredentials
    body_for: Callable[[int], str] = field(repr=False)
    correlation_id: str = ""
    at_most_once: bool = False
    """Cronofy's reaction to the same request twice is unknown: once answered, a repetition gets that response."""
    is_idempotent: bool = True
    """It may be sent again though it may have arrived."""


@dataclass(frozen=True, slots=True)
class ProvisioningResult:
    """The agent as the journal has it now, and Cronofy's response, or the reason why there is none."""

    record: Record
    response: CronofyResponse | None = None
    error: MeetingAgentsError | None = None


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A request that is in the journal and on its way to Cronofy."""

    agent_id: str
    request: Request
    cronofy_request: CronofyRequest
    credentials: CallerCredentials
    attempt: int
    revision: int
    requested_at: datetime
    correlation_id: str
    tries: int = 0
    """Entries that say its outcome is open."""
    may_have_arrived: bool = False
    """An earlier try may have reached Cronofy."""
    is_settled: bool = False
    """Its outcome is in the journal, so that nothing more is written there."""

    @property
    def is_new(self) -> bool:
        return not (self.may_have_arrived or self.is_settled)

    @property
    def is_cancellation(self) -> bool:
        return self.request.action is Action.CANCEL

    def too_late(self, failure: object) -> Reason:
        code = ReasonCode.CANCELLATION_EXPIRED if self.is_cancellation else ReasonCode.REQUEST_EXPIRED
        return Reason.of(code, failure=failure)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of a delivery, as the journal has it."""

    kind: EntryType
    reason: Reason
    retry_at: datetime | None = None
    cause: IncidentType | None = None


class Provisioning:
    """The only way by which anything is asked of Cronofy for an agent."""

    def __init__(
        self,
        journal: Journal,
        cronofy: CronofyClient,
        accounts: Accounts,
        tokens: Tokens,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal = journal
        self._cronofy = cronofy
        self._accounts = accounts
        self._tokens = tokens
        self._clock = clock
        self._sleep = sleep

    def submit(self, asked: ProvisioningRequest) -> ProvisioningResult:
        """Journal the request, send it, journal the response.

        Raises `RateLimited`, for a caller's own token, before anything is journalled; `StoreUnavailable` when the
        journal cannot be written: then Cronofy was not asked, or may be asked the same again; `InProgress` and
        `IdempotencyKeyReused` for a request that is sent at most once.
        """
        is_retried = asked.credentials.outlives_the_request
        permit = None if is_retried else self._cronofy.permit(asked.request.data_center)
        delivery, entries = self._record_request(asked)
        if asked.at_most_once and not delivery.is_new and (previous := self._previous_response(asked, entries)):
            return previous
        return self._deliver(delivery, permit)

    def retry(self, agent_id: str) -> ProvisioningResult | None:
        """Send again the request that is due to be retried; None if none is, or another sweep has it.

        Raises `RateLimited`: then it stays due.
        """
        now = self._clock()
        entries = self._journal.read(agent_id, now)
        delivery = _due_delivery(agent_id, entries, now)
        if delivery is None:
            return None
        if now >= self._retry_deadline(delivery):
            reason = delivery.too_late(_last_failure(entries, delivery.revision))
            self._append(delivery, _Outcome(EntryType.REJECTED, reason))
            return ProvisioningResult(self._read_record(agent_id))
        permit = self._cronofy.permit(delivery.cronofy_request.data_center, SWEEP_RATE_SHARE)
        if not self._journal.claim(agent_id, now, now + DELIVERY_LEASE):
            return None
        if not delivery.cronofy_request.is_idempotent:  # journalled first, so that a crash cannot cause a second send
            self._append(delivery, _Outcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.SENT_ONCE)))
            delivery = replace(delivery, tries=delivery.tries + 1)
        return self._deliver(delivery, permit)

    def forward(self, request: CronofyRequest, credentials: CallerCredentials) -> CronofyResponse:
        """Send a request that concerns no agent, with nothing journalled. Raises what `CronofyClient.send` does."""
        return self._send_refreshing_token(request, credentials)

    # ------------------------------------------------------------------------------------------------ before it is sent

    def _record_request(self, asked: ProvisioningRequest) -> tuple[_Delivery, list[StoredEntry]]:
        """Journal the request, unless it is there already; return its delivery, and the journal before it."""
        for _ in range(MAX_WRITE_CONFLICTS):
            now = self._clock()
            entries = self._journal.read(asked.agent_id, now)
            record = _record(entries)
            attempt, revision, is_new = next_request(record, asked.request, now)
            delivery = _delivery(asked, attempt, revision, now)
            pending = record.current.pending if record else None
            if not is_new and pending:
                again = replace(delivery, tries=pending.tries, requested_at=pending.asked_at, may_have_arrived=True)
                return again, entries
            if not is_new or (entries and not asked.is_idempotent):
                return replace(delivery, is_settled=True), entries
            if self._journal.append(asked.agent_id, _requested(delivery), cronofy_request=delivery.cronofy_request):
                return delivery, entries
        raise StoreUnavailable("too many requests for this agent at the same time; try again")

    def _previous_response(self, asked: ProvisioningRequest, entries: list[StoredEntry]) -> ProvisioningResult | None:
        """Return the response to the newest request, waiting for one on its way; None if it may be sent again."""
        until = self._clock() + RESPONSE_WAIT
        while True:
            record = fold(stored.entry for stored in entries)
            newest = next(stored for stored in entries[::-1] if stored.entry.request is not None)
            if newest.entry.request and newest.entry.request.digest != asked.request.digest:
                raise IdempotencyKeyReused(
                    "this Idempotency-Key came with another body before; take a new key for a new agent"
                )
            outcomes = [one for one in entries if one.entry.revision == newest.entry.revision and one is not newest]
            responses = (one.cronofy_response for one in outcomes if one.entry.kind in _RESPONSES)
            response = next(filter(None, responses), None)
            pending = record.current.pending
            if response or (outcomes and pending and pending.retry_at):
                return ProvisioningResult(record, response)
            if outcomes or self._clock() > newest.entry.at + DELIVERY_LEASE:
                unknown = UpstreamTimeout("Cronofy did not answer; it may have acted all the same")
                return None if asked.is_idempotent else ProvisioningResult(record, error=unknown)
            if self._clock() > until:
                raise InProgress("the same request is being answered at this moment; ask again in a few seconds")
            self._sleep(0.2)
            entries = self._journal.read(asked.agent_id, self._clock())

    # ---------------------------------------------------------------------------------------------------------- sending

    def _deliver(self, delivery: _Delivery, permit: Permit | None) -> ProvisioningResult:
        """Send the request, journal the response or the failure."""
        try:
            response = self._send_refreshing_token(delivery.cronofy_request, delivery.credentials, permit)
        except MeetingAgentsError as error:
            self._record_failure(delivery, error)
            return ProvisioningResult(self._read_record(delivery.agent_id), error=error)
        response = self._record_response(delivery, response)
        return ProvisioningResult(self._read_record(delivery.agent_id), response)

    def _send_refreshing_token(
        self, request: CronofyRequest, credentials: CallerCredentials, permit: Permit | None = None
    ) -> CronofyResponse:
        """Return Cronofy's response; after a 401, that to another token, if there is one."""
        until = time.monotonic() + TOTAL_TIMEOUT
        token = self._tokens.token(credentials, request.data_center, until=until)
        response = self._cronofy.send(request, token, permit=permit, until=until)
        if response.status == 401:
            other = self._tokens.token(credentials, request.data_center, refused=token, until=until)
            if other != token:
                return self._cronofy.send(request, other, until=until)
        return response

    # ----------------------------------------------------------------------------------------------- after it was sent

    def _record_response(self, delivery: _Delivery, response: CronofyResponse) -> CronofyResponse:
        """Journal the meaning of a response, and return the response for the caller."""
        if _may_be_taken(delivery, response):
            reason = Reason.of(ReasonCode.SCHEDULING_KEY_REFUSED, status=response.status)
            self._append(delivery, _Outcome(EntryType.UNCONFIRMED, reason), response)
            return CronofyResponse(202)
        self._append(delivery, self._outcome(delivery, response), response)
        return response

    def _outcome(self, delivery: _Delivery, response: CronofyResponse) -> _Outcome:
        is_cancellation, status = delivery.is_cancellation, response.status
        is_put_off = response.status in (423, 429)
        if response.outcome is Outcome.ACCEPTED:
            kind = EntryType.CANCELLED if is_cancellation else EntryType.ACCEPTED
            code = ReasonCode.CANCELLATION_ACCEPTED if is_cancellation else ReasonCode.REQUEST_ACCEPTED
            return _Outcome(kind, Reason.of(code, status=status))
        if response.outcome is Outcome.REJECTED:
            code = ReasonCode.CANCELLATION_REFUSED if is_cancellation else ReasonCode.REQUEST_REFUSED
            return _Outcome(EntryType.REJECTED, Reason.of(code, status=status, complaint=response.complaint))
        if is_put_off and not delivery.credentials.outlives_the_request:
            return _Outcome(EntryType.REJECTED, Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=status))
        return self._open(delivery, status, retry_after=response.retry_after, had_no_effect=is_put_off)

    def _record_failure(self, delivery: _Delivery, error: MeetingAgentsError) -> None:
        """Journal why there is no response. One request of an account that needs a person alerts people."""
        account = delivery.credentials.account
        is_alert = isinstance(error, ReauthorisationRequired) and self._accounts.claim_alert(
            account, DELIVERY_LEASE.total_seconds()
        )
        if isinstance(error, UnknownAccount):
            outcome = _Outcome(EntryType.REJECTED, Reason.of(ReasonCode.ACCOUNT_UNKNOWN, account=account))
        else:
            outcome = self._open(
                delivery,
                error.code,
                retry_after=error.retry_after if isinstance(error, RateLimited) else None,
                had_no_effect=not isinstance(error, UpstreamTimeout),
                cause=IncidentType.REAUTHORISATION if is_alert else None,
            )
        self._append(delivery, outcome)
        if is_alert:
            self._accounts.record_alerted(account)

    def _open(
        self,
        delivery: _Delivery,
        failure: object,
        *,
        retry_after: float | None,
        had_no_effect: bool,
        cause: IncidentType | None = None,
    ) -> _Outcome:
        """Return an open outcome, with the time of the next try, if the sweep can and may try again."""
        is_safe = delivery.cronofy_request.is_idempotent or had_no_effect
        if not (delivery.credentials.outlives_the_request and is_safe):
            return _Outcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=failure))
        retry_at = self._clock() + backoff(delivery.tries, retry_after)
        if retry_at >= self._retry_deadline(delivery) and cause is None:
            return _Outcome(EntryType.REJECTED, delivery.too_late(failure))
        return _Outcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.RETRY_PLANNED, failure=failure), retry_at, cause)

    def _retry_deadline(self, delivery: _Delivery) -> datetime:
        """Return when to try no more: the meeting is over, or it has been too long.

        A cancellation is tried until the meeting begins, if it was requested before: from then on only people can
        keep the agent out, so they must hear of it.
        """
        meeting, requested_at = delivery.request.meeting, delivery.requested_at
        end = meeting.end or (meeting.start or requested_at) + self._journal.grace_periods.assumed_meeting_duration
        if delivery.request.action is Action.CANCEL and meeting.start and meeting.start > requested_at:
            end = meeting.start
        return min(end, requested_at + MAX_RETRY_AGE)

    def _append(self, delivery: _Delivery, outcome: _Outcome, response: CronofyResponse | None = None) -> None:
        """Journal an outcome once for each request, an open one once for each try."""
        if delivery.is_settled:
            return
        agent = response.agent if response else {}
        number = f"#{delivery.tries + 1:03d}" if outcome.kind is EntryType.UNCONFIRMED else ""
        entry = Entry(
            key=f"{outcome.kind}#{delivery.revision:04d}{number}",
            kind=outcome.kind,
            at=self._clock(),
            attempt=delivery.attempt,
            revision=delivery.revision,
            retry_at=outcome.retry_at,
            cause=outcome.cause,
            sub=agent.get("sub", ""),
            resources=tuple(read_resources(agent)),
            reason=outcome.reason,
            correlation_id=delivery.correlation_id,
        )
        self._journal.append(delivery.agent_id, entry, cronofy_response=response)

    def _read_record(self, agent_id: str) -> Record:
        return fold(stored.entry for stored in self._journal.read(agent_id, self._clock()))


def backoff(tries: int, retry_after: float | None = None) -> timedelta:
    """Return the pause before the next try: twice as long each time, half of it by chance; or as Cronofy asks."""
    seconds = min(INITIAL_BACKOFF.total_seconds() * 2.0 ** min(tries, 16), MAX_BACKOFF.total_seconds())
    chosen = seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    return timedelta(seconds=max(chosen, retry_after or 0))


def _delivery(asked: ProvisioningRequest, attempt: int, revision: int, now: datetime) -> _Delivery:
    return _Delivery(
        agent_id=asked.agent_id,
        request=asked.request,
        cronofy_request=CronofyRequest(
            asked.method, asked.path, asked.request.data_center, asked.body_for(attempt), asked.is_idempotent
        ),
        credentials=asked.credentials,
        attempt=attempt,
        revision=revision,
        requested_at=now,
        correlation_id=asked.correlation_id,
    )


def _due_delivery(agent_id: str, entries: Sequence[StoredEntry], now: datetime) -> _Delivery | None:
    """Return the delivery of the request that is due to be retried, as the journal has it."""
    record = _record(entries)
    pending = record.current.pending if record else None
    if record is None or pending is None or pending.retry_at is None or pending.retry_at > now:
        return None
    requested = next(one for one in entries if one.entry.request and one.entry.revision == pending.revision)
    if requested.cronofy_request is None:
        return None
    return _Delivery(
        agent_id=agent_id,
        request=pending.request,
        cronofy_request=requested.cronofy_request,
        credentials=CallerCredentials(account=pending.request.account),
        attempt=record.current.number,
        revision=pending.revision,
        requested_at=pending.asked_at,
        correlation_id=requested.entry.correlation_id,
        tries=pending.tries,
        may_have_arrived=True,
    )


def _requested(delivery: _Delivery) -> Entry:
    """Return the entry of a request. If the function dies before the outcome, the sweep retries what it safely can."""
    is_retried = delivery.credentials.outlives_the_request and delivery.cronofy_request.is_idempotent
    return Entry(
        key=f"requested#{delivery.revision:04d}",
        kind=EntryType.REQUESTED,
        at=delivery.requested_at,
        attempt=delivery.attempt,
        revision=delivery.revision,
        request=delivery.request,
        retry_at=delivery.requested_at + DELIVERY_LEASE if is_retried else None,
        correlation_id=delivery.correlation_id,
    )


def _may_be_taken(delivery: _Delivery, response: CronofyResponse) -> bool:
    """Return whether Cronofy may refuse a scheduling_key because it has taken it from an earlier try."""
    is_again = delivery.may_have_arrived or response.tries > 1
    is_refused = response.outcome is not Outcome.ACCEPTED and response.wrong_fields == {"scheduling_key"}
    return is_again and is_refused and bool(delivery.request.scheduling_key)


def _last_failure(entries: Sequence[StoredEntry], revision: int) -> str:
    """Return the failure of the newest try of a request; empty if there was none."""
    tries = [one.entry for one in entries if one.entry.kind is EntryType.UNCONFIRMED and one.entry.revision == revision]
    newest = max(tries, key=lambda entry: entry.at, default=None)
    return newest.reason["failure"] if newest and newest.reason else ""


def _record(entries: Sequence[StoredEntry]) -> Record | None:
    return fold(stored.entry for stored in entries) if entries else None
