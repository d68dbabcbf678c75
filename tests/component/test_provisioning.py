"""Nothing lost, nothing doubled: what is asked of Cronofy, when it does not answer, and when we die on the way."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.model import DeadlineType, EntryType, IncidentType, Reason, ReasonCode, State
from meeting_agents.errors import IdempotencyKeyReused, InProgress, RateLimited, UpstreamTimeout
from meeting_agents.provisioning import DELIVERY_LEASE, MAX_BACKOFF, RESPONSE_WAIT, ProvisioningRequest, backoff
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws

EVENTS = f"/v1/calendars/{CALENDAR}/events"


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


@pytest.fixture
def own(desk: Desk) -> CallerCredentials:
    """A caller's own token."""
    return CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)


# ------------------------------------------------------------------------------------------------ nobody tries but them


def test_a_request_is_in_the_journal_before_cronofy_hears_of_it(desk: Desk, own: CallerCredentials) -> None:
    """Seen at the wire: when Cronofy has read the request, its entry is there already."""
    asked = desk.upsert(own)
    seen: list[list[EntryType]] = []
    desk.http.event_hooks["request"] = [lambda _: seen.append(desk.kinds(asked.agent_id))]
    desk.provisioning().submit(asked)
    assert seen == [[EntryType.REQUESTED]]
    assert desk.kinds(asked.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 422, 423, 429])
def test_what_cronofy_refuses_a_callers_own_token_is_rejected(desk: Desk, own: CallerCredentials, status: int) -> None:
    """423 and 429 too: their caller is told, and is the only one who can try again."""
    asked = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, status=status)
    told = desk.provisioning().submit(asked)
    assert told.response
    assert told.response.status == status
    assert told.record.state is State.REJECTED
    assert desk.sweep() == []
    assert desk.cronofy.count("POST", EVENTS) == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 302, "headers": {"Location": "https://example.com/"}}])
def test_what_cronofy_cannot_say_to_a_callers_own_token_stays_open(
    desk: Desk, own: CallerCredentials, fault: dict[str, Any]
) -> None:
    """Nobody asks again but the caller; the deadline of the meeting watches over it."""
    asked = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, times=None, **fault)
    told = desk.provisioning().submit(asked)
    assert (told.record.state, told.record.current.pending and told.record.current.pending.retry_at) == (
        State.REQUESTED,
        None,
    )
    assert told.record.current.reason.code is ReasonCode.RETRY_LEFT_TO_CALLER
    desk.now += timedelta(days=2)
    assert desk.sweep() == []


def test_a_silent_cronofy_leaves_the_request_open(desk: Desk, own: CallerCredentials) -> None:
    """It may have acted, so nothing else is said."""
    asked = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, times=2, close="unanswered")
    told = desk.provisioning().submit(asked)
    assert isinstance(told.error, UpstreamTimeout)
    assert told.record.state is State.REQUESTED
    desk.sleep(1)
    told = desk.provisioning().submit(asked)
    assert told.record.state is State.SCHEDULED
    assert desk.kinds(asked.agent_id) == [EntryType.REQUESTED, EntryType.UNCONFIRMED, EntryType.ACCEPTED]


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
def test_what_cronofy_does_not_take_is_asked_again_until_it_does(
    desk: Desk, durable: str, fault: dict[str, Any]
) -> None:
    """With credentials that outlast the request. In the end there is one agent, and its timeline tells of each try."""
    asked = desk.upsert(desk.register()) if durable == "account" else desk.schedule()
    path = asked.path
    desk.cronofy.faults.add("POST", path, times=2, **fault)
    if fault.get("status", 500) < 500:
        desk.cronofy.faults.clear()
        desk.cronofy.faults.add("POST", path, times=1, **fault)
    told = desk.provisioning().submit(asked)
    assert told.record.state is State.REQUESTED
    assert told.record.current.pending
    retry_at = told.record.current.pending.retry_at
    assert retry_at
    assert desk.now < retry_at <= desk.now + timedelta(seconds=15)
    assert desk.sweep() == []  # not yet
    desk.now = retry_at
    (told,) = desk.sweep()
    assert told.record.state is State.SCHEDULED
    assert desk.kinds(asked.agent_id) == [EntryType.REQUESTED, EntryType.UNCONFIRMED, EntryType.ACCEPTED]
    assert len(desk.cronofy.agents) == 1
    desk.now += timedelta(hours=1)
    assert desk.sweep() == []


