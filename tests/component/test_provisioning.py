"""Requests to Cronofy are neither lost nor doubled: when Cronofy does not answer, and when the function dies."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.delivery import DELIVERY_LEASE, MAX_BACKOFF, backoff
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.model import Action, DeadlineType, EntryType, IncidentType, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.errors import IdempotencyKeyReused, InProgress, RateLimited, UpstreamTimeout
from meeting_agents.provisioning import RESPONSE_WAIT, ProvisioningRequest
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws

EVENTS = f"/v1/calendars/{CALENDAR}/events"


def open_types(record: Record, now: datetime) -> list[IncidentType]:
    return [incident.type for incident in open_incidents(record, GracePeriods(), now)]


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


@pytest.fixture
def own(desk: Desk) -> CallerCredentials:
    """A caller's own token."""
    return CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)


# ------------------------------------------------------------------------------ requests that only the caller can retry


def test_a_request_is_in_the_journal_before_it_is_sent(desk: Desk, own: CallerCredentials) -> None:
    """At the wire: its entry exists when the request is sent."""
    request = desk.upsert(own)
    seen: list[list[EntryType]] = []
    desk.http.event_hooks["request"] = [lambda _: seen.append(desk.kinds(request.agent_id))]
    desk.provisioning().submit(request)
    assert seen == [[EntryType.REQUESTED]]
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]


@pytest.mark.parametrize("status", [402, 403, 404, 422])
def test_a_refused_request_by_own_token_is_rejected(desk: Desk, own: CallerCredentials, status: int) -> None:
    """Its caller gets the response, and must change something."""
    request = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, status=status)
    result = desk.provisioning().submit(request)
    assert result.response
    assert result.response.status == status
    assert result.record.state is State.REJECTED
    assert desk.sweep() == []
    assert desk.cronofy.count("POST", EVENTS) == 1


@pytest.mark.parametrize("status", [401, 423, 429])
def test_a_request_by_own_token_that_its_caller_will_repeat_stays_open(
    desk: Desk, own: CallerCredentials, status: int
) -> None:
    """After the token is refreshed, or some time: it is the same attempt, and not a rejected one."""
    request = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, status=status)
    result = desk.provisioning().submit(request)
    pending = result.record.current.pending
    assert (result.response and result.response.status, result.record.state) == (status, State.REQUESTED)
    assert pending
    assert (pending.retry_at, pending.reason) == (
        None,
        Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=status),
    )
    assert not result.record.notices
    desk.sleep(1)
    renewed = CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)
    result = desk.provisioning().submit(replace(request, credentials=renewed))
    assert (result.record.state, result.record.current.number) == (State.SCHEDULED, 1)
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.UNCONFIRMED, EntryType.ACCEPTED]


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 503, "times": 2}, {"close": "unread", "times": 2}])
def test_a_cancellation_by_own_token_that_failed_is_open_with_its_failure(
    desk: Desk, own: CallerCredentials, fault: dict[str, Any]
) -> None:
    """The record says that only the caller can send it again, so that an incident can open."""
    desk.provisioning().submit(desk.upsert(own))
    desk.cronofy.faults.add("POST", EVENTS, **fault)
    result = desk.provisioning().submit(desk.upsert(own, meeting_agent={"profile_id": "none"}))
    pending = result.record.current.pending
    assert pending
    assert (pending.request.action, pending.tries, pending.retry_at) == (Action.CANCEL, 1, None)
    assert pending.reason
    assert pending.reason.code is ReasonCode.RETRY_LEFT_TO_CALLER
    assert result.record.state is State.SCHEDULED
    assert not desk.cronofy.agents[-1].cancelled


