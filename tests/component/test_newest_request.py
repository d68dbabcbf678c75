"""The newest request for an agent is what Cronofy gets last: across retries, slow responses, concurrency and crashes.

Most tests run twelve times, as the order of concurrent requests differs.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import httpx
import pytest

from meeting_agents.cronofy import client
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.delivery import DELIVERY_LEASE, MAX_BACKOFF
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import Action, Request, State
from meeting_agents.provisioning import ProvisioningRequest, ProvisioningResult
from tests.desk import CALENDAR, NOON, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import wait_until

EVENTS = f"/v1/calendars/{CALENDAR}/events"
KEY = ("us", CALENDAR, "event_1")
PATIENCE = 30.0
"""Seconds for what takes a moment, also on a busy machine."""
WAIT_SECONDS = 1.5
WAIT = httpx.Timeout(WAIT_SECONDS)
"""The wait for a response of Cronofy in tests in which it is over: long enough for those that come at once."""
TIMES = pytest.mark.parametrize("run", range(12))
CREDENTIALS = pytest.mark.parametrize("kind", ["own token", "account"])


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


def credentials(desk: Desk, kind: str) -> CallerCredentials:
    if kind == "account":
        account = desk.register()
        desk.tokens().access_token("alice")
        return account
    return CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)


def deletion(desk: Desk, caller: CallerCredentials) -> ProvisioningRequest:
    """Return the deletion of the calendar event, as the API makes it."""
    text = '{"event_id": "event_1"}'
    request = Request(
        action=Action.CANCEL,
        data_center="us",
        calendar_id=CALENDAR,
        event_id="event_1",
        account=caller.account,
        meeting=desk.upsert(caller).request.meeting,
        digest="deletion",
    )
    return ProvisioningRequest(agent_id("us", CALENDAR, "event_1"), request, "DELETE", EVENTS, caller, lambda _: text)


def moved(desk: Desk, caller: CallerCredentials, hours: int) -> ProvisioningRequest:
    start = NOON + timedelta(days=1, hours=hours)
    return desk.upsert(
        caller,
        start=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        end=f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
    )


def once(desk: Desk, hook: str, action: Callable[[], object]) -> None:
    """Run an action in the middle of the next request, before it is sent or after its response."""

    def run(_: object) -> None:
        desk.http.event_hooks[hook] = []
        action()

    desk.http.event_hooks[hook] = [run]


class Gate:
    """Holds a request at Cronofy until it is opened: the order is the same on a busy machine."""

    def __init__(self) -> None:
        self._reached, self._opened = Event(), Event()

    def hold(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def wait_for_request(self) -> None:
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()


def together(
    desk: Desk, gate: Gate, first: Callable[[], ProvisioningResult | None], second: ProvisioningRequest
) -> list[ProvisioningResult | None]:
    """Send the second request while Cronofy holds the first, and open the gate when it is answered."""
    with ThreadPoolExecutor(1) as pool:
        earlier = pool.submit(first)
        gate.wait_for_request()
        later = desk.provisioning().submit(second)
        gate.open()
        return [earlier.result(), later]


def submit(desk: Desk, request: ProvisioningRequest) -> Callable[[], ProvisioningResult]:
    return partial(desk.provisioning().submit, request)


def is_cancelled(desk: Desk) -> bool:
    """True if the agent is cancelled at Cronofy, and the journal says so."""
    agents = desk.cronofy.meeting(KEY).agents if desk.cronofy.meetings else []
    state = desk.steps(agent_id("us", CALENDAR, "event_1"))[-1].after.state
    return all(agent.cancelled for agent in agents) and state is State.CANCELLED


def assert_same_start(desk: Desk) -> None:
    """The start at Cronofy is that of the record."""
    record = desk.steps(agent_id("us", CALENDAR, "event_1"))[-1].after
    assert record.meeting.start
    assert desk.cronofy.meeting(KEY).request["start"] == f"{record.meeting.start:%Y-%m-%dT%H:%M:%SZ}"


@TIMES
@CREDENTIALS
def test_a_second_try_is_not_sent_after_a_deletion(desk: Desk, kind: str, run: int) -> None:
    """The first try is answered with 503; the deletion is accepted before the second."""
    caller = credentials(desk, kind)
    desk.cronofy.faults.add("POST", EVENTS, status=503)
    once(desk, "response", lambda: desk.provisioning().submit(deletion(desk, caller)))
    desk.provisioning().submit(desk.upsert(caller))
    assert is_cancelled(desk)
    assert desk.cronofy.requests[-1].method == "DELETE"


@TIMES
@CREDENTIALS
def test_a_slow_response_is_not_followed_by_a_second_try_after_a_deletion(
    desk: Desk, kind: str, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for the first try is over when the deletion is accepted."""
    caller = credentials(desk, kind)
    monkeypatch.setattr(client, "TIMEOUT", WAIT)
    gate = Gate()
    gate.open()
    desk.cronofy.faults.add("POST", EVENTS, hold=gate.hold, delay=2 * WAIT_SECONDS)
    together(desk, gate, submit(desk, desk.upsert(caller)), deletion(desk, caller))
    assert is_cancelled(desk)


