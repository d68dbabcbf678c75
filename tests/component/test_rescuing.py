"""A second agent is sent once, after its entry, and only as long as nothing speaks against it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents.aws.groups import LastCallbacks
from meeting_agents.aws.notifications import append_notification
from meeting_agents.aws.rescue_budget import RescueBudget
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.model import DeadlineType, EntryType, RescueMode, State
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import Obstacle
from meeting_agents.errors import NothingToRetry, RateLimited, RetryLeftToCaller
from meeting_agents.operations import retry
from meeting_agents.provisioning import ProvisioningRequest
from tests.desk import CALENDAR, NOON, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import Agent

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
START = NOON + 3 * HOUR
KEY = ("us", CALENDAR, "event_1")
ONCE = GracePeriods(rescue=RescueMode.ONCE)
CONFERENCE = {"conferencing": {"profile_id": "default"}}
AGENTS = "/v1/meeting_agents"


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        desk.grace_periods = ONCE
        yield desk


def requested(desk: Desk, event_id: str = "event_1", caller: CallerCredentials | None = None, **fields: Any) -> str:
    """An agent of an account, three hours before its meeting; Cronofy has made the conference."""
    desk.now = NOON
    request = upsert(desk, event_id, caller or desk.register(), **fields)
    desk.provisioning().submit(request)
    hear(desk, request.agent_id, "assign_conferencing", ("us", CALENDAR, event_id))
    return request.agent_id


def upsert(desk: Desk, event_id: str, caller: CallerCredentials, **fields: Any) -> ProvisioningRequest:
    times = {"start": f"{START:%Y-%m-%dT%H:%M:%SZ}", "end": f"{START + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    return desk.upsert(caller, event_id=event_id, **times, **CONFERENCE, **fields)


def hear(desk: Desk, agent: str, step: str, key: Any, attempt: int | None = None) -> Record:
    """Let Cronofy report a step, which is stored, and its record with it."""
    raw = desk.cronofy.report(step, key, deliver=False).body
    table = desk.journal()._table
    append_notification(table, agent, raw, at=desk.now, attempt=attempt, signed_with="us:current")
    return desk.track(agent)


def failed(desk: Desk, event_id: str = "event_1", **fields: Any) -> str:
    """An agent that failed in its meeting, five minutes after the start."""
    agent = requested(desk, event_id, **fields)
    desk.now = START + 5 * MINUTE
    hear(desk, agent, "fail", ("us", CALENDAR, event_id))
    return agent


def seconds_sent(desk: Desk) -> list[Agent]:
    """The agents that Cronofy has sent without a calendar event."""
    return [meeting.agents[0] for meeting in desk.cronofy.meetings if not meeting.is_calendar_event]


def requests(desk: Desk) -> list[Any]:
    """The bodies of the requests for agents without a calendar event."""
    return [one.json for one in desk.cronofy.requests if (one.method, one.parts) == ("POST", ("v1", "meeting_agents"))]


def withheld(desk: Desk, agent: str) -> list[str]:
    """The obstacles that the journal names."""
    reasons = [step.entry.reason for step in desk.steps(agent) if step.entry.reason]
    return [reason["obstacle"] for reason in reasons if reason["obstacle"]]


def test_an_agent_that_failed_is_replaced_by_one_that_is_sent_now(desk: Desk) -> None:
    agent = failed(desk, meeting_agent={"profile_id": "cronofy", "display_name": "Notes"})
    result = desk.rescuer().rescue(agent)
    assert result
    assert [attempt.origin for attempt in result.record.attempts] == ["request", "rescue"]
    assert (result.record.state, result.record.current.subs) == (State.SCHEDULED, (seconds_sent(desk)[0].sub,))
    (body,) = requests(desk)
    assert body["join_url"].startswith("https://")
    assert body["on_behalf_of_attendee"] == {"email": "marty@example.com"}
    assert body["display_name"] == "Notes"
    (subscription,) = body["subscriptions"]
    assert subscription["uri"].endswith(f"/webhooks/cronofy/{agent}?attempt=2")
    assert desk.rescuer().rescue(agent) is None
    assert len(seconds_sent(desk)) == 1


def test_the_entry_is_there_before_the_call_and_holds_no_more_than_any_request(desk: Desk) -> None:
    agent = failed(desk)
    desk.rescuer().rescue(agent)
    entry = next(s.entry for s in desk.steps(agent) if s.entry.kind is EntryType.REQUESTED and s.entry.attempt == 2)
    assert (entry.retry_at, entry.revision) == (None, 2)
    link = requests(desk)[0]["join_url"]
    assert link not in repr(desk.steps(agent))
    record = desk.track(agent)
    assert link not in repr(record)


def test_the_second_agent_resolves_what_the_first_left_open_when_it_is_complete(desk: Desk) -> None:
    agent = failed(desk)
    desk.rescuer().rescue(agent)
    sub = seconds_sent(desk)[0].sub
    active = hear(desk, agent, "activate", sub, attempt=2)
    assert [incident.key for incident in open_incidents(active, ONCE, desk.now)] == ["1/failed"]
    done = hear(desk, agent, "complete", sub, attempt=2)
    assert (done.state, open_incidents(done, ONCE, desk.now)) == (State.COMPLETE, ())


def test_nothing_is_sent_by_a_deployment_that_reports_or_does_nothing(desk: Desk) -> None:
    for mode in (RescueMode.OFF, RescueMode.REPORT):
        desk.grace_periods = GracePeriods(rescue=mode)
        agent = failed(desk, f"event_{mode}", caller=CallerCredentials(account="alice") if desk.grants else None)
        assert desk.rescuer().rescue(agent) is None
    assert seconds_sent(desk) == []


def silent(desk: Desk, *, minute: int = 21) -> str:
    """An agent that was never heard of; its deadline passed."""
    agent = requested(desk)
    desk.now = START + 10 * MINUTE
    record = desk.track(agent)
    for finding in find_missed(record, GracePeriods(), desk.now):
        if finding.deadline.phase is DeadlineType.ACTIVATION:
            desk.journal().append(agent, finding.entry)
    desk.now = START + minute * MINUTE
    desk.track(agent)
    return agent


def heard(desk: Desk) -> None:
    LastCallbacks(desk.journal()._table).hear("us", START + 2 * MINUTE)


def test_a_silent_agent_is_replaced_only_if_the_deployment_wants_it_and_callbacks_come(desk: Desk) -> None:
    agent = silent(desk)
    assert desk.rescuer().rescue(agent) is None
    assert withheld(desk, agent) == []
    desk.grace_periods = replace(ONCE, rescues_silent=True)
    heard(desk)
    assert desk.rescuer().rescue(agent)
    assert len(seconds_sent(desk)) == 1


def test_no_silent_agent_is_replaced_while_no_callback_comes_at_all(desk: Desk) -> None:
    desk.grace_periods = replace(ONCE, rescues_silent=True)
    agent = silent(desk)
    assert desk.rescuer().rescue(agent) is None
    assert withheld(desk, agent) == [Obstacle.NOTHING_HEARD]
    assert seconds_sent(desk) == []


def test_an_agent_of_the_api_key_is_replaced_in_the_name_of_the_same_attendee(desk: Desk) -> None:
    request = desk.schedule()
    desk.now = START - HOUR
    desk.provisioning().submit(request)
    times = {"start": f"{START:%Y-%m-%dT%H:%M:%SZ}", "end": f"{START + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    event = {**times, "conferencing": {"join_url": "https://zoom.us/j/7"}}
    raw = json.dumps({"notification": {"interactions": [{"type": "meeting_agent_failed"}]}, "event": event}).encode()
    desk.now, table = START + 5 * MINUTE, desk.journal()._table
    append_notification(table, request.agent_id, raw, at=desk.now, attempt=None, signed_with="us:current")
    desk.track(request.agent_id)
    assert desk.rescuer().rescue(request.agent_id)
    second = requests(desk)[-1]
    assert second["join_url"] == "https://zoom.us/j/7"
    assert second["on_behalf_of_attendee"] == {"email": "marty@example.com"}
    assert "scheduling_key" not in second


# -------------------------------------------------------------------------------------------------- sent once, or never


def test_two_sweeps_at_the_same_time_send_one(desk: Desk) -> None:
    agent = failed(desk)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: desk.rescuer().rescue(agent), range(4)))
    assert sum(result is not None for result in results) == 1
    assert len(seconds_sent(desk)) == 1


def test_a_lost_answer_is_no_reason_to_send_another(desk: Desk) -> None:
    agent = failed(desk)
    desk.cronofy.faults.add("POST", AGENTS, close="unanswered")
    desk.rescuer().rescue(agent)
    for minutes in (2, 20):
        desk.now += minutes * MINUTE
        desk.track(agent)
        assert desk.rescuer().rescue(agent) is None
        desk.sweep()
    assert len(requests(desk)) == 1


def test_a_process_that_dies_between_the_entry_and_the_call_leaves_an_agent_that_is_missed(desk: Desk) -> None:
    agent = failed(desk)
    provisioning = desk.provisioning()
    provisioning._send = _died  # type: ignore[method-assign, assignment]
    rescuer = desk.rescuer()
    rescuer._provisioning = provisioning
    with pytest.raises(KeyboardInterrupt):
        rescuer.rescue(agent)
    desk.now += 2 * MINUTE
    assert desk.track(agent).state is State.REQUESTED
    assert desk.rescuer().rescue(agent) is None
    desk.sweep()
    assert requests(desk) == []
    incidents = open_incidents(desk.track(agent), ONCE, desk.now)
    assert [incident.key for incident in incidents] == ["2/not_arranged"]


def _died(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_request_that_cronofy_certainly_did_not_take_is_sent_again(desk: Desk) -> None:
    agent = failed(desk)
    desk.cronofy.faults.add("POST", AGENTS, status=429)
    desk.rescuer().rescue(agent)
    record = desk.track(agent)
    assert record.current.pending
    assert record.current.pending.retry_at
    assert seconds_sent(desk) == []
    desk.now += MINUTE
    desk.sweep()
    assert len(seconds_sent(desk)) == 1


def test_a_retry_is_given_up_if_the_first_agent_came_meanwhile(desk: Desk) -> None:
    desk.grace_periods = replace(ONCE, rescues_silent=True)
    agent = silent(desk)
    heard(desk)
    desk.cronofy.faults.add("POST", AGENTS, status=429)
    desk.rescuer().rescue(agent)
    hear(desk, agent, "activate", KEY)
    desk.now += MINUTE
    desk.sweep()
    assert seconds_sent(desk) == []
    assert withheld(desk, agent) == [Obstacle.FIRST_HEARD_OF]


def test_a_cancellation_that_comes_between_the_entry_and_the_call_is_honoured(desk: Desk) -> None:
    agent = failed(desk)
    cancellation = upsert(desk, "event_1", CallerCredentials(account="alice"), meeting_agent={"profile_id": "none"})
    provisioning = desk.provisioning()
    append = provisioning._append_request

    def append_and_cancel(delivery: Any) -> bool:
        is_new = append(delivery)
        desk.provisioning().submit(cancellation)
        return is_new

    provisioning._append_request = append_and_cancel  # type: ignore[method-assign]
    rescuer = desk.rescuer()
    rescuer._provisioning = provisioning
    assert rescuer.rescue(agent) is None
    assert seconds_sent(desk) == []
    assert desk.track(agent).state is State.CANCELLED


def test_a_request_that_comes_first_keeps_the_second_agent_away(desk: Desk) -> None:
    agent = failed(desk)
    rescuer = desk.rescuer()
    spend = rescuer._budget.spend

    def request_meanwhile(name: str, now: Any) -> bool:
        desk.provisioning().submit(upsert(desk, "event_1", CallerCredentials(account="alice")))
        return spend(name, now)

    rescuer._budget.spend = request_meanwhile  # type: ignore[method-assign]
    assert rescuer.rescue(agent) is None
    assert seconds_sent(desk) == []
    assert [attempt.origin for attempt in desk.track(agent).attempts] == ["request", "request"]


def test_a_cancellation_afterwards_cannot_end_the_second_agent_and_says_so(desk: Desk) -> None:
    agent = failed(desk)
    desk.rescuer().rescue(agent)
    alice = CallerCredentials(account="alice")
    desk.provisioning().submit(upsert(desk, "event_1", alice, meeting_agent={"profile_id": "none"}))
    record = desk.track(agent)
    assert record.state is State.CANCELLED
    (incident,) = open_incidents(record, ONCE, desk.now)
    assert (incident.key, incident.reason and incident.reason.code) == ("2/unwanted", "rescue_stays")


def test_the_same_request_again_is_answered_and_brings_no_third_agent(desk: Desk) -> None:
    agent = failed(desk)
    desk.rescuer().rescue(agent)
    upserts = desk.cronofy.count("POST", "/v1/calendars")
    result = desk.provisioning().submit(upsert(desk, "event_1", CallerCredentials(account="alice")))
    assert result.response
    assert (result.response.status, result.record.current.origin) == (202, "rescue")
    assert desk.cronofy.count("POST", "/v1/calendars") == upserts


def test_a_person_may_have_the_request_sent_again_after_the_second_one_failed(desk: Desk) -> None:
    agent = failed(desk)
    desk.rescuer().rescue(agent)
    with pytest.raises(NothingToRetry):
        retry(desk.journal(), desk.provisioning(), agent, desk.now)
    hear(desk, agent, "fail", seconds_sent(desk)[0].sub, attempt=2)
    result = retry(desk.journal(), desk.provisioning(), agent, desk.now)
    assert [attempt.origin for attempt in result.record.attempts] == ["request", "rescue", "request"]


# --------------------------------------------------------------------------------------------------------------- budget


def test_the_budget_is_for_each_account_and_hour_and_spent_together(desk: Desk) -> None:
    budgets = [RescueBudget(desk.journal()._table, 3) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(lambda number: budgets[number % 2].spend("us/alice", desk.now), range(10)))
    assert sum(spent) == 3
    assert budgets[0].spend("us/bob", desk.now)
    assert budgets[0].spend("us/alice", desk.now + HOUR)


def test_an_account_whose_budget_is_spent_gets_no_more_and_the_journal_says_so(desk: Desk) -> None:
    first = failed(desk)
    second = failed(desk, "event_2", caller=CallerCredentials(account="alice"))
    assert desk.rescuer(per_hour=1).rescue(first)
    assert desk.rescuer(per_hour=1).rescue(second) is None
    assert withheld(desk, second) == [Obstacle.BUDGET_SPENT]
    assert len(seconds_sent(desk)) == 1


# -------------------------------------------------------------------------------------------------- what keeps it away


def test_without_an_address_of_the_account_none_is_sent(desk: Desk) -> None:
    agent = failed(desk)
    desk.cronofy.behaviour.account_email = ""
    assert desk.rescuer().rescue(agent) is None
    assert withheld(desk, agent) == [Obstacle.NO_ATTENDEE]


def test_an_account_that_must_authorise_again_gets_none(desk: Desk) -> None:
    agent = failed(desk)
    desk.accounts().require_authorisation(desk.accounts().read("alice"))
    assert desk.rescuer().rescue(agent) is None
    assert withheld(desk, agent) == [Obstacle.ACCOUNT_DISCONNECTED]


def test_a_sweep_that_comes_too_late_sends_none(desk: Desk) -> None:
    agent = failed(desk)
    desk.now = START + 51 * MINUTE
    assert desk.rescuer().rescue(agent) is None
    assert withheld(desk, agent) == [Obstacle.TOO_LATE]


def test_cronofys_limits_let_it_wait(desk: Desk) -> None:
    agent = failed(desk)
    desk.limits = replace(desk.limits, per_second=1, per_minute=1)
    desk.provisioning()._cronofy.permit("us")
    with pytest.raises(RateLimited):
        desk.rescuer().rescue(agent)
    assert desk.kinds(agent).count(EntryType.REQUESTED) == 1


def test_the_request_of_an_agent_that_is_sent_now_is_still_left_to_its_caller(desk: Desk) -> None:
    request = desk.send_now("key")
    desk.provisioning().submit(request)
    hear(desk, request.agent_id, "fail", desk.cronofy.agents[0].sub)
    with pytest.raises(RetryLeftToCaller):
        retry(desk.journal(), desk.provisioning(), request.agent_id, desk.now)
