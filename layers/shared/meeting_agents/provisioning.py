"""Requests to Cronofy for an agent: journalled, sent, and the outcome journalled, so that none is lost.

The API submits a request, the sweep retries it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.event_triggers import TriggerSupport
from meeting_agents.aws.journal import Entries, Journal
from meeting_agents.cronofy.client import TOTAL_TIMEOUT, CronofyClient
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, CronofyResponse, Outcome, Permit
from meeting_agents.cronofy.payloads import read_resources
from meeting_agents.cronofy.subscriptions import has_event_triggers, is_about_event_triggers, without_event_triggers
from meeting_agents.delivery import (
    DELIVERY_LEASE,
    Delivery,
    DeliveryOutcome,
    credentials_at_hand,
    due_delivery,
    expired,
    is_overtaken,
    last_failure,
    may_have_effect,
    newer_request,
    older_request_on_its_way,
    outcome_of_error,
    outcome_of_response,
    repeated,
    withheld,
)
from meeting_agents.domain.attempts import next_request
from meeting_agents.domain.labels import Labels
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Entry, EntryType, Request
from meeting_agents.domain.readings import next_look
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import Obstacle, is_second, is_still_needed
from meeting_agents.errors import (
    Erased,
    IdempotencyKeyReused,
    InProgress,
    MeetingAgentsError,
    StoreUnavailable,
    UpstreamTimeout,
)
from meeting_agents.tokens import Tokens

MAX_WRITE_CONFLICTS = 5
"""Times that other requests for the same agent may be journalled first."""
RESPONSE_WAIT = timedelta(seconds=10)
"""The time for which a repeated request waits for the response to the first."""
MAX_CORRECTIONS = 3
"""Times that one request may cause the agent's newest one to be sent again."""
CORRECTION_TIMEOUT = 5.0
"""Seconds for these beyond the total for the request itself."""
SWEEP_RATE_SHARE = 0.8
"""The part of Cronofy's rate limits that the sweep may use; the rest is for callers who wait for a response."""
TRIGGER_REFUSALS = frozenset({402, 422})
"""Statuses with which Cronofy may refuse event triggers: a plan without the feature, or fields that are wrong."""
_RESPONSES = frozenset({EntryType.ACCEPTED, EntryType.CANCELLED, EntryType.REJECTED})


@dataclass(frozen=True, slots=True)
class ProvisioningRequest:
    """A caller's request for an agent. `body_for`: returns the text for Cronofy, given the number of the attempt."""

    agent_id: str
    request: Request
    method: str
    path: str
    credentials: CallerCredentials
    body_for: Callable[[int], str] = field(repr=False)
    correlation_id: str = ""
    labels: Labels = field(default_factory=dict, hash=False)
    at_most_once: bool = False
    """Cronofy does not document the effect of a second such request, so a repetition gets the first response."""
    is_idempotent: bool = True
    """It may be sent again even if it may have arrived."""
    journal: Entries | None = field(default=None, repr=False, hash=False)
    """The agent's journal, where the caller has just read it. A request that came since makes it be read again."""


@dataclass(frozen=True, slots=True)
class ProvisioningResult:
    """The agent's record after a request, and Cronofy's response, or the error that there was instead."""

    record: Record
    response: CronofyResponse | None = None
    error: MeetingAgentsError | None = None


