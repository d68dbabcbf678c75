"""The texts of each alert about a group are a file in `tests/golden/group_alerts/`, which a person approved."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents.alerting.group_alert import MAX_LABELS, NAMED, GroupAlert
from meeting_agents.alerting.message import LISTED, MAX_MESSAGE_BYTES, SMS_LENGTH, SUBJECT_LENGTH
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.drills import DRILL
from meeting_agents.domain.groups import Group, GroupState, Waiting
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import AlertStatus, IncidentType, Severity
from meeting_agents.domain.profiles import Profile
from meeting_agents.domain.record import LastAlert
from tests.golden_files import GOLDEN, compared
from tests.unit.alerting.test_message import GSM, JOIN_LINKS, LINKS, MEETING, MINUTE, START

ACCOUNT = Group(IncidentType.ACCOUNT_DISCONNECTED, "acc_567236000909002")
DATA_CENTER = Group(IncidentType.CALLBACKS_MISSING, "de")
HEARD_AT = START - 12 * MINUTE
SENT_AT = START + 11 * MINUTE
DRILL_AT = START.replace(hour=8, minute=0)


def waiting(number: int, type_: IncidentType, summary: str = "Interview") -> Waiting:
    start = START + timedelta(minutes=15 * (number % 4), days=number // 4)
    if type_ is not IncidentType.ACCOUNT_DISCONNECTED:
        start = START
    return Waiting(
        agent_id=agent_id("de", "cal_n23kjnwrw2_jsdfjksn234", f"interview-{number}"),
        type=type_,
        meeting=replace(MEETING, start=start, end=start + 30 * MINUTE, summary=f"{summary} {number + 1}"),
        event_id=f"interview-{number}",
    )


def last(severity: Severity, reminders: int = 0) -> LastAlert:
    return LastAlert(
        status=AlertStatus.FIRING, severity=severity, at=START - 60 * MINUTE, count=1 + reminders, reminders=reminders
    )


def account(count: int, **fields: Any) -> GroupAlert:
    agents = tuple(waiting(number, IncidentType.ACCOUNT_DISCONNECTED) for number in range(count))
    values: dict[str, Any] = {"status": AlertStatus.FIRING, "severity": Severity.WARNING} | fields
    state = values.pop("state", GroupState(is_disconnected=True))
    return GroupAlert(group=ACCOUNT, state=state, agents=agents, at=START - timedelta(days=1), links=LINKS, **values)


def data_center(count: int, **fields: Any) -> GroupAlert:
    types = [IncidentType.NEVER_ACTIVATED, IncidentType.NEVER_ACTIVATED, IncidentType.NOT_FINISHED]
    agents = tuple(waiting(number, types[number % 3]) for number in range(count))
    values: dict[str, Any] = {"status": AlertStatus.FIRING, "severity": Severity.CRITICAL} | fields
    state = values.pop("state", GroupState(heard_at=HEARD_AT))
    return GroupAlert(group=DATA_CENTER, state=state, agents=agents, at=SENT_AT, links=LINKS, **values)


def drill(**fields: Any) -> GroupAlert:
    values: dict[str, Any] = {"status": AlertStatus.FIRING, "severity": Severity.CRITICAL} | fields
    state = values.pop("state", GroupState(drill_at=DRILL_AT))
    return GroupAlert(group=DRILL, state=state, agents=(), at=DRILL_AT, links=LINKS, **values)


RESOLVED: Mapping[str, Any] = {"status": AlertStatus.RESOLVED}


def cases() -> Iterator[tuple[str, GroupAlert]]:
    yield "account", account(50)
    critical = GroupState(is_disconnected=True, last=last(Severity.WARNING))
    yield "account_near_the_meeting", account(1, severity=Severity.CRITICAL, state=critical)
    reminded = GroupState(is_disconnected=True, last=last(Severity.CRITICAL))
    yield "account_reminder", account(2, severity=Severity.CRITICAL, state=reminded, reminder=1)
    active = GroupState(last=last(Severity.WARNING))
    yield "account_resolved", account(0, state=active, **RESOLVED)
    yield "account_resolved_and_waiting", account(2, state=active, **RESOLVED)
    yield "account_deleted", account(0, state=replace(active, is_registered=False), **RESOLVED)
    zoom, go_to = (
        Profile(id=f"pro_{name}", is_connected=False, relink_url=f"https://app.cronofy.com/v2/relink/{name}")
        for name in ("zoom", "go_to")
    )
    without = replace(zoom, relink_url="")
    yield "account_profile", account(2, state=GroupState(is_disconnected=True, disconnected=(zoom,)))
    yield "account_profiles", account(1, state=GroupState(is_disconnected=True, disconnected=(zoom, go_to)))
    yield "account_profile_unknown", account(0, state=GroupState(is_disconnected=True, disconnected=(without,)))
    yield "data_center", data_center(40)
    yield "data_center_never_heard", data_center(3, state=GroupState())
    heard = GroupState(heard_at=START + 20 * MINUTE, heard_before=HEARD_AT, last=last(Severity.CRITICAL))
    yield "data_center_resolved", data_center(0, state=heard, **RESOLVED)
    yield "data_center_resolved_and_silent", data_center(2, state=heard, **RESOLVED)
    yield "drill", drill()
    alerted = replace(last(Severity.CRITICAL), at=DRILL_AT)
    open_ = GroupState(drill_at=DRILL_AT, last=alerted, opened_at=DRILL_AT)
    yield "drill_reminder", drill(state=open_, reminder=1)
    acknowledgement = Acknowledgement(at=DRILL_AT + 12 * MINUTE, by="marty", note="I hear it")
    yield "drill_acknowledged", drill(state=replace(open_, acknowledgement=acknowledgement), **RESOLVED)
    yield "drill_unheard", drill(state=open_, **RESOLVED)


CASES = dict(cases())


def shown(alert: GroupAlert) -> str:
    """All texts of an alert in one file."""
    texts = json.loads(alert.message)
    chat = json.loads(texts["https"])
    assert chat["metadata"]["additionalContext"].pop("alert") == texts["default"]
    attributes = "\n".join(
        f"{name}: {value if isinstance(value, str) else ', '.join(value)}" for name, value in alert.attributes.items()
    )
    parts = {
        "attributes": attributes,
        "subject": alert.subject,
        "sms": texts["sms"],
        "email": texts["email"].rstrip("\n"),
        "default (queues, functions, HTTP)": json.dumps(json.loads(texts["default"]), indent=2, ensure_ascii=False),
        "https (the default's text stands in additionalContext.alert, too)": json.dumps(
            chat, indent=2, ensure_ascii=False
        ),
    }
    return "".join(f"=== {name}\n{text}\n\n" for name, text in parts.items())


@pytest.mark.parametrize("case", CASES)
def test_an_alert_about_a_group_reads_as_a_person_found_it_good(case: str) -> None:
    compared(f"group_alerts/{case}", shown(CASES[case]))


def test_every_golden_file_is_of_a_case() -> None:
    assert {path.stem for path in (GOLDEN / "group_alerts").iterdir()} == set(CASES)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "name", ["alice", "Überprüfung " * 40, "価格会議" * 60, "a\r\nBcc: you@example.com\x00", "[{^|" * 30]
)
def test_subject_and_sms_fit_with_any_name_of_a_group(case: str, name: str) -> None:
    """A subject is at most 100 printable ASCII characters, an SMS one segment of GSM characters."""
    alert = replace(CASES[case], group=replace(CASES[case].group, name=name))
    assert 0 < len(alert.subject) <= SUBJECT_LENGTH
    assert all(" " <= character <= "~" for character in alert.subject)
    assert len(alert.sms) <= SMS_LENGTH
    assert set(alert.sms) <= GSM
    assert "\nBcc" not in alert.text


def test_all_alerts_about_a_group_have_one_key_and_ids_of_their_own() -> None:
    """Each machine finds the key in the same member, and chat keeps the messages in one thread."""
    alerts = [CASES["account"], CASES["account_near_the_meeting"], CASES["account_reminder"]]
    contents = [json.loads(alert.machine) for alert in alerts]
    assert {content["group"]["dedup_key"] for content in contents} == {"account_disconnected/acc_567236000909002"}
    assert {json.loads(alert.chat)["metadata"]["threadId"] for alert in alerts} == {ACCOUNT.key}
    numbered = [
        replace(alerts[0], state=replace(alerts[0].state, last=replace(last(Severity.WARNING), count=n)))
        for n in range(3)
    ]
    assert len({json.loads(alert.machine)["id"] for alert in numbered}) == 3


def test_a_message_about_many_thousands_of_agents_fits() -> None:
    alert = data_center(5_000)
    assert len((alert.message + json.dumps(alert.attributes)).encode()) <= MAX_MESSAGE_BYTES
    content = json.loads(alert.machine)
    assert content["count"] == 5_000
    assert len(content["agents"]) == LISTED
    assert sum(map(len, content["omitted"].values())) == NAMED
    assert "And 4980 more" in alert.text


@pytest.mark.parametrize("link", JOIN_LINKS)
def test_no_alert_about_a_group_shows_a_join_link(link: str) -> None:
    agents = (waiting(0, IncidentType.NEVER_ACTIVATED, f"Join {link} now"),)
    assert link not in replace(data_center(1), agents=agents).message


def test_a_group_is_acknowledged_by_its_own_address() -> None:
    """Also if no agent waits at the moment; where no reminder is sent, nothing is to be acknowledged."""
    alert = CASES["account_near_the_meeting"]
    path = f"POST {LINKS.api}/v1/incidents/{alert.group.key}/acknowledgement"
    for agents in (alert.agents, ()):
        assert f'\nAcknowledge  {path} {{"note": "..."}}\n' in replace(alert, agents=agents).text
    assert "/acknowledgement" not in alert.text.replace(path, "")
    marty = replace(alert, group=replace(ACCOUNT, name="marty+1@example.com"))
    assert "/v1/incidents/account_disconnected/marty+1@example.com/acknowledgement" in marty.text
    assert "acknowledgement" not in CASES["account"].text
    assert "acknowledgement" not in CASES["data_center_resolved_and_silent"].text


def test_labels_are_those_of_the_agents_that_wait() -> None:
    """Of thousands the labels that most have, since one that each agent has alone would not fit."""
    agents = tuple(
        replace(agent, labels={"team": "sales", "order": f"{number:064d}"})
        for number, agent in enumerate(data_center(3000).agents)
    )
    alert = replace(data_center(3), agents=agents)
    labels = alert.attributes["labels"]
    assert len(labels) == MAX_LABELS
    assert "team:sales" in labels
    assert len((alert.message + json.dumps(alert.attributes)).encode()) <= MAX_MESSAGE_BYTES
    few = replace(alert, agents=agents[:1])
    assert few.attributes["labels"] == (f"order:{0:064d}", "team:sales")
    assert json.loads(few.machine)["agents"][0]["labels"] == {"team": "sales", "order": "0" * 64}
    assert f"\n  order: {'0' * 64}, team: sales\n" in few.text
    assert "labels" not in data_center(3).attributes