def test_two_sweeps_at_once_ask_once(desk: Desk) -> None:
    """What is due belongs to whoever claims it first."""
    asked = desk.schedule()
    desk.cronofy.faults.add("POST", asked.path, status=429)
    desk.provisioning().submit(asked)
    desk.now += MAX_BACKOFF
    desk.track(asked.agent_id)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: desk.provisioning().retry(asked.agent_id), range(8)))
    assert sum(one is not None for one in told) == 1
    assert desk.cronofy.count("POST", asked.path) == 2


def test_pauses_double_up_to_a_quarter_of_an_hour_and_honour_retry_after(desk: Desk) -> None:
    """Half of a backoff is chance, so that many do not come back at the same moment."""
    longest = [max(backoff(tries).total_seconds() for _ in range(200)) for tries in range(9)]
    assert longest == [pytest.approx(min(15 * 2**tries, 900), rel=0.1) for tries in range(9)]
    assert min(backoff(0).total_seconds() for _ in range(200)) >= 7.5
    assert backoff(0, 3600).total_seconds() == 3600
    asked = desk.schedule()
    desk.cronofy.faults.add("POST", asked.path, status=429, headers={"Retry-After": "120"})
    pending = desk.provisioning().submit(asked).record.current.pending
    assert pending
    assert pending.retry_at == desk.now + timedelta(seconds=120)


def test_what_cannot_be_delivered_before_the_meeting_ends_is_rejected_with_the_last_reason(desk: Desk) -> None:
    """And not a moment later: an agent for a meeting that is over is of no use."""
    asked = desk.upsert(desk.register(), start="2026-04-29T12:30:00Z", end="2026-04-29T13:30:00Z")
    desk.cronofy.faults.add("POST", asked.path, times=None, status=503)
    told = desk.provisioning().submit(asked)
    tries = 0
    while told.record.state is State.REQUESTED:
        pending = told.record.current.pending
        assert pending
        assert pending.retry_at
        desk.now = pending.retry_at
        (told,) = desk.sweep()
        tries += 1
    assert asked.request.meeting.end
    assert asked.request.meeting.end - MAX_BACKOFF < desk.now <= asked.request.meeting.end
    assert told.record.state is State.REJECTED
    assert told.record.current.reason == Reason.of(ReasonCode.REQUEST_EXPIRED, failure=503)
    assert 7 < tries < 20


def test_a_cancellation_is_tried_until_the_meeting_begins_and_then_people_are_told(desk: Desk) -> None:
    """From then on they alone can keep the agent out; told an hour later, when it ends, they could not."""
    account = desk.register()
    when = {"start": "2026-04-29T12:30:00Z", "end": "2026-04-29T13:30:00Z"}
    wanted = desk.upsert(account, **when)
    desk.provisioning().submit(wanted)
    desk.cronofy.faults.add("POST", wanted.path, times=None, status=503)
    told = desk.provisioning().submit(desk.upsert(account, meeting_agent={"profile_id": "none"}, **when))
    while pending := told.record.current.pending:
        assert pending.retry_at
        desk.now = pending.retry_at
        (told,) = desk.sweep()
    assert wanted.request.meeting.start
    assert wanted.request.meeting.start - MAX_BACKOFF < desk.now <= wanted.request.meeting.start
    assert (told.record.state, told.record.incident) == (State.SCHEDULED, IncidentType.NOT_CANCELLED)
    last = desk.steps(wanted.agent_id)[-1]
    assert last.entry.reason == Reason.of(ReasonCode.CANCELLATION_EXPIRED, failure=503)