@TIMES
@CREDENTIALS
def test_a_deletion_is_sent_again_after_an_upsert_that_took_effect_later(desk: Desk, kind: str, run: int) -> None:
    """Cronofy works on the upsert while it accepts the deletion."""
    caller = credentials(desk, kind)
    gate = Gate()
    desk.cronofy.faults.add("POST", EVENTS, hold=gate.hold)
    results = together(desk, gate, submit(desk, desk.upsert(caller)), deletion(desk, caller))
    assert [result and result.response and result.response.status for result in results] == [202, 202]
    assert is_cancelled(desk)
    assert [(r.method, r.status) for r in desk.cronofy.requests if r.path == EVENTS] == [
        ("DELETE", 202),
        ("POST", 202),
        ("DELETE", 202),
    ]


@TIMES
@CREDENTIALS
def test_of_two_changes_the_newer_one_holds(desk: Desk, kind: str, run: int) -> None:
    """The older one is answered with 503, and has a second try."""
    caller = credentials(desk, kind)
    desk.provisioning().submit(desk.upsert(caller))
    gate = Gate()
    desk.cronofy.faults.add("POST", EVENTS, status=503, hold=gate.hold)
    together(desk, gate, submit(desk, moved(desk, caller, 1)), moved(desk, caller, 2))
    assert_same_start(desk)
    assert desk.cronofy.meeting(KEY).request["start"] == "2026-04-30T14:00:00Z"


@TIMES
@CREDENTIALS
def test_of_two_concurrent_changes_the_newer_one_holds(desk: Desk, kind: str, run: int) -> None:
    """The older one takes effect later."""
    caller = credentials(desk, kind)
    desk.provisioning().submit(desk.upsert(caller))
    gate = Gate()
    desk.cronofy.faults.add("POST", EVENTS, hold=gate.hold)
    together(desk, gate, submit(desk, moved(desk, caller, 1)), moved(desk, caller, 2))
    assert_same_start(desk)
    assert desk.cronofy.meeting(KEY).request["start"] == "2026-04-30T14:00:00Z"


