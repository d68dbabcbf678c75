"""The things that people do about an agent, against the stand-in Cronofy: above all, have Cronofy asked again."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents.aws.notifications import append_notification
from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.delivery import DELIVERY_LEASE
from meeting_agents.domain.model import EntryType, State
from meeting_agents.errors import (
    InProgress,
    MeetingAgentsError,
    NotFound,
    NothingToRetry,
    RateLimited,
    RetryLeftToCaller,
)
from meeting_agents.operations import acknowledge, acknowledge_group, retry
from meeting_agents.provisioning import ProvisioningRequest, ProvisioningResult
from tests.component.test_groups import ACCOUNT
from tests.component.test_newest_request import EVENTS, KEY, deletion
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


def ask_again(desk: Desk, agent: str) -> ProvisioningResult:
    desk.track(agent)
    return retry(desk.journal(), desk.provisioning(), agent, desk.now)


def own_token(desk: Desk) -> CallerCredentials:
    return CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)


def submit(desk: Desk, request: ProvisioningRequest, status: int) -> str:
    """Submit a request that Cronofy answers so. Return the agent's id."""
    if status >= 300:
        desk.cronofy.faults.add(request.method, request.path, status=status, times=2)
    desk.provisioning().submit(request)
    desk.cronofy.faults.clear()
    desk.now += timedelta(seconds=1)
    return request.agent_id


def report(desk: Desk, agent: str, step: str) -> None:
    """Let Cronofy report something, as `webhook` keeps it."""
    raw = desk.cronofy.report(step, KEY, deliver=False).body
    append_notification(desk._table(), agent, raw, at=desk.now, attempt=1, signed_with="x")


def sent(desk: Desk) -> list[tuple[str, int | None]]:
    return [(r.method, r.status) for r in desk.cronofy.requests if r.path in (EVENTS, "/v1/meeting_agents")]


def addresses(desk: Desk) -> list[str]:
    """The addresses of our subscriptions in the newest request."""
    return [subscription["uri"] for subscription in json.loads(desk.cronofy.requests[-1].body)["subscriptions"]]


# ---------------------------------------------------------------------------------------------------------------- retry


@pytest.mark.parametrize("status", [422, 403])
def test_a_refused_request_is_sent_again_as_a_new_attempt(desk: Desk, status: int) -> None:
    """Its callbacks name the attempt."""
    agent = submit(desk, desk.upsert(desk.register()), status)
    assert desk.steps(agent)[-1].after.state is State.REJECTED
    result = ask_again(desk, agent)
    assert result.response
    assert (result.response.status, result.record.state, result.record.current.number) == (202, State.SCHEDULED, 2)
    assert addresses(desk) == [f"https://us.example.com/webhooks/cronofy/{agent}?attempt=2"]
    assert desk.cronofy.meeting(KEY).agents


def test_a_request_that_waits_is_sent_before_its_time_and_not_twice(desk: Desk) -> None:
    """The sweep finds nothing more to send."""
    agent = submit(desk, desk.upsert(desk.register()), 503)
    result = ask_again(desk, agent)
    assert (result.record.state, result.record.current.number, result.record.revision) == (State.SCHEDULED, 1, 1)
    count = len(sent(desk))
    desk.now += DAY / 2
    assert desk.sweep() == []
    assert len(sent(desk)) == count


def test_a_request_that_is_being_sent_is_left_alone(desk: Desk) -> None:
    """A sweep, or another person, has just claimed it."""
    agent = submit(desk, desk.upsert(desk.register()), 503)
    desk.track(agent)
    desk.now += 20 * MINUTE
    assert desk.journal().claim(agent, desk.now, desk.now + DELIVERY_LEASE)
    count = len(sent(desk))
    for _ in range(2):
        desk.now += timedelta(seconds=20)
        with pytest.raises(InProgress):
            retry(desk.journal(), desk.provisioning(), agent, desk.now)
    assert len(sent(desk)) == count
    desk.now += DELIVERY_LEASE
    assert retry(desk.journal(), desk.provisioning(), agent, desk.now).record.state is State.SCHEDULED


def test_a_second_retry_at_the_same_time_sends_nothing(desk: Desk) -> None:
    agent = submit(desk, desk.upsert(desk.register()), 503)
    desk.track(agent)
    desk.cronofy.faults.add("POST", EVENTS, status=503, times=2)
    assert retry(desk.journal(), desk.provisioning(), agent, desk.now).response
    with pytest.raises(InProgress):
        retry(desk.journal(), desk.provisioning(), agent, desk.now)


def test_a_failed_agent_is_requested_again(desk: Desk) -> None:
    """As the next steps of its alert say."""
    agent = submit(desk, desk.upsert(desk.register()), 202)
    desk.now += DAY
    report(desk, agent, "fail")
    result = ask_again(desk, agent)
    assert (result.record.state, result.record.current.number) == (State.SCHEDULED, 2)