def test_a_cancellation_that_nobody_could_send_in_time_says_what_its_last_try_said(desk: Desk) -> None:
    """The sweep itself came too late, and has nothing of its own to tell."""
    account = desk.register()
    when = {"start": "2026-04-29T12:30:00Z", "end": "2026-04-29T13:30:00Z"}
    wanted = desk.upsert(account, **when)
    desk.provisioning().submit(wanted)
    desk.cronofy.faults.add("POST", wanted.path, times=None, status=503)
    desk.provisioning().submit(desk.upsert(account, meeting_agent={"profile_id": "none"}, **when))
    desk.now += timedelta(minutes=45)
    desk.sweep()
    last = desk.steps(wanted.agent_id)[-1]
    assert (last.entry.kind, last.cause) == (EntryType.REJECTED, IncidentType.NOT_CANCELLED)
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
def test_a_refusal_names_the_fields_and_quotes_nobody(
    desk: Desk, own: CallerCredentials, errors: object, complaint: str
) -> None:
    """Cronofy's descriptions, and whatever is not the name of a field, may hold what the caller sent."""
    asked = desk.upsert(own)
    desk.cronofy.faults.add("POST", EVENTS, status=422, body={"errors": errors})
    told = desk.provisioning().submit(asked)
    assert told.record.current.reason == Reason.of(ReasonCode.REQUEST_REFUSED, status=422, complaint=complaint)


def test_a_change_that_overtakes_a_waiting_request_is_what_is_asked_again(desk: Desk) -> None:
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
def test_an_agent_for_later_that_may_have_arrived_is_followed_whatever_a_second_request_does(
    desk: Desk, reschedule: Any, state: State
) -> None:
    """What Cronofy makes of a scheduling_key that it has already is unknown, so a refusal of it says nothing."""
    desk.cronofy.behaviour.reschedule = reschedule
    asked = desk.schedule()
    desk.cronofy.faults.add("POST", asked.path, times=2, status=503, has_effect=True)
    desk.provisioning().submit(asked)
    desk.now += MAX_BACKOFF
    (told,) = desk.sweep()
    assert (told.response and told.response.status, told.record.state) == (202, state)
    assert len(desk.cronofy.agents) == 1
    awaited = deadline(told.record, desk.journal().grace_periods)
    assert awaited
    assert awaited.phase is DeadlineType.ACTIVATION
    assert desk.sweep() == []
    if reschedule == "refuse":
        assert told.record.current.reason.code is ReasonCode.SCHEDULING_KEY_REFUSED
        assert EntryType.ACCEPTED not in desk.kinds(asked.agent_id)


# ----------------------------------------------------------------------------------------------------- death on the way


class Dead(BaseException):
    """The function ends here: no handler runs."""


def _dies(_: object) -> None:
    raise Dead


@pytest.mark.parametrize("at", ["request", "response"])
@pytest.mark.parametrize("durable", ["account", "api key"])
def test_a_function_that_dies_around_the_call_is_made_up_for_by_the_sweep(desk: Desk, durable: str, at: str) -> None:
    """Before Cronofy hears of it or after it has acted: one agent, and the journal knows."""
    asked = desk.upsert(desk.register()) if durable == "account" else desk.schedule()
    desk.tokens().access_token("alice") if durable == "account" else None
    desk.http.event_hooks[at] = [_dies]
    with pytest.raises(Dead):
        desk.provisioning().submit(asked)
    desk.http.event_hooks[at] = []
    assert desk.kinds(asked.agent_id) == [EntryType.REQUESTED]
    assert desk.sweep() == []
    desk.now += DELIVERY_LEASE
    (told,) = desk.sweep()
    assert told.record.state is State.SCHEDULED
    assert len(desk.cronofy.agents) == 1


def test_a_sweep_that_dies_with_a_request_in_hand_leaves_it_to_the_next(desk: Desk) -> None:
    """Its claim ends by itself."""
    asked = desk.schedule()
    desk.cronofy.faults.add("POST", asked.path, status=429)
    desk.provisioning().submit(asked)
    desk.now += MAX_BACKOFF
    desk.http.event_hooks["request"] = [_dies]
    with pytest.raises(Dead):
        desk.sweep()
    desk.http.event_hooks["request"] = []
    assert list(desk.journal().due(desk.now)) == []
    desk.now += DELIVERY_LEASE
    assert list(desk.journal().due(desk.now)) == [asked.agent_id]
    (told,) = desk.sweep()
    assert told.record.state is State.SCHEDULED


# ----------------------------------------------------------------------------------------------------- the same request


@pytest.mark.parametrize("durable", [False, True])
def test_the_same_request_at_the_same_time_is_one_agent_and_one_pair_of_entries(
    desk: Desk, own: CallerCredentials, durable: bool
) -> None:
    """And everybody gets the same answer."""
    asked = desk.upsert(desk.register() if durable else own)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: desk.provisioning().submit(asked), range(8)))
    assert {one.response.status if one.response else None for one in told} == {202}
    assert {one.record.state for one in told} == {State.SCHEDULED}
    assert desk.kinds(asked.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]
    assert len(desk.cronofy.agents) == 1