class Provisioning:
    """The only path of a request for an agent to Cronofy."""

    def __init__(
        self,
        journal: Journal,
        cronofy: CronofyClient,
        tokens: Tokens,
        event_triggers: TriggerSupport,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal = journal
        self._cronofy = cronofy
        self._tokens = tokens
        self._event_triggers = event_triggers
        self._clock = clock
        self._sleep = sleep

    def submit(self, request: ProvisioningRequest) -> ProvisioningResult:
        """Journal the request, send it, journal the outcome.

        The agent's newest request is what Cronofy gets last: an older one that may have arrived after it causes it to
        be sent again.

        Raises `RateLimited`, for a caller's own token, before anything is journalled; `InProgress` and
        `IdempotencyKeyReused` for a request that is sent at most once; `Erased` for an agent whose data was erased;
        `StoreUnavailable` if the journal cannot be read or written: then Cronofy has not received the request, or it
        may be sent to Cronofy again.
        """
        is_retried = request.credentials.outlives_the_request
        permit = None if is_retried else self._cronofy.permit(request.request.data_center)
        delivery, entries = self._record_request(request)
        if delivery.is_held:
            return ProvisioningResult(fold(stored.entry for stored in entries), CronofyResponse(202))
        if request.at_most_once and not delivery.is_new and (previous := self._previous_response(request, entries)):
            return previous
        until = time.monotonic() + TOTAL_TIMEOUT
        reply = self._send(delivery, until, permit)
        is_repeated = delivery.is_settled and request.is_idempotent
        if is_repeated and is_overtaken(delivery, self._journal.read(request.agent_id, self._clock())):
            return self.submit(replace(request, journal=None))  # which finds that it is new
        reply = self._record_outcome(delivery, reply)
        return _result(reply, self._correct_order(delivery, reply, until + CORRECTION_TIMEOUT))

    def retry(self, agent_id: str, *, at_once: bool = False) -> ProvisioningResult | None:
        """Send again the agent's request whose retry is due; None if there is none, or another sweep has it.

        `at_once`: for a person, who does not wait for the time that is planned. Raises `RateLimited` and
        `StoreUnavailable`: then the retry stays due.
        """
        now = self._clock()
        entries = self._journal.read(agent_id, now)
        delivery = due_delivery(agent_id, entries, now, at_once=at_once)
        if delivery is None:
            return None
        if now >= self._retry_deadline(delivery):
            self._append(delivery, expired(delivery, last_failure(entries, delivery.revision)))
            return ProvisioningResult(self._read_record(agent_id))
        if is_second(delivery.reason) and not self._is_second_needed(delivery):
            self._append(delivery, withheld(Obstacle.FIRST_HEARD_OF))
            return ProvisioningResult(self._read_record(agent_id))
        permit = self._cronofy.permit(delivery.cronofy_request.data_center, 1.0 if at_once else SWEEP_RATE_SHARE)
        planned = self._planned(entries) if at_once else None
        is_claimed = self._journal.claim(agent_id, now, now + DELIVERY_LEASE, planned)
        if not is_claimed or not self._is_newest(delivery):
            return None
        if not delivery.cronofy_request.is_idempotent:  # journalled first, so that a crash cannot cause a second send
            self._append(delivery, DeliveryOutcome(EntryType.UNCONFIRMED, Reason.of(ReasonCode.SENT_ONCE)))
            delivery = replace(delivery, tries=delivery.tries + 1)
        until = time.monotonic() + TOTAL_TIMEOUT
        reply = self._send(delivery, until, permit)
        reply = self._record_outcome(delivery, reply)
        return _result(reply, self._correct_order(delivery, reply, until + CORRECTION_TIMEOUT))

    def send_second(self, delivery: Delivery, permit: Permit) -> ProvisioningResult | None:
        """Journal the request for a second agent, unless another request came first, and send it once.

        The journal is read again before it is sent: what came meanwhile, a cancellation or the first agent, counts.
        """
        if not self._append_request(delivery):
            return None
        if not self._is_second_needed(delivery):
            self._append(delivery, withheld(Obstacle.FIRST_HEARD_OF))
            return None
        reply = self._send(delivery, time.monotonic() + TOTAL_TIMEOUT, permit)
        reply = self._record_outcome(delivery, reply)
        return _result(reply, self._journal.read(delivery.agent_id, self._clock()))

    def _is_second_needed(self, delivery: Delivery) -> bool:
        """Return True if nothing that came since speaks against sending a second agent."""
        entries = self._journal.read(delivery.agent_id, self._clock())
        return is_still_needed(fold(stored.entry for stored in entries)) and newer_request(delivery, entries) is None

    def forward(self, request: CronofyRequest, credentials: CallerCredentials) -> CronofyResponse:
        """Send a request that concerns no agent, with nothing journalled.

        Raises what `CronofyClient.send` and `Tokens.token` raise.
        """
        return self._tokens.send(request, credentials, until=time.monotonic() + TOTAL_TIMEOUT)

    # ---------------------------------------------------------------------------------------------- journal the request

    def _record_request(self, request: ProvisioningRequest) -> tuple[Delivery, list[StoredEntry]]:
        """Journal the request unless it is there already; return its delivery and the journal before it."""
        at_hand = request.journal
        for _ in range(MAX_WRITE_CONFLICTS):
            now = self._clock()
            entries, erasure = at_hand or self._journal.read_with_erasure(request.agent_id, now)
            at_hand = None
            if erasure:  # a repetition would bring the data back, and might send another agent
                raise Erased(
                    f"the data of this agent was erased at {erasure.at:%Y-%m-%dT%H:%M:%SZ}; a new agent needs another"
                    " event_id, scheduling_key or Idempotency-Key"
                )
            record = fold(stored.entry for stored in entries) if entries else None
            attempt, revision, is_new = next_request(record, request.request, now)
            delivery = _delivery(request, attempt, revision, now)
            pending = record.current.pending if record else None
            if record and not is_new and request.labels not in ({}, record.labels):
                self._record_labels(request, entries, now)
                continue  # with the journal that has them
            if not is_new and record and record.current.is_rescue:  # it might bring a third agent
                return replace(delivery, is_settled=True, is_held=True), entries
            if not is_new and pending:
                repeated = replace(
                    delivery, tries=pending.tries, requested_at=pending.requested_at, may_have_arrived=True
                )
                return repeated, entries
            if not is_new or (entries and not request.is_idempotent):
                return replace(delivery, is_settled=True), entries
            if self._append_request(delivery):
                return delivery, entries
        raise StoreUnavailable("too many requests for this agent at the same time; try again")

    def _record_labels(self, request: ProvisioningRequest, entries: Sequence[StoredEntry], now: datetime) -> None:
        """Journal the labels of a repeated request, unless another entry comes first."""
        number = 1 + sum(stored.entry.kind is EntryType.LABELLED for stored in entries)
        entry = Entry(
            key=f"{EntryType.LABELLED}#{number:04d}",
            kind=EntryType.LABELLED,
            at=now,
            labels=request.labels,
            correlation_id=request.correlation_id,
        )
        self._journal.append(request.agent_id, entry)

    def _previous_response(
        self, request: ProvisioningRequest, entries: Sequence[StoredEntry]
    ) -> ProvisioningResult | None:
        """Return the response to the agent's newest request, waiting for it; None if that may be sent again.

        Raises `IdempotencyKeyReused` and `InProgress`.
        """
        wait_until = self._clock() + RESPONSE_WAIT
        while True:
            record = fold(stored.entry for stored in entries)
            newest = next(stored for stored in reversed(entries) if stored.entry.request is not None)
            if newest.entry.request and newest.entry.request.digest != request.request.digest:
                raise IdempotencyKeyReused(
                    "this Idempotency-Key was used with another body; use a new key for a new agent"
                )
            outcomes = [
                stored for stored in entries if stored.entry.revision == newest.entry.revision and stored is not newest
            ]
            responses = (stored.cronofy_response for stored in outcomes if stored.entry.kind in _RESPONSES)
            response = next(filter(None, responses), None)
            pending = record.current.pending
            if response or (outcomes and pending and pending.retry_at):
                return ProvisioningResult(record, response)
            if outcomes or self._clock() > newest.entry.at + DELIVERY_LEASE:
                unknown = UpstreamTimeout("Cronofy did not answer; the request may have taken effect")
                return None if request.is_idempotent else ProvisioningResult(record, error=unknown)
            if self._clock() > wait_until:
                raise InProgress("the same request is in progress; send it again in a few seconds")
            self._sleep(0.2)
            entries = self._journal.read(request.agent_id, self._clock())

    # -------------------------------------------------------------------------------------------------------- send it

    def _send(
        self, delivery: Delivery, until: float, permit: Permit | None = None
    ) -> CronofyResponse | MeetingAgentsError:
        """Send the request; return Cronofy's response, or the error that there was instead.

        If Cronofy refuses our event triggers, the request is sent once more without them, and the data center is
        remembered.
        """
        request = delivery.cronofy_request
        if has_event_triggers(request.body) and self._event_triggers.are_refused(request.data_center):
            request = replace(request, body=without_event_triggers(request.body))
        send = partial(
            self._tokens.send,
            credentials=delivery.credentials,
            until=until,
            may_repeat=lambda: self._is_newest(delivery),
        )
        try:
            response = send(request, permit=permit)
            is_refusal = response.status in TRIGGER_REFUSALS
            if not is_refusal or not is_about_event_triggers(request.body, response.wrong_fields):
                return response
            if not self._is_newest(delivery):
                return response
            response = send(replace(request, body=without_event_triggers(request.body)))
        except MeetingAgentsError as error:
            return error
        if response.outcome is not Outcome.ACCEPTED:
            return response
        self._event_triggers.record_refusal(request.data_center)
        return replace(response, has_refused_triggers=True)

    # ---------------------------------------------------------------------------------------------- journal the outcome

    def _record_outcome(
        self, delivery: Delivery, reply: CronofyResponse | MeetingAgentsError
    ) -> CronofyResponse | MeetingAgentsError:
        """Journal the outcome of a try; return the reply for the caller."""
        if isinstance(reply, CronofyResponse):
            return self._record_response(delivery, reply)
        outcome = outcome_of_error(delivery, reply, self._clock(), self._retry_deadline(delivery))
        self._append(delivery, outcome)
        return reply

    def _record_response(self, delivery: Delivery, response: CronofyResponse) -> CronofyResponse:
        """Journal the meaning of a response; return the response for the caller."""
        if delivery.key_may_be_taken(response):
            reason = Reason.of(ReasonCode.SCHEDULING_KEY_REFUSED, status=response.status)
            self._append(delivery, DeliveryOutcome(EntryType.UNCONFIRMED, reason), response)
            return CronofyResponse(202)
        outcome = outcome_of_response(delivery, response, self._clock(), self._retry_deadline(delivery))
        self._append(delivery, outcome, response)
        return CronofyResponse(202) if delivery.is_deleted(response) else response

    def _append(self, delivery: Delivery, outcome: DeliveryOutcome, response: CronofyResponse | None = None) -> None:
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
            sub=agent.get("sub", ""),
            resources=tuple(read_resources(agent)),
            reason=outcome.reason,
            correlation_id=delivery.correlation_id,
        )
        self._journal.append(delivery.agent_id, entry, cronofy_response=response, meeting=delivery.request.meeting)

    def _append_request(self, delivery: Delivery) -> bool:
        """Journal a request before it is sent; False if another one came first."""
        return self._journal.append(
            delivery.agent_id,
            delivery.requested_entry(),
            cronofy_request=delivery.cronofy_request,
            meeting=delivery.request.meeting,
        )

    # -------------------------------------------------------------------------------------------------- keep the order

    def _is_newest(self, delivery: Delivery) -> bool:
        """False if the agent has a newer request for something else, or the journal does not answer."""
        try:
            return newer_request(delivery, self._journal.read(delivery.agent_id, self._clock())) is None
        except StoreUnavailable:
            return False

    def _correct_order(
        self, delivery: Delivery, reply: CronofyResponse | MeetingAgentsError, until: float
    ) -> list[StoredEntry]:
        """Send the agent's newest request again if Cronofy may have taken an older one after it; return the journal.

        The sweep sends it after `until`, a value of `time.monotonic`, and once more if an older one may still arrive.
        """
        agent_id = delivery.agent_id
        entries = self._journal.read(agent_id, self._clock())
        if not delivery.cronofy_request.is_idempotent:  # an agent that is sent now has no order with other requests
            return entries
        for _ in range(MAX_CORRECTIONS):
            newest = newer_request(delivery, entries) if may_have_effect(reply) else None
            if newest is None:
                break
            credentials = credentials_at_hand(newest, delivery.credentials)
            correction = self._record_again(agent_id, newest, credentials, entries)
            if correction is None or time.monotonic() >= until:
                return self._journal.read(agent_id, self._clock())
            delivery, reply = correction, self._send(correction, until)
            reply = self._record_outcome(delivery, reply)
            entries = self._journal.read(agent_id, self._clock())
        older = older_request_on_its_way(delivery, entries, self._clock())
        if older and may_have_effect(reply):
            own = next(
                stored for stored in entries if stored.entry.request and stored.entry.revision == delivery.revision
            )
            credentials = credentials_at_hand(own, credentials_at_hand(older, delivery.credentials))
            if credentials.outlives_the_request and self._record_again(agent_id, own, credentials, entries):
                entries = self._journal.read(agent_id, self._clock())
        return entries

    def _record_again(
        self, agent_id: str, stored: StoredEntry, credentials: CallerCredentials, entries: Sequence[StoredEntry]
    ) -> Delivery | None:
        """Journal a request of the journal once more; None if another request came first."""
        revision = 1 + max(stored.entry.revision or 0 for stored in entries)
        last = max(stored.entry.at for stored in entries)  # clocks differ, and the timeline is in the order of times
        now = max(self._clock(), last + timedelta(milliseconds=1))
        delivery = repeated(agent_id, stored, revision, credentials, now)
        return delivery if self._append_request(delivery) else None

    def _planned(self, entries: Sequence[StoredEntry]) -> datetime | None:
        """Return the time at which the sweep is to look at an agent next, as the record of these entries has it."""
        record = fold(stored.entry for stored in entries)
        return next_look(record, self._journal.grace_periods, record.updated_at)

    def _retry_deadline(self, delivery: Delivery) -> datetime:
        return delivery.retry_deadline(self._journal.grace_periods.assumed_meeting_duration)

    def _read_record(self, agent_id: str) -> Record:
        return fold(stored.entry for stored in self._journal.read(agent_id, self._clock()))


def _result(reply: CronofyResponse | MeetingAgentsError, entries: Sequence[StoredEntry]) -> ProvisioningResult:
    record = fold(stored.entry for stored in entries)
    if isinstance(reply, CronofyResponse):
        return ProvisioningResult(record, reply)
    return ProvisioningResult(record, error=reply)


def _delivery(request: ProvisioningRequest, attempt: int, revision: int, now: datetime) -> Delivery:
    return Delivery(
        agent_id=request.agent_id,
        request=request.request,
        cronofy_request=CronofyRequest(
            request.method,
            request.path,
            request.request.data_center,
            request.body_for(attempt),
            request.is_idempotent,
        ),
        credentials=request.credentials,
        attempt=attempt,
        revision=revision,
        requested_at=now,
        correlation_id=request.correlation_id,
        labels=request.labels,
    )