@pytest.mark.parametrize("cause", ["503", "423", "unreachable", "dead grant", "rate limit"])
@pytest.mark.parametrize("is_change", [False, True])
def test_a_request_that_cronofy_has_not_accepted_is_open_with_its_retry(
    desk: Desk, cause: str, is_change: bool
) -> None:
    """The record has the number of tries, the next one and the last failure before the meeting starts."""
    account = desk.register()
    if is_change:
        desk.provisioning().submit(desk.upsert(account))
    desk.tokens().access_token("alice")
    match cause:
        case "503" | "423":
            desk.cronofy.faults.add("POST", EVENTS, times=None, status=int(cause))
        case "unreachable":
            desk.cronofy.faults.add("POST", EVENTS, times=None, close="unread")
        case "dead grant":
            desk.sleep(3600)
            desk.cronofy.revoke(next(iter(desk.cronofy._world._grants.values())))
        case _:
            desk.limits = Limits(0, 0)
    request = desk.upsert(account, start="2026-04-30T14:00:00Z", end="2026-04-30T15:00:00Z")
    for tries in (1, 2, 3):
        result = desk.provisioning().submit(request) if tries == 1 else None
        if tries > 1 and cause != "rate limit":
            (result,) = desk.sweep()
        pending = (result.record if result else desk.steps(request.agent_id)[-1].after).current.pending
        assert pending
        assert pending.request.meeting.start == datetime(2026, 4, 30, 14, tzinfo=UTC)
        assert pending.retry_at
        assert pending.retry_at > desk.now or cause == "rate limit"
        assert pending.reason
        assert pending.reason.code is ReasonCode.RETRY_PLANNED
        assert pending.tries == (1 if cause == "rate limit" else tries)
        desk.now = max(pending.retry_at, desk.now)


def test_a_change_that_the_sweep_could_not_make_is_rejected_in_the_record(desk: Desk) -> None:
    """The caller had a 202, so the record must have the refusal."""
    account = desk.register()
    desk.provisioning().submit(desk.upsert(account))
    desk.cronofy.faults.add("POST", EVENTS, times=2, status=503)
    change = desk.upsert(account, start="2026-04-30T14:00:00Z", end="2026-04-30T15:00:00Z")
    pending = desk.provisioning().submit(change).record.current.pending
    assert pending
    assert pending.retry_at
    desk.now = pending.retry_at
    desk.cronofy.faults.add("POST", EVENTS, status=422, body={"errors": {"start": [{"key": "errors.invalid"}]}})
    (result,) = desk.sweep()
    last = desk.steps(change.agent_id)[-1]
    assert (last.entry.kind, last.entry.revision) == (EntryType.REJECTED, 2)
    assert last.entry.reason == Reason.of(ReasonCode.REQUEST_REFUSED, status=422, complaint="start (errors.invalid)")
    assert (result.record.state, result.record.current.pending) == (State.SCHEDULED, None)


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 302, "headers": {"Location": "https://example.com/"}}])
def test_an_unanswered_request_by_own_token_stays_open(
    desk: Desk, own: CallerCredentials, fault: dict[str, Any]
) -> None:
    """Only the caller can send it again; the meeting's deadline applies."""
    request = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, times=None, **fault)
    result = desk.provisioning().submit(request)
    assert (result.record.state, result.record.current.pending and result.record.current.pending.retry_at) == (
        State.REQUESTED,
        None,
    )
    assert result.record.current.reason.code is ReasonCode.RETRY_LEFT_TO_CALLER
    desk.now += timedelta(days=2)
    assert desk.sweep() == []


def test_a_request_without_a_response_stays_open(desk: Desk, own: CallerCredentials) -> None:
    """It may have taken effect."""
    request = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, times=2, close="unanswered")
    result = desk.provisioning().submit(request)
    assert isinstance(result.error, UpstreamTimeout)
    assert result.record.state is State.REQUESTED
    desk.sleep(1)
    result = desk.provisioning().submit(request)
    assert result.record.state is State.SCHEDULED
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.UNCONFIRMED, EntryType.ACCEPTED]


# ------------------------------------------------------------------------------------------------ the sweep tries again

UNSURE = [
    {"status": 500},
    {"status": 503, "has_effect": True},
    {"status": 423},
    {"status": 429},
    {"status": 302},
    {"close": "unread"},
    {"close": "unanswered"},
]


@pytest.mark.parametrize("fault", UNSURE)
@pytest.mark.parametrize("durable", ["account", "api key"])
def test_a_durable_request_is_retried_until_cronofy_accepts_it(desk: Desk, durable: str, fault: dict[str, Any]) -> None:
    """In the end there is one agent, and its timeline has each try."""
    request = desk.upsert(desk.register()) if durable == "account" else desk.schedule()
    path = request.path
    desk.cronofy.faults.add("POST", path, times=2, **fault)
    if fault.get("status", 500) < 500:
        desk.cronofy.faults.clear()
        desk.cronofy.faults.add("POST", path, times=1, **fault)
    result = desk.provisioning().submit(request)
    assert result.record.state is State.REQUESTED
    assert result.record.current.pending
    retry_at = result.record.current.pending.retry_at
    assert retry_at
    assert desk.now < retry_at <= desk.now + timedelta(seconds=15)
    assert desk.sweep() == []  # not yet
    desk.now = retry_at
    (result,) = desk.sweep()
    assert result.record.state is State.SCHEDULED
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.UNCONFIRMED, EntryType.ACCEPTED]
    assert len(desk.cronofy.agents) == 1
    desk.now += timedelta(hours=1)
    assert desk.sweep() == []


