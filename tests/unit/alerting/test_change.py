"""A change of an incident: its shape, for every type of incident, and nothing in it that is private."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.change import SHOWN_WAITING, Change, change_of_agent, change_of_group
from meeting_agents.alerting.group_alert import GroupAlert
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.groups import TYPES, ChannelFailure, Group, GroupState, Waiting
from meeting_agents.domain.model import AlertStatus, ChangeType, IncidentType, Severity
from tests.unit.alerting.test_message import CASES, LINKS, MEETING, START

MEMBERS = {
    *("id", "event_action", "dedup_key", "severity", "summary", "component", "source", "timestamp", "links", "details")
}
NOTE = Acknowledgement(at=START, by="ada\nBcc: x", note="I call <them>, see https://evil.example.com/x")


def of(alert: AgentAlert, action: ChangeType = ChangeType.TRIGGER) -> Change:
    return change_of_agent(action, alert, LINKS, NOTE if action is ChangeType.ACKNOWLEDGE else None)


@pytest.mark.parametrize("action", ChangeType)
@pytest.mark.parametrize("alerts", CASES.values(), ids=CASES)
def test_every_incident_has_the_documented_shape(alerts: Sequence[AgentAlert], action: ChangeType) -> None:
    for alert in alerts:
        content: dict[str, Any] = json.loads(json.dumps(of(alert, action).to_json()))
        assert content.keys() == MEMBERS
        assert content["event_action"] == action
        assert content["dedup_key"] == alert.dedup_key
        assert content["component"] == content["details"]["agent_id"] == alert.agent_id
        assert content["details"]["type"] == alert.type
        assert datetime.fromisoformat(content["timestamp"]).tzinfo
        assert all(link["text"] and link["href"].startswith("https://") for link in content["links"])
        assert "\n" not in content["summary"]
        text = json.dumps(content["details"])
        assert "zoom.us" not in text
        assert "relink" not in text


def test_the_steps_come_with_the_first_word_alone() -> None:
    """An incident that is in hand or over needs none."""
    [alert] = CASES["never_activated"]
    steps = {action: of(alert, action).next_steps for action in ChangeType}
    assert steps[ChangeType.TRIGGER]
    assert (steps[ChangeType.ACKNOWLEDGE], steps[ChangeType.RESOLVE]) == ((), ())


def test_a_headline_says_first_what_a_person_must_know() -> None:
    [alert] = CASES["never_activated"]
    reminded = replace(alert, owed=replace(alert.owed, reminder=1))
    headlines = [of(alert), of(reminded), of(reminded, ChangeType.ACKNOWLEDGE), of(alert, ChangeType.RESOLVE)]
    assert [change.headline.removesuffix(change.summary) for change in headlines] == [
        "",
        "Reminder 1: ",
        "Acknowledged: ",
        "Over: ",
    ]


def test_a_note_is_one_line_without_addresses() -> None:
    [alert] = CASES["never_activated"]
    assert of(alert, ChangeType.ACKNOWLEDGE).note == "I call <them>, see (link) (ada Bcc: x)"
    assert of(alert).note == ""


def test_an_id_differs_for_each_change_and_is_the_same_each_time() -> None:
    [alert] = CASES["never_activated"]
    again = replace(alert, owed=replace(alert.owed, number=2), at=alert.at + timedelta(hours=1))
    ids = [of(alert, action).id for action in ChangeType] + [of(again).id]
    assert len(set(ids)) == 4
    assert of(replace(alert, at=alert.at + timedelta(hours=1))).id == ids[0]


@pytest.mark.parametrize("action", ChangeType)
@pytest.mark.parametrize("type_", sorted(TYPES))
def test_a_group_has_the_same_shape(type_: IncidentType, action: ChangeType) -> None:
    failure = ChannelFailure(since=START, problem="it answered 503: <!channel>")
    state = GroupState(
        failure=failure if type_ is IncidentType.CHANNEL_FAILING else None, heard_at=START, opened_at=START
    )
    agents = tuple(
        Waiting(agent_id=f"ma_{number}", type=IncidentType.NEVER_ACTIVATED, meeting=MEETING) for number in range(30)
    )
    alert = GroupAlert(
        group=Group(type_, "name"),
        status=AlertStatus.FIRING,
        severity=Severity.CRITICAL,
        state=state,
        agents=agents,
        at=START,
        links=LINKS,
    )
    content = change_of_group(action, alert, 1, NOTE).to_json()

    assert content.keys() == MEMBERS
    assert (content["dedup_key"], content["component"]) == (f"{type_}/name", "name")
    assert content["details"]["agents"] == [agent.agent_id for agent in agents[:SHOWN_WAITING]]
    assert ("note" in content["details"]) is (action is ChangeType.ACKNOWLEDGE)
