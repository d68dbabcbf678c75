"""The lists of incidents: what is open, of any day, in pages; and all of some agents. On real tables."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from meeting_agents.aws import journal as journals
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.model import Action, EntryType, IncidentType, Severity
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.incident_list import Filter, IncidentList, IncidentStatus, ListedIncident
from meeting_agents.operations import acknowledge, acknowledge_group
from tests.component.test_groups import ACCOUNT, DATA_CENTER, HOUR, MINUTE, START, Room
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.unit.alerting.test_message import LINKS

ALL = Filter()
DAY = timedelta(days=1)
REFUSED = Reason.of(ReasonCode.REQUEST_REFUSED, status=422)


@pytest.fixture
def room(aws: EmbeddedAws) -> Iterator[Room]:
    with Desk(aws) as desk:
        room = Room(desk)
        room.register()
        yield room


def incidents(room: Room) -> IncidentList:
    return IncidentList(room.desk.journal(), room.desk.groups(), LINKS, lambda: room.desk.now)


def shown(room: Room, wanted: Filter = ALL, limit: int = 100) -> list[str]:
    """The names of what is open, each with its type."""
    page = incidents(room).open(wanted, limit)
    assert not page.last
    return [named(incident) for incident in page.incidents]


def named(incident: ListedIncident) -> str:
    name = incident.group.key if incident.is_of_group and incident.group else incident.title.strip('"')
    return f"{name}: {incident.type}"


def fail(room: Room, name: str, days: int = 0) -> None:
    room.request(name, START + days * DAY, "")
    room.answer(name, EntryType.ACCEPTED)
    room.hear(name, "meeting_agent_failed")


def refuse(room: Room, name: str, days: int = 0) -> None:
    room.request(name, START + days * DAY)
    room.answer(name, EntryType.REJECTED, REFUSED)


def test_what_is_open_is_listed_of_any_day_and_the_latest_meeting_comes_first(room: Room) -> None:
    """Yesterday's that still runs, today's, and one that was refused for the day after tomorrow."""
    refuse(room, "later", 2)
    fail(room, "now")
    fail(room, "before", -1)
    room.request("on its way")
    room.answer("on its way", EntryType.ACCEPTED)
    assert shown(room) == ["later: rejected", "now: failed", "before: failed"]


def test_an_incident_that_is_over_leaves_the_list(room: Room) -> None:
    fail(room, "weekly")
    room.hear("weekly", "meeting_agent_complete")
    assert shown(room) == []


def test_what_time_alone_opened_or_ended_is_decided_when_it_is_shown(room: Room) -> None:
    """A cancellation that only its caller can send again does not matter after the meeting, and no entry says so."""
    room.request("weekly")
    room.answer("weekly", EntryType.ACCEPTED)
    request = room.histories["weekly"].entries[0].request
    assert request
    room.answer("weekly", EntryType.REQUESTED, revision=2, request=replace(request, action=Action.CANCEL))
    room.answer("weekly", EntryType.UNCONFIRMED, REFUSED, revision=2)
    room.desk.now = START - 10 * MINUTE
    room.answer("weekly", EntryType.ALERT_DUE)
    assert shown(room) == ["weekly: unwanted"]
    room.desk.now = START + DAY
    assert shown(room) == []


def test_the_pages_together_have_each_agent_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where each page of a query is shorter than a page of the list."""
    monkeypatch.setattr(journals, "OPEN_PAGE_SIZE", 2)
    names = [f"weekly {number:02}" for number in range(11)]
    for number, name in enumerate(names):
        (fail if number % 3 else refuse)(room, name, number // 2)
    found: list[str] = []
    pages, position = 0, ""
    while pages == 0 or position:
        page = incidents(room).open(ALL, 3, position)
        assert len(page.incidents) <= 3
        found += [incident.title.strip('"') for incident in page.incidents]
        pages, position = pages + 1, page.last
    assert sorted(found) == names
    assert pages == 4
    meetings = [room.histories[name].meeting.start for name in found]
    assert meetings == sorted(meetings, key=str, reverse=True)


def test_the_list_is_filtered_by_type_severity_account_data_center_and_time(room: Room) -> None:
    refuse(room, "refused", 3)
    fail(room, "failed")
    assert shown(room, Filter(types=frozenset({IncidentType.FAILED}))) == ["failed: failed"]
    assert shown(room, Filter(severities=frozenset({Severity.WARNING}))) == ["refused: rejected"]
    assert shown(room, Filter(account="alice")) == ["refused: rejected"]
    assert shown(room, Filter(account="bob")) == shown(room, Filter(data_center="us")) == []
    assert len(shown(room, Filter(data_center="de"))) == 2
    assert shown(room, Filter(start=START + MINUTE)) == ["refused: rejected"]
    assert shown(room, Filter(end=START + 3 * DAY)) == ["failed: failed"]
    assert shown(room, Filter(start=START, end=START + MINUTE)) == ["failed: failed"]
    assert shown(room, Filter(start=START + MINUTE, end=START + DAY)) == []
    assert shown(room, Filter(start=START + DAY, end=START)) == []


def test_an_incident_has_its_last_alert_its_acknowledgement_and_the_next_steps(room: Room) -> None:
    fail(room, "weekly")
    [incident] = incidents(room).open(ALL, 10).incidents
    assert (incident.last_alert, incident.acknowledgement) == (None, None)
    assert incident.summary == "Meeting agent failed"
    assert incident.next_steps[0].startswith("Open the meeting and check what keeps the agent out.")
    room.publish()
    room.desk.now += MINUTE
    history = room.histories["weekly"]
    acknowledge(room.desk.journal(), history.agent, "I call them", "ann", room.desk.now)
    [incident] = incidents(room).open(ALL, 10).incidents
    assert incident.last_alert
    assert (incident.last_alert.count, incident.severity) == (1, Severity.CRITICAL)
    assert incident.acknowledgement == Acknowledgement(at=room.desk.now, by="ann", note="I call them")
    assert incident.dedup_key == f"{history.agent}/1/failed"
    assert (incident.meeting, incident.data_center, incident.event_id) == (history.meeting, "de", history.event)
    assert [step.entry.kind for step in incident.timeline][-2:] == [EntryType.ALERTED, EntryType.ACKNOWLEDGED]


def test_a_group_comes_first_with_the_agents_that_wait(room: Room) -> None:
    fail(room, "alone", 7)
    room.disconnect()
    room.wait_for_account("weekly")
    room.wait_for_account("monthly", START + HOUR)
    room.desk.now += 11 * MINUTE
    assert shown(room) == ["alone: failed", "monthly: account_disconnected", "weekly: account_disconnected"]
    room.publish()
    assert shown(room)[:2] == ["account_disconnected/alice: account_disconnected", "alone: failed"]
    group, _, *members = incidents(room).open(ALL, 10).incidents
    assert (group.account, group.dedup_key, group.severity) == ("alice", ACCOUNT.key, Severity.WARNING)
    assert [agent.meeting.summary for agent in group.agents] == ["weekly", "monthly"]
    assert group.summary.startswith("Account alice is disconnected: 2 meetings waiting")
    assert f"PUT {LINKS.api}/v1/accounts/alice" in group.next_steps[0]
    assert {member.group for member in members} == {ACCOUNT}
    assert shown(room, Filter(account="bob")) == shown(room, Filter(data_center="us")) == []
    acknowledge_group(room.desk.groups(), ACCOUNT, "she knows", "ann", room.desk.now)
    [group, *_] = incidents(room).open(ALL, 10).incidents
    assert group.acknowledgement == Acknowledgement(at=room.desk.now, by="ann", note="she knows")
    room.register()
    assert shown(room)[0] == "alone: failed"  # over, though no alert has said so yet
    room.sweep()
    room.disconnect()
    room.publish()
    [group, *_] = incidents(room).open(ALL, 10).incidents
    assert (group.type, group.acknowledgement) == (IncidentType.ACCOUNT_DISCONNECTED, None)
    assert room.desk.now - group.opened_at < timedelta(milliseconds=1)  # as precise as it is stored


def test_a_silent_data_center_has_the_agents_since_its_last_callback(room: Room) -> None:
    fail(room, "before")
    for number in range(3):
        room.miss(f"weekly {number}", START + HOUR)
    room.desk.now = START + 2 * HOUR
    room.publish()
    [group] = incidents(room).open(Filter(types=frozenset({IncidentType.CALLBACKS_MISSING})), 10).incidents
    assert (group.group, len(group.agents), group.severity) == (DATA_CENTER, 3, Severity.CRITICAL)


def test_all_incidents_of_an_agent_have_those_that_are_over(room: Room) -> None:
    fail(room, "weekly")
    failed_at = room.desk.now
    room.publish()
    room.desk.now += MINUTE
    room.hear("weekly", "meeting_agent_complete")
    agent = room.histories["weekly"].agent
    found = incidents(room).of_agents([agent, "ma_unknown"], ALL)
    assert [(each.type, each.status, each.opened_at) for each in found] == [
        (IncidentType.FAILED, IncidentStatus.OVER, failed_at),
        (IncidentType.CONFLICTING, IncidentStatus.OVER, room.desk.now),
    ]
    assert (found[0].over_at, found[0].next_steps) == (room.desk.now, ())
    assert incidents(room).of_agents([agent], Filter(types=frozenset({IncidentType.REJECTED}))) == ()


def test_labels_narrow_the_list_down_to_agents_and_to_groups_with_such_an_agent(room: Room) -> None:
    """Each name of a label is to have one of its values."""
    for name, team in (("a", "sales"), ("b", "support"), ("c", "sales"), ("d", "none")):
        fail(room, name)
        room.answer(name, EntryType.LABELLED, labels={"team": team, "region": "emea"})
    room.disconnect()
    for name, team in (("waits", "sales"), ("waits too", "other")):
        room.wait_for_account(name)
        room.answer(name, EntryType.LABELLED, labels={"team": team})
    room.desk.now += 11 * MINUTE
    room.publish()
    of_sales = Filter(labels={"team": ("sales",)}, types=frozenset({IncidentType.FAILED}))
    assert sorted(shown(room, of_sales)) == ["a: failed", "c: failed"]
    either = Filter(labels={"team": ("sales", "support"), "region": ("emea",)})
    assert sorted(shown(room, either)) == ["a: failed", "b: failed", "c: failed"]
    of_group = Filter(types=frozenset({IncidentType.ACCOUNT_DISCONNECTED}))
    assert ACCOUNT.key in " ".join(shown(room, replace(of_group, labels={"team": ("other",)})))
    assert shown(room, replace(of_group, labels={"team": ("support",)})) == []