def test_two_sweeps_at_once_retry_once(desk: Desk) -> None:
    """The first to claim a due agent sends its request."""
    request = desk.schedule()
    desk.cronofy.faults.add("POST", request.path, status=429)
    desk.provisioning().submit(request)
    desk.now += MAX_BACKOFF
    desk.track(request.agent_id)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: desk.provisioning().retry(request.agent_id), range(8)))
    assert sum(result is not None for result in results) == 1
    assert desk.cronofy.count("POST", request.path) == 2


def test_backoff_doubles_up_to_a_quarter_of_an_hour_and_honours_retry_after(desk: Desk) -> None:
    """Half of it is jitter, so that retries spread."""
    longest = [max(backoff(tries).total_seconds() for _ in range(200)) for tries in range(9)]
    assert longest == [pytest.approx(min(15 * 2**tries, 900), rel=0.1) for tries in range(9)]
    assert min(backoff(0).total_seconds() for _ in range(200)) >= 7.5
    assert backoff(0, 3600).total_seconds() == 3600
    request = desk.schedule()
    desk.cronofy.faults.add("POST", request.path, status=429, headers={"Retry-After": "120"})
    pending = desk.provisioning().submit(request).record.current.pending
    assert pending
    assert pending.retry_at == desk.now + timedelta(seconds=120)


def test_a_request_that_is_not_delivered_by_the_end_of_the_meeting_is_rejected(desk: Desk) -> None:
    """Not earlier, and with the last failure as the reason."""
    request = desk.upsert(desk.register(), start="2026-04-29T12:30:00Z", end="2026-04-29T13:30:00Z")
    desk.cronofy.faults.add("POST", request.path, times=None, status=503)
    result = desk.provisioning().submit(request)
    tries = 0
    while result.record.state is State.REQUESTED:
        pending = result.record.current.pending
        assert pending
        assert pending.retry_at
        desk.now = pending.retry_at
        (result,) = desk.sweep()
        tries += 1
    assert request.request.meeting.end
    assert request.request.meeting.end - MAX_BACKOFF < desk.now <= request.request.meeting.end
    assert result.record.state is State.REJECTED
    assert result.record.current.reason == Reason.of(ReasonCode.REQUEST_EXPIRED, failure=503)
    assert 7 < tries < 20


def test_a_cancellation_is_retried_until_the_start_and_then_causes_an_alert(desk: Desk) -> None:
    """After the start only people can keep the agent out."""
    account = desk.register()
    when = {"start": "2026-04-29T12:30:00Z", "end": "2026-04-29T13:30:00Z"}
    original = desk.upsert(account, **when)
    desk.provisioning().submit(original)
    desk.cronofy.faults.add("POST", original.path, times=None, status=503)
    result = desk.provisioning().submit(desk.upsert(account, meeting_agent={"profile_id": "none"}, **when))
    while pending := result.record.current.pending:
        assert pending.retry_at
        desk.now = pending.retry_at
        (result,) = desk.sweep()
    assert original.request.meeting.start
    assert original.request.meeting.start - MAX_BACKOFF < desk.now <= original.request.meeting.start
    assert (result.record.state, open_types(result.record, desk.now)) == (State.SCHEDULED, [IncidentType.UNWANTED])
    last = desk.steps(original.agent_id)[-1]
    assert last.entry.reason == Reason.of(ReasonCode.CANCELLATION_EXPIRED, failure=503)


def test_a_cancellation_that_expires_before_its_retry_has_its_last_failure_as_the_reason(desk: Desk) -> None:
    """The sweep came too late to send it."""
    account = desk.register()
    when = {"start": "2026-04-29T12:30:00Z", "end": "2026-04-29T13:30:00Z"}
    original = desk.upsert(account, **when)
    desk.provisioning().submit(original)
    desk.cronofy.faults.add("POST", original.path, times=None, status=503)
    desk.provisioning().submit(desk.upsert(account, meeting_agent={"profile_id": "none"}, **when))
    desk.now += timedelta(minutes=45)
    desk.sweep()
    last = desk.steps(original.agent_id)[-1]
    assert last.entry.kind is EntryType.REJECTED
    assert open_types(last.after, desk.now) == [IncidentType.UNWANTED]
    assert last.entry.reason == Reason.of(ReasonCode.CANCELLATION_EXPIRED, failure=503)