@TIMES
def test_a_retry_of_the_sweep_is_not_sent_after_a_deletion(
    desk: Desk, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion is accepted after the sweep has read the journal."""
    caller = credentials(desk, "account")
    request = desk.upsert(caller)
    desk.cronofy.faults.add("POST", EVENTS, status=429)
    desk.provisioning().submit(request)
    desk.now += MAX_BACKOFF
    desk.track(request.agent_id)
    sweep = desk.provisioning()
    claim = sweep._journal.claim

    def claim_after_deletion(*arguments: Any) -> bool:
        desk.provisioning().submit(deletion(desk, caller))
        return claim(*arguments)

    monkeypatch.setattr(sweep._journal, "claim", claim_after_deletion)
    sweep.retry(request.agent_id)
    assert is_cancelled(desk)


@TIMES
def test_a_deletion_is_sent_again_after_a_retry_that_took_effect_later(desk: Desk, run: int) -> None:
    """Cronofy works on the sweep's retry while it accepts the deletion."""
    caller = credentials(desk, "account")
    request = desk.upsert(caller)
    desk.cronofy.faults.add("POST", EVENTS, status=429)
    desk.provisioning().submit(request)
    desk.now += MAX_BACKOFF
    desk.track(request.agent_id)
    gate = Gate()
    desk.cronofy.faults.add("POST", EVENTS, hold=gate.hold)
    together(desk, gate, partial(desk.provisioning().retry, request.agent_id), deletion(desk, caller))
    assert is_cancelled(desk)


@CREDENTIALS
@pytest.mark.parametrize(("seconds", "expected"), [(-5, State.SCHEDULED), (5, State.CANCELLED)])
def test_a_repeated_request_and_a_deletion_at_the_same_time_count_in_their_order(
    desk: Desk, kind: str, seconds: int, expected: State
) -> None:
    """The deletion is in the journal only after the repeated request has been read there as one that still stands."""
    caller = credentials(desk, kind)
    desk.provisioning().submit(desk.upsert(caller))
    desk.now += timedelta(seconds=10)

    def delete() -> None:
        received = desk.now
        desk.now += timedelta(seconds=seconds)
        desk.provisioning().submit(deletion(desk, caller))
        desk.now = max(desk.now, received)

    once(desk, "request", delete)
    result = desk.provisioning().submit(desk.upsert(caller))
    assert result.record.state is expected
    assert len(result.record.attempts) == (2 if expected is State.SCHEDULED else 1)
    assert is_cancelled(desk) is (expected is State.CANCELLED)
    assert desk.cronofy.requests[-1].method == ("POST" if expected is State.SCHEDULED else "DELETE")


class Dead(BaseException):
    """The death of the function: no handler runs."""


def _dies(_: object) -> None:
    raise Dead


@TIMES
def test_a_deletion_is_sent_again_after_the_lease_of_a_dead_upsert(desk: Desk, run: int) -> None:
    """Its function died after sending it, and Cronofy acts on it after the deletion."""
    caller = credentials(desk, "account")
    desk.http.event_hooks["request"] = [_dies]
    with pytest.raises(Dead):
        desk.provisioning().submit(desk.upsert(caller))
    desk.http.event_hooks["request"] = []
    deleted = desk.provisioning().submit(deletion(desk, caller))
    assert deleted.record.state is State.CANCELLED
    entries = desk.journal().read(deletion(desk, caller).agent_id, desk.now)
    (sent,) = [stored.cronofy_request for stored in entries if stored.entry.key == "requested#0001"]
    assert sent
    token = desk.tokens().access_token("alice")
    desk.cronofy_client().send(sent, token)
    assert not is_cancelled(desk)
    desk.now += DELIVERY_LEASE + timedelta(seconds=1)
    assert [result.record.state for result in desk.sweep()] == [State.CANCELLED]
    assert is_cancelled(desk)
    desk.now += timedelta(hours=1)
    assert desk.sweep() == []


@TIMES
def test_a_deletion_is_sent_again_after_the_lease_of_an_upsert_without_a_response(
    desk: Desk, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for Cronofy ended, and Cronofy acts on it after the deletion and its repetition."""
    caller = credentials(desk, "account")
    monkeypatch.setattr(client, "TIMEOUT", WAIT)
    gate = Gate()
    desk.cronofy.faults.add("POST", EVENTS, hold=gate.hold)
    with ThreadPoolExecutor(1) as pool:
        earlier = pool.submit(submit(desk, desk.upsert(caller)))
        gate.wait_for_request()
        desk.provisioning().submit(deletion(desk, caller))
        earlier.result()
    gate.open()
    assert wait_until(lambda: not is_cancelled(desk))
    desk.now += DELIVERY_LEASE + timedelta(seconds=1)
    desk.sweep()
    assert is_cancelled(desk)


@TIMES
def test_an_upsert_is_sent_again_after_a_deletion_that_took_effect_later(desk: Desk, run: int) -> None:
    """Off and on again: the agent is to come."""
    caller = credentials(desk, "own token")
    desk.provisioning().submit(desk.upsert(caller))
    gate = Gate()
    desk.cronofy.faults.add("DELETE", EVENTS, hold=gate.hold)
    together(desk, gate, submit(desk, deletion(desk, caller)), desk.upsert(caller, summary="On again"))
    assert not desk.cronofy.meeting(KEY).agents[-1].cancelled
    assert desk.steps(agent_id("us", CALENDAR, "event_1"))[-1].after.state is State.SCHEDULED


@TIMES
@CREDENTIALS
def test_a_refused_newer_change_leaves_the_older_one(desk: Desk, kind: str, run: int) -> None:
    """A request that Cronofy rejected does not count as the newest."""
    caller = credentials(desk, kind)
    desk.provisioning().submit(desk.upsert(caller))
    gate = Gate()
    desk.cronofy.faults.add("POST", EVENTS, hold=gate.hold)
    desk.cronofy.faults.add("POST", EVENTS, status=422)
    together(desk, gate, submit(desk, moved(desk, caller, 1)), moved(desk, caller, 2))
    assert_same_start(desk)
    assert desk.cronofy.meeting(KEY).request["start"] == "2026-04-30T13:00:00Z"
    assert desk.cronofy.count("POST", EVENTS) == 3


@TIMES
@pytest.mark.parametrize("is_scheduled_last", [False, True])
def test_the_newest_request_for_a_scheduled_agent_holds(desk: Desk, run: int, is_scheduled_last: bool) -> None:
    """With the application's API key: the older request takes effect later."""
    schedule = desk.schedule("key_1")
    text = '{"scheduling_key": "key_1"}'
    request = Request(
        action=Action.CANCEL,
        data_center="us",
        scheduling_key="key_1",
        meeting=schedule.request.meeting,
        digest="cancellation",
    )
    cancellation = ProvisioningRequest(
        schedule.agent_id, request, "DELETE", schedule.path, CallerCredentials(), lambda _: text
    )
    gate = Gate()
    if is_scheduled_last:
        desk.provisioning().submit(schedule)
        desk.cronofy.faults.add("DELETE", schedule.path, hold=gate.hold)
        together(desk, gate, submit(desk, cancellation), replace(schedule, body_for=lambda _: schedule.body_for(2)))
    else:
        desk.cronofy.faults.add("POST", schedule.path, hold=gate.hold)
        together(desk, gate, submit(desk, schedule), cancellation)
    agent = desk.cronofy.meeting(("us", "key_1")).agents[-1]
    assert agent.cancelled is not is_scheduled_last
    state = desk.steps(schedule.agent_id)[-1].after.state
    assert state is (State.SCHEDULED if is_scheduled_last else State.CANCELLED)


@pytest.mark.parametrize("is_first_lost", [False, True])
def test_a_repeated_deletion_that_finds_nothing_is_a_cancellation(desk: Desk, is_first_lost: bool) -> None:
    """The first try took effect, with a 503. A first try that finds nothing is refused."""
    caller = credentials(desk, "account")
    desk.provisioning().submit(desk.upsert(caller))
    if is_first_lost:
        desk.cronofy.faults.add("DELETE", EVENTS, status=503, has_effect=True)
    desk.cronofy.faults.add("DELETE", EVENTS, status=404)
    result = desk.provisioning().submit(deletion(desk, caller))
    assert result.response
    assert (result.record.state, result.response.status) == (
        (State.CANCELLED, 202) if is_first_lost else (State.SCHEDULED, 404)
    )