def test_a_refused_cancellation_is_sent_again(desk: Desk) -> None:
    """The newest wish counts, not the request for the agent."""
    caller = desk.register()
    agent = submit(desk, desk.upsert(caller), 202)
    submit(desk, deletion(desk, caller), 403)
    result = ask_again(desk, agent)
    assert (result.record.state, sent(desk)[-1]) == (State.CANCELLED, ("DELETE", 202))


def test_an_agent_without_a_calendar_event_is_requested_again_with_the_api_key(desk: Desk) -> None:
    agent = submit(desk, desk.schedule(), 422)
    assert ask_again(desk, agent).record.state is State.SCHEDULED


def test_a_retry_that_cronofy_refuses_says_so(desk: Desk) -> None:
    agent = submit(desk, desk.upsert(desk.register()), 422)
    desk.cronofy.faults.add("POST", EVENTS, status=403)
    result = ask_again(desk, agent)
    assert result.response
    assert (result.response.status, result.record.state) == (403, State.REJECTED)


def test_a_retry_waits_for_cronofys_limits(desk: Desk) -> None:
    """It stays planned."""
    agent = submit(desk, desk.upsert(desk.register()), 503)
    desk.track(agent)
    desk.limits = Limits(per_second=1, per_minute=1)
    with pytest.raises(RateLimited):
        retry(desk.journal(), desk.provisioning(), agent, desk.now)
    pending = desk.steps(agent)[-1].after.current.pending
    assert pending
    assert pending.retry_at


def refused_own_token(desk: Desk) -> str:
    return submit(desk, desk.upsert(own_token(desk)), 422)


def timed_out_own_token(desk: Desk) -> str:
    return submit(desk, desk.upsert(own_token(desk)), 503)


def failed_now(desk: Desk) -> str:
    return submit(desk, desk.send_now("key_1"), 422)


def moved_since(desk: Desk) -> str:
    """A person moved the meeting in the calendar, and a callback said so before the agent failed."""
    agent = submit(desk, desk.upsert(desk.register()), 202)
    start = desk.now + DAY + 60 * MINUTE
    desk.cronofy.drag(KEY, start=f"{start:%Y-%m-%dT%H:%M:%SZ}", end=f"{start + 60 * MINUTE:%Y-%m-%dT%H:%M:%SZ}")
    desk.now = start
    report(desk, agent, "fail")
    return agent


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (refused_own_token, "own token"),
        (timed_out_own_token, "own token"),
        (failed_now, "sent once"),
        (moved_since, "moved in the calendar"),
    ],
)
def test_what_only_its_caller_can_send_again_is_left_to_the_caller(desk: Desk, case: Any, words: str) -> None:
    """Nothing is sent, and the error says why."""
    assert_refused(desk, case(desk), RetryLeftToCaller, words)


def accepted(desk: Desk) -> str:
    return submit(desk, desk.upsert(desk.register()), 202)


def cancelled(desk: Desk) -> str:
    caller = desk.register()
    submit(desk, desk.upsert(caller), 202)
    return submit(desk, deletion(desk, caller), 202)


def over(desk: Desk) -> str:
    agent = submit(desk, desk.upsert(desk.register()), 422)
    desk.now += 2 * DAY
    return agent


def never_requested(desk: Desk) -> str:
    agent = submit(desk, desk.upsert(desk.register()), 202)
    report(desk, "ma_never", "fail")
    assert agent
    return "ma_never"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (accepted, "the agent is scheduled"),
        (cancelled, "the agent is cancelled"),
        (over, "the meeting is over"),
        (never_requested, "not requested through this API"),
    ],
)
def test_where_nothing_is_to_be_sent_the_error_says_why(desk: Desk, case: Any, words: str) -> None:
    assert_refused(desk, case(desk), NothingToRetry, words)


def assert_refused(desk: Desk, agent: str, error: type[MeetingAgentsError], words: str) -> None:
    before, kinds = sent(desk), desk.kinds(agent)
    with pytest.raises(error) as raised:
        ask_again(desk, agent)
    assert words in raised.value.detail
    assert (sent(desk), desk.kinds(agent)) == (before, kinds)


# ---------------------------------------------------------------------------------------------------------- acknowledge


def test_an_acknowledgement_is_in_the_journal_once_for_each_note(desk: Desk) -> None:
    agent = submit(desk, desk.upsert(desk.register()), 422)
    for note in ("on it", "on it", "still on it"):
        desk.now += MINUTE
        acknowledge(desk.journal(), agent, note, "ann", desk.now)
    entries = [step.entry for step in desk.steps(agent) if step.entry.kind is EntryType.ACKNOWLEDGED]
    assert [entry.reason and entry.reason["note"] for entry in entries] == ["on it", "still on it"]
    assert [entry.reason and entry.reason["caller"] for entry in entries] == ["ann", "ann"]


def test_what_is_not_known_cannot_be_acknowledged_or_retried(desk: Desk) -> None:
    with pytest.raises(NotFound):
        acknowledge(desk.journal(), "ma_unknown", "on it", "", desk.now)
    with pytest.raises(NotFound):
        acknowledge_group(desk.groups(), ACCOUNT, "on it", "", desk.now)
    with pytest.raises(NotFound):
        retry(desk.journal(), desk.provisioning(), "ma_unknown", desk.now)