@pytest.mark.parametrize(
    ("errors", "complaint"),
    [
        ({"start": [{"key": "errors.invalid", "description": "is not a time"}]}, "start (errors.invalid)"),
        (
            {"reminders[0].minutes": [{"key": "errors.range"}, {}], "tzid": ["?"]},
            "reminders[0].minutes (errors.range), tzid",
        ),
        ({"Bearer aB3": [], "start": [{"key": "errors.\nforged", "description": "<a href>"}]}, "start, 1 more"),
        ({"https://zoom.us/j/1?pwd=x": []}, ""),
        ({f"field_{letter}": "?" for letter in "abcdefg"}, "field_a, field_b, field_c, field_d, field_e, 2 more"),
        ({"x" * 61: []}, ""),
        ("no fields at all", ""),
    ],
)
def test_a_refusal_names_the_fields_and_quotes_no_values(
    desk: Desk, own: CallerCredentials, errors: object, complaint: str
) -> None:
    """Cronofy's descriptions, and names that are not those of fields, may hold the caller's data."""
    request = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, status=422, body={"errors": errors})
    result = desk.provisioning().submit(request)
    assert result.record.current.reason == Reason.of(ReasonCode.REQUEST_REFUSED, status=422, complaint=complaint)


def test_a_newer_change_is_retried_instead_of_an_older_one(desk: Desk) -> None:
    """The older body is never sent after the newer one."""
    account = desk.register()
    first, second = desk.upsert(account, summary="Old"), desk.upsert(account, summary="New")
    desk.cronofy.faults.add("POST", first.path, times=2, status=429)
    desk.provisioning().submit(first)
    desk.provisioning().submit(second)
    desk.now += MAX_BACKOFF
    desk.sweep()
    desk.now += MAX_BACKOFF
    desk.sweep()
    assert desk.cronofy.meeting(("us", CALENDAR, "event_1")).request["summary"] == "New"
    assert [r.json["summary"] for r in desk.cronofy.requests if r.path == first.path] == ["Old", "New", "New"]


@pytest.mark.parametrize(("reschedule", "state"), [("update", State.SCHEDULED), ("refuse", State.REQUESTED)])
def test_a_scheduled_agent_that_may_have_arrived_is_followed(desk: Desk, reschedule: Any, state: State) -> None:
    """Cronofy does not document a repeated scheduling_key, so its refusal proves nothing."""
    desk.cronofy.behaviour.reschedule = reschedule
    request = desk.schedule()
    desk.cronofy.faults.add("POST", request.path, times=2, status=503, has_effect=True)
    desk.provisioning().submit(request)
    desk.now += MAX_BACKOFF
    (result,) = desk.sweep()
    assert (result.response and result.response.status, result.record.state) == (202, state)
    assert len(desk.cronofy.agents) == 1
    due = deadline(result.record, desk.journal().grace_periods)
    assert due
    assert due.phase is DeadlineType.ACTIVATION
    assert desk.sweep() == []
    if reschedule == "refuse":
        assert result.record.current.reason.code is ReasonCode.SCHEDULING_KEY_REFUSED
        assert EntryType.ACCEPTED not in desk.kinds(request.agent_id)


# ----------------------------------------------------------------------------------------------------- death on the way


class Dead(BaseException):
    """The death of the function: no handler runs."""


def _dies(_: object) -> None:
    raise Dead


@pytest.mark.parametrize("at", ["request", "response"])
@pytest.mark.parametrize("durable", ["account", "api key"])
def test_the_sweep_retries_the_request_of_a_function_that_died(desk: Desk, durable: str, at: str) -> None:
    """Before Cronofy received it or after it acted: one agent, and the journal has it."""
    request = desk.upsert(desk.register()) if durable == "account" else desk.schedule()
    desk.tokens().access_token("alice") if durable == "account" else None
    desk.http.event_hooks[at] = [_dies]
    with pytest.raises(Dead):
        desk.provisioning().submit(request)
    desk.http.event_hooks[at] = []
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED]
    assert desk.sweep() == []
    desk.now += DELIVERY_LEASE
    (result,) = desk.sweep()
    assert result.record.state is State.SCHEDULED
    assert len(desk.cronofy.agents) == 1