def _asks(desk: Desk, kind: str) -> ProvisioningRequest:
    return desk.schedule() if kind == "later" else desk.send_now("key")


@pytest.mark.parametrize("kind", ["now", "later"])
def test_an_agent_without_an_event_is_asked_for_once_however_often_it_is_requested(desk: Desk, kind: str) -> None:
    """At the same time and later: one request to Cronofy, one agent, one answer."""
    asked = _asks(desk, kind)
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda _: desk.provisioning().submit(asked), range(6)))
    told.append(desk.provisioning().submit(asked))
    assert {repr(one.response and (one.response.status, one.response.content)) for one in told} == {
        repr(told[0].response and (told[0].response.status, told[0].response.content))
    }
    assert desk.cronofy.count("POST", "/v1/meeting_agents") == 1
    assert desk.kinds(asked.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]
    if kind == "now":
        assert told[0].response
        assert told[-1].record.current.subs == (told[0].response.content["meeting_agent"]["sub"],)


@pytest.mark.parametrize("fault", [{"close": "unanswered"}, {"status": 500, "has_effect": True}])
def test_an_agent_for_now_that_may_have_been_sent_is_never_sent_again(desk: Desk, fault: dict[str, Any]) -> None:
    """Two agents in a meeting are worse than a person who is asked to look."""
    asked = desk.send_now("key")
    desk.cronofy.faults.add("POST", asked.path, **fault)
    first = desk.provisioning().submit(asked)
    assert first.record.state is State.REQUESTED
    desk.now += MAX_BACKOFF
    assert desk.sweep() == []
    again = desk.provisioning().submit(asked)
    assert isinstance(again.error, UpstreamTimeout)
    assert desk.cronofy.count("POST", asked.path) == 1


def test_an_agent_for_now_that_cannot_have_been_sent_is_sent_by_the_sweep_and_only_once(desk: Desk) -> None:
    """Should the sweep die while it sends, nobody sends it again."""
    asked = desk.send_now("key")
    desk.cronofy.faults.add("POST", asked.path, status=429)
    told = desk.provisioning().submit(asked)
    assert told.record.current.pending
    assert told.record.current.pending.retry_at
    desk.now = told.record.current.pending.retry_at
    desk.http.event_hooks["response"] = [_dies]
    with pytest.raises(Dead):
        desk.sweep()
    desk.http.event_hooks["response"] = []
    desk.now += MAX_BACKOFF
    assert desk.sweep() == []
    assert len(desk.cronofy.agents) == 1


def test_a_key_with_another_body_is_refused(desk: Desk) -> None:
    """It cannot mean the same agent."""
    desk.provisioning().submit(desk.send_now("key"))
    with pytest.raises(IdempotencyKeyReused):
        desk.provisioning().submit(desk.send_now("key", display_name="Somebody else"))
    assert len(desk.cronofy.agents) == 1


def test_a_repeated_key_is_told_to_come_back_while_the_first_request_is_on_its_way(desk: Desk) -> None:
    """It waits for a while; then the first one is still at it, or died, which shows a minute later."""
    asked = desk.send_now("key")
    desk.http.event_hooks["request"] = [_dies]
    with pytest.raises(Dead):
        desk.provisioning().submit(asked)
    desk.http.event_hooks["request"] = []
    began = desk.now
    with pytest.raises(InProgress):
        desk.provisioning().submit(asked)
    assert RESPONSE_WAIT <= desk.now - began < RESPONSE_WAIT + timedelta(seconds=1)
    desk.now += DELIVERY_LEASE
    assert isinstance(desk.provisioning().submit(asked).error, UpstreamTimeout)
    assert desk.cronofy.count("POST", asked.path) == 0


def test_a_repeated_key_gets_the_refusal_again(desk: Desk) -> None:
    """The same answer, though Cronofy would say something else by now."""
    asked = desk.send_now("key")
    desk.cronofy.faults.add("POST", asked.path, status=402)
    statuses = [desk.provisioning().submit(asked).response for _ in range(2)]
    assert [answer and answer.status for answer in statuses] == [402, 402]
    assert desk.cronofy.count("POST", asked.path) == 1


# -------------------------------------------------------------------------------------------------- limits and accounts


def test_beyond_the_limits_a_durable_request_waits_and_another_is_told_to(desk: Desk, own: CallerCredentials) -> None:
    """The first is `requested` and comes by itself; the second has not been written down at all."""
    desk.limits = Limits(1, 1)
    desk.provisioning().submit(desk.schedule("first"))
    waiting = desk.schedule("second")
    told = desk.provisioning().submit(waiting)
    assert isinstance(told.error, RateLimited)
    assert told.record.state is State.REQUESTED
    refused = desk.upsert(own)
    with pytest.raises(RateLimited):
        desk.provisioning().submit(refused)
    assert desk.kinds(refused.agent_id) == []
    assert desk.cronofy.count("POST", "/v1/meeting_agents") == 1
    desk.now += timedelta(seconds=62)
    assert [one.record.state for one in desk.sweep()] == [State.SCHEDULED]


def test_a_revoked_account_raises_one_alert_and_its_requests_wait_for_a_person(desk: Desk) -> None:
    """Ten requests at the moment of the revocation; after the new registration all of them arrive."""
    account = desk.register()
    desk.provisioning().submit(desk.upsert(account, "before"))
    (grant,) = desk.cronofy._world._grants.values()
    desk.cronofy.revoke(grant)
    asked = [desk.upsert(account, f"event_{number}") for number in range(10)]
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda one: desk.provisioning().submit(one), asked))
    told += [desk.provisioning().submit(desk.upsert(account, "event_10"))]
    assert {one.record.state for one in told} == {State.REQUESTED}
    desk.now += MAX_BACKOFF
    desk.sweep()
    causes = [step.cause for one in asked for step in desk.steps(one.agent_id)]
    assert causes.count(IncidentType.REAUTHORISATION) == 1
    assert set(causes) == {IncidentType.REAUTHORISATION, None}
    desk.register()
    for _ in range(3):
        desk.now += MAX_BACKOFF
        desk.sweep()
    assert {desk.steps(one.agent_id)[-1].after.state for one in asked} == {State.SCHEDULED}


def test_an_alert_that_was_claimed_and_not_written_down_is_claimed_again(desk: Desk) -> None:
    """Whoever claimed it died; the next try of any request makes up for it."""
    account = desk.register()
    desk.cronofy.revoke(next(iter(desk.cronofy._world._grants.values())))
    asked = desk.upsert(account)
    desk.accounts().claim_alert("alice", 60)
    with pytest.raises(Exception, match="no more"):
        desk.tokens().access_token("alice")
    assert desk.accounts().claim_alert("alice", 60)
    desk.provisioning().submit(asked)
    assert IncidentType.REAUTHORISATION not in [step.cause for step in desk.steps(asked.agent_id)]
    desk.now += MAX_BACKOFF
    desk.sweep()
    assert [step.cause for step in desk.steps(asked.agent_id)].count(IncidentType.REAUTHORISATION) == 1


def test_what_waits_in_the_name_of_a_deleted_account_is_rejected(desk: Desk) -> None:
    """There is nobody any more in whose name it could be asked."""
    asked = desk.upsert(desk.register())
    desk.cronofy.faults.add("POST", asked.path, status=423)
    desk.provisioning().submit(asked)
    desk.accounts().delete("alice")
    desk.now += MAX_BACKOFF
    (told,) = desk.sweep()
    assert told.record.state is State.REJECTED
    assert told.record.current.reason == Reason.of(ReasonCode.ACCOUNT_UNKNOWN, account="alice")


def test_an_expired_access_token_is_renewed_and_the_request_sent_again(desk: Desk) -> None:
    """Though we took it for good: Cronofy's 401 is believed, once."""
    account = desk.register()
    desk.cronofy.expire(desk.tokens().access_token("alice"))
    told = desk.provisioning().submit(desk.upsert(account))
    assert told.record.state is State.SCHEDULED
    assert [r.status for r in desk.cronofy.requests if r.path == EVENTS] == [401, 202]
    desk.cronofy.faults.add("POST", EVENTS, times=None, status=401)
    told = desk.provisioning().submit(desk.upsert(account, "other"))
    assert told.record.state is State.REJECTED
    assert [r.status for r in desk.cronofy.requests if r.path == EVENTS] == [401, 202, 401, 401]