def test_the_next_sweep_retries_the_request_of_a_sweep_that_died(desk: Desk) -> None:
    """Its claim expires."""
    request = desk.schedule()
    desk.cronofy.faults.add("POST", request.path, status=429)
    desk.provisioning().submit(request)
    desk.now += MAX_BACKOFF
    desk.http.event_hooks["request"] = [_dies]
    with pytest.raises(Dead):
        desk.sweep()
    desk.http.event_hooks["request"] = []
    assert list(desk.journal().due(desk.now)) == []
    desk.now += DELIVERY_LEASE
    assert list(desk.journal().due(desk.now)) == [request.agent_id]
    (result,) = desk.sweep()
    assert result.record.state is State.SCHEDULED


# ----------------------------------------------------------------------------------------------------- the same request


@pytest.mark.parametrize("durable", [False, True])
def test_the_same_request_at_the_same_time_is_one_agent_and_one_pair_of_entries(
    desk: Desk, own: CallerCredentials, durable: bool
) -> None:
    """Every caller gets the same response."""
    request = desk.upsert(desk.register() if durable else own)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: desk.provisioning().submit(request), range(8)))
    assert {result.response.status if result.response else None for result in results} == {202}
    assert {result.record.state for result in results} == {State.SCHEDULED}
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]
    assert len(desk.cronofy.agents) == 1


def _asks(desk: Desk, kind: str) -> ProvisioningRequest:
    return desk.schedule() if kind == "later" else desk.send_now("key")


@pytest.mark.parametrize("kind", ["now", "later"])
def test_repeated_requests_for_an_agent_without_an_event_are_sent_once(desk: Desk, kind: str) -> None:
    """At the same time and later: one request to Cronofy, one agent, one response."""
    request = _asks(desk, kind)
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: desk.provisioning().submit(request), range(6)))
    results.append(desk.provisioning().submit(request))
    assert {repr(result.response and (result.response.status, result.response.content)) for result in results} == {
        repr(results[0].response and (results[0].response.status, results[0].response.content))
    }
    assert desk.cronofy.count("POST", "/v1/meeting_agents") == 1
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]
    if kind == "now":
        assert results[0].response
        assert results[-1].record.current.subs == (results[0].response.content["meeting_agent"]["sub"],)


@pytest.mark.parametrize("fault", [{"close": "unanswered"}, {"status": 500, "has_effect": True}])
def test_a_request_to_send_now_that_may_have_arrived_is_not_sent_again(desk: Desk, fault: dict[str, Any]) -> None:
    """Two agents in a meeting are worse than an alert."""
    request = desk.send_now("key")
    desk.cronofy.faults.add("POST", request.path, **fault)
    first = desk.provisioning().submit(request)
    assert first.record.state is State.REQUESTED
    desk.now += MAX_BACKOFF
    assert desk.sweep() == []
    again = desk.provisioning().submit(request)
    assert isinstance(again.error, UpstreamTimeout)
    assert desk.cronofy.count("POST", request.path) == 1


def test_a_request_to_send_now_that_had_no_effect_is_retried_once(desk: Desk) -> None:
    """It is not sent again even if the sweep dies on the way."""
    request = desk.send_now("key")
    desk.cronofy.faults.add("POST", request.path, status=429)
    result = desk.provisioning().submit(request)
    assert result.record.current.pending
    assert result.record.current.pending.retry_at
    desk.now = result.record.current.pending.retry_at
    desk.http.event_hooks["response"] = [_dies]
    with pytest.raises(Dead):
        desk.sweep()
    desk.http.event_hooks["response"] = []
    desk.now += MAX_BACKOFF
    assert desk.sweep() == []
    assert len(desk.cronofy.agents) == 1


def test_an_idempotency_key_with_another_body_is_refused(desk: Desk) -> None:
    """It cannot mean the same agent."""
    desk.provisioning().submit(desk.send_now("key"))
    with pytest.raises(IdempotencyKeyReused):
        desk.provisioning().submit(desk.send_now("key", display_name="Other"))
    assert len(desk.cronofy.agents) == 1


def test_a_repeated_idempotency_key_is_refused_while_the_first_request_is_in_progress(desk: Desk) -> None:
    """After a wait; a minute later the first request counts as dead."""
    request = desk.send_now("key")
    desk.http.event_hooks["request"] = [_dies]
    with pytest.raises(Dead):
        desk.provisioning().submit(request)
    desk.http.event_hooks["request"] = []
    began = desk.now
    with pytest.raises(InProgress):
        desk.provisioning().submit(request)
    assert RESPONSE_WAIT <= desk.now - began < RESPONSE_WAIT + timedelta(seconds=1)
    desk.now += DELIVERY_LEASE
    assert isinstance(desk.provisioning().submit(request).error, UpstreamTimeout)
    assert desk.cronofy.count("POST", request.path) == 0


def test_a_repeated_idempotency_key_gets_the_first_refusal(desk: Desk) -> None:
    """Even if Cronofy would now accept it."""
    request = desk.send_now("key")
    desk.cronofy.faults.add("POST", request.path, status=402)
    statuses = [desk.provisioning().submit(request).response for _ in range(2)]
    assert [answer and answer.status for answer in statuses] == [402, 402]
    assert desk.cronofy.count("POST", request.path) == 1


# -------------------------------------------------------------------------------------------------- limits and accounts


def test_beyond_the_limits_a_durable_request_waits_and_one_by_own_token_is_refused(
    desk: Desk, own: CallerCredentials
) -> None:
    """The first is retried; the second is not journalled."""
    desk.limits = Limits(1, 1)
    desk.provisioning().submit(desk.schedule("first"))
    waiting = desk.schedule("second")
    result = desk.provisioning().submit(waiting)
    assert isinstance(result.error, RateLimited)
    assert result.record.state is State.REQUESTED
    refused = desk.upsert(own)
    with pytest.raises(RateLimited):
        desk.provisioning().submit(refused)
    assert desk.kinds(refused.agent_id) == []
    assert desk.cronofy.count("POST", "/v1/meeting_agents") == 1
    desk.now += timedelta(seconds=62)
    assert [result.record.state for result in desk.sweep()] == [State.SCHEDULED]


def test_the_requests_of_a_revoked_account_wait(desk: Desk) -> None:
    """Ten requests at the moment of the revocation; all are accepted after a new registration."""
    account = desk.register()
    desk.provisioning().submit(desk.upsert(account, "before"))
    (grant,) = desk.cronofy._world._grants.values()
    desk.cronofy.revoke(grant)
    requests = [desk.upsert(account, f"event_{number}") for number in range(10)]
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda request: desk.provisioning().submit(request), requests))
    results += [desk.provisioning().submit(desk.upsert(account, "event_10"))]
    assert {result.record.state for result in results} == {State.REQUESTED}
    desk.now += MAX_BACKOFF
    desk.sweep()
    pending = [desk.steps(request.agent_id)[-1].after.current.pending for request in requests]
    assert all(request is not None and request.waits_for_account for request in pending)
    desk.register()
    for _ in range(3):
        desk.now += MAX_BACKOFF
        desk.sweep()
    assert {desk.steps(request.agent_id)[-1].after.state for request in requests} == {State.SCHEDULED}


def test_waiting_requests_of_a_deleted_account_are_rejected(desk: Desk) -> None:
    request = desk.upsert(desk.register())
    desk.cronofy.faults.add("POST", request.path, status=423)
    desk.provisioning().submit(request)
    desk.accounts().delete("alice")
    desk.now += MAX_BACKOFF
    (result,) = desk.sweep()
    assert result.record.state is State.REJECTED
    assert result.record.current.reason == Reason.of(ReasonCode.ACCOUNT_UNKNOWN, account="alice")


def test_after_a_401_the_access_token_is_renewed_and_the_request_sent_again(desk: Desk) -> None:
    """Once, even if the token seemed valid."""
    account = desk.register()
    desk.cronofy.expire(desk.tokens().access_token("alice"))
    result = desk.provisioning().submit(desk.upsert(account))
    assert result.record.state is State.SCHEDULED
    assert [r.status for r in desk.cronofy.requests if r.path == EVENTS] == [401, 202]
    desk.cronofy.faults.add("POST", EVENTS, times=None, status=401)
    result = desk.provisioning().submit(desk.upsert(account, "other"))
    assert result.record.state is State.REJECTED
    assert [r.status for r in desk.cronofy.requests if r.path == EVENTS] == [401, 202, 401, 401]
