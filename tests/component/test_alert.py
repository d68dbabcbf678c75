"""Alerts on the whole deployed system: their causes, their number, and the reader's next steps."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.announcement import to_message
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import AlertStatus, IncidentType
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until
from tests.sandbox.stand_in import Grant
from tests.unit.alerting.test_message import LINKS, START, History

ESCALATION = 4
ELSEWHERE = "ca"
SILENT_ELSEWHERE = [f"elsewhere_{number}" for number in range(6)]
LEAD = 60


@dataclass
class Alerted:
    """A running system, and what its people have been alerted."""

    stage: Stage
    agents: dict[str, str] = field(default_factory=dict)

    def ask(self, case: str, begins_in: float, lasts: float = 3600, **more: Any) -> None:
        start = datetime.now(UTC) + timedelta(seconds=begins_in)
        answer = self.stage.request(f"ev_{case}", case, start, start + timedelta(seconds=lasts), **more)
        self.agents[case] = answer.json()["agent"]["id"]

    def ask_as(self, account: str, case: str, begins_in: float, calendar: str = CALENDAR) -> None:
        """Ask for an agent in a meeting of an hour, in the name of an account."""
        start = datetime.now(UTC) + timedelta(seconds=begins_in)
        body = {
            "event_id": f"ev_{case}",
            "start": start.isoformat(),
            "end": (start + timedelta(hours=1)).isoformat(),
            "meeting_agent": {"profile_id": "cronofy"},
        }
        address = f"{self.stage.stack.api_url}/v1/calendars/{calendar}/events"
        answer = httpx.post(address, json=body, headers={"Cronofy-Account": account}, timeout=40, trust_env=False)
        assert answer.status_code in (202, 403), answer.text
        self.agents[case] = agent_id(HOME, calendar, f"ev_{case}")

    def ask_elsewhere(self, cases: Sequence[str], begins_in: float) -> None:
        """Ask for agents in meetings of an hour that begin at the same time, in another data center."""
        calendar = "cal_elsewhere"
        token = self.stage.cronofy.grant(ELSEWHERE, calendars=(calendar,)).access_token
        headers = {"Cronofy-Data-Center": ELSEWHERE, "Cronofy-Authorization": f"Bearer {token}"}
        start = datetime.now(UTC) + timedelta(seconds=begins_in)
        for case in cases:
            body = {
                "event_id": f"ev_{case}",
                "summary": case,
                "start": start.isoformat(),
                "end": (start + timedelta(hours=1)).isoformat(),
                "meeting_agent": {"profile_id": "cronofy"},
            }
            answer = self.stage.api.post(f"/v1/calendars/{calendar}/events", json=body, headers=headers)
            assert answer.status_code == 202, answer.text
            self.agents[case] = agent_id(ELSEWHERE, calendar, f"ev_{case}")

    def register(self, account: str, calendar: str) -> Grant:
        grant = self.stage.cronofy.grant(HOME, calendars=(calendar,))
        body = {"refresh_token": grant.refresh_token, "data_center": HOME}
        assert self.stage.api.put(f"/v1/accounts/{account}", json=body).is_success
        return grant

    def delete(self, case: str) -> httpx.Response:
        return self.stage.api.request("DELETE", f"/v1/calendars/{CALENDAR}/events", json={"event_id": f"ev_{case}"})

    def first(self, case: str) -> dict[str, Any]:
        """Return the detail of the first alert about the case's agent, its times parsed."""
        agents = (agent for message in self.stage.alerts.messages() for agent in message["agents"])
        found = next(agent for agent in agents if agent["agent_id"] == self.agents[case])
        meeting = {name: datetime.fromisoformat(found["meeting"][name]) for name in ("start", "end")}
        return {"at": datetime.fromisoformat(found["at"]), "meeting": meeting}

    def what(self, case: str) -> list[str]:
        """Return the detail of each alert about the case's agent."""
        messages = self.stage.alerts.messages()
        return [one["detail"] for each in messages for one in each["agents"] if one["agent_id"] == self.agents[case]]

    def hear(self, case: str, step: str, **how: Any) -> None:
        notification = self.stage.cronofy.report(step, (HOME, CALENDAR, f"ev_{case}"), **how)
        assert {delivery.status for delivery in notification.deliveries} == {200}

    def alerts(self, case: str) -> list[tuple[str, str, int]]:
        """Cause, severity and number of the reminder of each alert about the case's agent."""
        return [
            ("resolved" if message["status"] == "resolved" else agent["type"], message["severity"], message["reminder"])
            for message in self.stage.alerts.messages()
            for agent in message["agents"]
            if agent["agent_id"] == self.agents[case]
        ]

    def causes(self, case: str, count: int, within: float = 25) -> list[str]:
        """The causes in order, when there are so many first alerts."""

        def first() -> list[str] | None:
            causes = [cause for cause, _, reminder in self.alerts(case) if not reminder]
            return causes if len(causes) >= count else None

        return wait_until(first, within) or [cause for cause, _, _ in self.alerts(case)]

    def kinds(self, case: str) -> list[str]:
        return [entry["kind"] for entry in self.stage.read(self.agents[case])["timeline"]]


@pytest.fixture(scope="module")
def alerted() -> Iterator[Alerted]:
    """Open every type of incident at the same time."""
    parameters = {
        "EscalateAfter": str(ESCALATION),
        "ExpectedResources": "transcript,minutes",
        "ResourcesGracePeriod": "2",
        "ConferenceLeadTime": str(LEAD),
        "AlertPatience": "1",
        "EventTriggers": "off",  # a call before the start is a callback, too
    }
    with Stage(parameters=parameters) as stage:
        alerted = Alerted(stage)
        no_conference: dict[str, Any] = {"conferencing": {"profile_id": "none"}}
        for case in ("failed", "tried_again", "acknowledged", "conflicting", "mismatched", "resources", "unwanted"):
            alerted.ask(case, 3000, **no_conference)
        alerted.ask("silent", 0, **no_conference)
        alerted.ask("unfinished", -2, lasts=4, **no_conference)
        alerted.ask("no_conference", LEAD + 6)
        alerted.ask("conference_fails", 3000)
        for case in ("failed", "tried_again", "acknowledged"):
            alerted.hear(case, "fail")
        alerted.hear("unfinished", "activate")
        alerted.hear("conference_fails", "fail_conferencing")
        alerted.hear("resources", "complete")
        alerted.hear("conflicting", "complete")
        alerted.hear("conflicting", "fail")
        alerted.hear("mismatched", "activate", extra={"event": {"event_id": "somebody-elses"}})
        stage.cronofy.faults.add("DELETE", f"/v1/calendars/{CALENDAR}", status=403)
        assert alerted.delete("unwanted").status_code == 403
        errors = {"start": [{"key": "errors.invalid", "description": "is before the big bang"}]}
        stage.cronofy.faults.add("POST", f"/v1/calendars/{CALENDAR}", status=422, body={"errors": errors})
        later = datetime.now(UTC) + timedelta(days=900)
        answer = stage.request("ev_rejected", "rejected", later, later + timedelta(days=1))
        assert answer.status_code == 422
        alerted.agents["rejected"] = agent_id(HOME, CALENDAR, "ev_rejected")
        alerted.register("acc_2", "cal_down")
        stage.cronofy.faults.add("POST", "/v1/calendars/cal_down", status=503, times=None)
        alerted.ask_as("acc_2", "undelivered", 20 - 3600, "cal_down")
        stage.cronofy.revoke(alerted.register("acc_1", CALENDAR))
        for case in ("unauthorised", "unauthorised_too"):
            alerted.ask_as("acc_1", case, 86_400)
        stage.cronofy.revoke(alerted.register("acc_3", "cal_dead"))
        alerted.ask_as("acc_3", "never_authorised", 25 - 3600, "cal_dead")
        alerted.ask_elsewhere(SILENT_ELSEWHERE, 5)
        yield alerted


CRITICAL, WARNING = "critical", "warning"


@pytest.mark.parametrize(
    ("case", "alerts"),
    [
        ("failed", [(IncidentType.FAILED, CRITICAL)]),
        ("rejected", [(IncidentType.REJECTED, WARNING)]),
        ("undelivered", [(IncidentType.NOT_ARRANGED, CRITICAL)]),
        ("unwanted", [(IncidentType.UNWANTED, CRITICAL)]),
        ("silent", [(IncidentType.NEVER_ACTIVATED, CRITICAL)]),
        ("unfinished", [(IncidentType.NOT_FINISHED, WARNING)]),
        ("resources", [(IncidentType.RESOURCES_MISSING, WARNING)]),
        ("no_conference", [(IncidentType.NO_CONFERENCE, CRITICAL)]),
        ("conference_fails", [(IncidentType.NO_CONFERENCE, WARNING)]),
        ("mismatched", [(IncidentType.MISMATCHED, WARNING)]),
        ("conflicting", [(IncidentType.CONFLICTING, WARNING)]),
        ("unauthorised", [(IncidentType.ACCOUNT_DISCONNECTED, WARNING)]),
        ("never_authorised", [(IncidentType.ACCOUNT_DISCONNECTED, CRITICAL)]),
    ],
)
def test_each_incident_is_alerted_to_with_its_severity(
    alerted: Alerted, case: str, alerts: list[tuple[IncidentType, str]]
) -> None:
    """From the caller's request to the message on the alerts topic."""
    beside = {IncidentType.RESOURCES_MISSING} if case == "conflicting" else set()  # may be noticed first

    def first() -> list[tuple[str, str]]:
        found = [(type_, severity) for type_, severity, reminder in alerted.alerts(case) if not reminder]
        return [each for each in found if each[0] not in beside][: len(alerts)]

    assert wait_until(lambda: len(first()) == len(alerts), 60)
    assert first() == alerts
    assert wait_until(lambda: "alerted" in alerted.kinds(case))


def test_a_missing_conference_is_alerted_before_the_meeting_and_silence_after_its_start(alerted: Alerted) -> None:
    """The one while a person can still act; the other not before the agent had its time."""
    for case in ("no_conference", "conference_fails", "unwanted"):
        assert alerted.causes(case, 1)
        assert alerted.first(case)["at"] < alerted.first(case)["meeting"]["start"]
    for case, phase in (("silent", "start"), ("unfinished", "end")):
        assert alerted.causes(case, 1)
        assert alerted.first(case)["at"] > alerted.first(case)["meeting"][phase]


def test_an_alert_says_what_cronofy_found_wrong(alerted: Alerted) -> None:
    """Which field, and Cronofy's key for it; its sentence may quote the caller."""
    assert alerted.causes("rejected", 1) == [IncidentType.REJECTED]
    assert alerted.what("rejected")[0] == "Cronofy refused the request (422): start (errors.invalid)"
    assert alerted.causes("unwanted", 1) == [IncidentType.UNWANTED]
    assert alerted.what("unwanted")[0] == "Cronofy refused the cancellation (403)"
    assert alerted.causes("undelivered", 1) == [IncidentType.NOT_ARRANGED]
    assert alerted.what("undelivered")[0] == "Cronofy answered 503; the request is sent again"


def test_a_cancellation_that_succeeds_at_last_resolves_the_alert(alerted: Alerted) -> None:
    """The same deletion again, once Cronofy takes it."""
    assert alerted.causes("unwanted", 1) == [IncidentType.UNWANTED]
    assert alerted.delete("unwanted").status_code == 202
    assert alerted.causes("unwanted", 2) == [IncidentType.UNWANTED, AlertStatus.RESOLVED]


def test_a_disconnected_account_is_alerted_once_and_resolved_once(alerted: Alerted) -> None:
    """The second request finds the same dead grant, and no one needs another message about it."""

    def alerts() -> list[str]:
        key = f"{IncidentType.ACCOUNT_DISCONNECTED}/acc_1"
        messages = alerted.stage.alerts.messages()
        return [message["status"] for message in messages if message.get("group", {}).get("dedup_key") == key]

    cases = ("unauthorised", "unauthorised_too")
    assert wait_until(lambda: all("alerted" in alerted.kinds(case) for case in cases) or None, 40)
    assert wait_until(lambda: alerts() == [AlertStatus.FIRING] or None, 40)  # a message may come after its entry
    alerted.register("acc_1", CALENDAR)
    assert wait_until(lambda: alerts() == [AlertStatus.FIRING, AlertStatus.RESOLVED] or None, 40)
    time.sleep(3)
    assert alerts() == [AlertStatus.FIRING, AlertStatus.RESOLVED]


def test_a_data_center_without_callbacks_is_alerted_once_and_resolved_by_the_first(alerted: Alerted) -> None:
    """The embedded AWS hands over each announcement at once, so the first two may have alerts of their own."""

    def alerts() -> list[tuple[str, int]]:
        key = f"{IncidentType.CALLBACKS_MISSING}/{ELSEWHERE}"
        messages = [message for message in alerted.stage.alerts.messages() if not message["reminder"]]
        return [
            (message["status"], message["count"])
            for message in messages
            if message.get("group", {}).get("dedup_key") == key
        ]

    assert wait_until(lambda: all("alerted" in alerted.kinds(case) for case in SILENT_ELSEWHERE) or None, 60)
    [(status, count)] = wait_until(lambda: alerts() or None, 40) or []  # a message may come after its entry
    assert status == AlertStatus.FIRING
    assert 3 <= count <= len(SILENT_ELSEWHERE)
    key = (ELSEWHERE, "cal_elsewhere", f"ev_{SILENT_ELSEWHERE[0]}")
    alerted.stage.cronofy.report("activate", key)
    assert wait_until(lambda: len(alerts()) == 2 or None, 40)
    assert alerts()[1] == (AlertStatus.RESOLVED, len(SILENT_ELSEWHERE) - 1)
    silent = {alerted.agents[case] for case in SILENT_ELSEWHERE[1:]}

    def alone() -> set[str]:
        messages = [message for message in alerted.stage.alerts.messages() if "group" not in message]
        return {agent["agent_id"] for message in messages for agent in message["agents"]}

    assert wait_until(lambda: silent <= alone() or None, 40)


def test_an_agent_that_reports_late_resolves_its_alert(alerted: Alerted) -> None:
    """The alarm is taken back, and no reminder follows."""
    assert alerted.causes("silent", 1) == [IncidentType.NEVER_ACTIVATED]
    alerted.hear("silent", "activate")
    assert alerted.causes("silent", 2) == [IncidentType.NEVER_ACTIVATED, AlertStatus.RESOLVED]
    assert alerted.alerts("silent")[-1][:2] == ("resolved", "critical")


def test_a_new_attempt_that_succeeds_resolves_the_alert(alerted: Alerted) -> None:
    """Somebody sent the request again, and the agent came."""
    assert alerted.causes("tried_again", 1) == [IncidentType.FAILED]
    alerted.ask("tried_again", 3100, conferencing={"profile_id": "none"})
    alerted.hear("tried_again", "activate")
    assert alerted.causes("tried_again", 2) == [IncidentType.FAILED, AlertStatus.RESOLVED]


def test_a_critical_alert_that_is_not_acknowledged_is_sent_again_twice(alerted: Alerted) -> None:
    """Marked as a reminder each time, and never a third one."""
    wanted = [("failed", "critical", 0), ("failed", "critical", 1), ("failed", "critical", 2)]
    assert wait_until(lambda: alerted.alerts("failed") == wanted or None, 40), alerted.alerts("failed")
    time.sleep(ESCALATION + 3)
    assert alerted.alerts("failed") == wanted
    assert alerted.kinds("failed").count("alerted") == 3


def test_an_acknowledgement_stops_the_reminders_and_stands_in_the_timeline(alerted: Alerted) -> None:
    """The same note sent twice is one entry; a stranger's agent, and an empty note, are refused."""
    path = f"/v1/meeting_agents/{alerted.agents['acknowledged']}/acknowledgement"
    known = len(alerted.alerts("acknowledged"))
    assert alerted.stage.api.post(path, json={"note": " "}).status_code == 422
    assert (
        alerted.stage.api.post("/v1/meeting_agents/ma_unknown/acknowledgement", json={"note": "x"}).status_code == 404
    )
    answer, again = (alerted.stage.api.post(path, json={"note": "Kim dials in and takes notes"}) for _ in range(2))
    assert (answer.status_code, again.status_code) == (200, 200)
    assert answer.json()["incidents"][0]["acknowledged_at"]
    notes = [entry["reason"]["text"] for entry in again.json()["timeline"] if entry["kind"] == "acknowledged"]
    assert [note.startswith("Kim dials in and takes notes") for note in notes] == [True]
    time.sleep(2 * ESCALATION)
    assert len(alerted.alerts("acknowledged")) <= max(1, known)


def test_a_warning_is_never_sent_again(alerted: Alerted) -> None:
    """A reminder of a missing transcript would teach people to look away."""
    for case in ("unfinished", "resources", "conference_fails", "mismatched"):
        assert [reminder for _, _, reminder in alerted.alerts(case)] == [0], case


def batch(histories: list[History]) -> bytes:
    """Return the event that Lambda makes of messages from the queue."""
    records = [record(f"message-{n}", to_message(history.announced()).text) for n, history in enumerate(histories)]
    return json.dumps({"Records": records}).encode()


def record(message_id: str, body: str, tries: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": f"handle of {message_id}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(tries)},
        "eventSource": "aws:sqs",
    }


def invoke(alerted: Alerted, payload: bytes) -> dict[str, Any]:
    functions = alerted.stage.stack.session.client("lambda")
    answer = functions.invoke(FunctionName=alerted.stage.stack.functions["alert"], Payload=payload)
    content: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, content
    return content


def test_an_announcement_that_cannot_be_read_stays_in_the_queue_alone(alerted: Alerted) -> None:
    """An agent that owes nothing any more is done."""
    event = json.loads(batch([History("readable-1").ask(), History("readable-2").ask()]))
    event["Records"].insert(1, record("broken", '{"specversion": "1.0"}'))
    assert invoke(alerted, json.dumps(event).encode()) == {"batchItemFailures": [{"itemIdentifier": "broken"}]}


def test_a_subscriber_filters_on_status_severity_type_data_center_and_account(alerted: Alerted) -> None:
    """A queue that filters on one account's failures gets a message in which they are, and no other."""
    session = alerted.stage.stack.session
    policy = {"status": ["firing"], "severity": ["critical"], "type": ["failed"], "account": ["acc_wanted"]}
    url = alerted.stage.stack.listen("AlertsTopic", "one-account", policy | {"data_center": ["de"]})
    topic = AlertsTopic(session.client("sns"), alerted.stage.stack.outputs["AlertsTopicArn"])

    def alerts(name: str, account: str) -> list[AgentAlert]:
        return History(name, account=account).ask().accepted().hear("meeting_agent_failed", START).alerts()

    together = [*alerts("filtered-1", "acc_wanted"), *alerts("filtered-2", "acc_other")]
    for agents in (together, alerts("filtered-3", "acc_other")):
        for alert in group_alerts(agents, LINKS):
            topic.publish(alert.subject, alert.message, alert.attributes)
    received = receive(session.client("sqs"), url)
    named = [{agent["agent_id"] for agent in message["agents"]} for message in received]
    assert named == [{agent.agent_id for agent in together}]


def receive(sqs: Any, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def take() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bool(found)

    wait_until(take)
    take()
    return found


def test_an_e_mail_is_what_the_golden_files_show(alerted: Alerted) -> None:
    """Subject and text reach a subscriber by e-mail as they were composed; which agents share one is left to chance."""

    def find() -> tuple[dict[str, str], str] | None:
        for mail in alerted.stage.emails():
            if alone := re.match(r'\[(?!resolved)\w+\] [\w-]+: Meeting agent [^"]+: "(\w+)", ', mail["subject"]):
                return mail, alone[1]
        return None

    found = wait_until(find, 20)
    assert found is not None
    mail, case = found
    stack = alerted.stage.stack.name
    composed = {
        f'[{severity}] {stack}: Meeting agent {WORDINGS[IncidentType(cause)].one}: "{case}"'
        for cause, severity, _ in alerted.alerts(case)
        if cause != "resolved"
    }
    assert mail["subject"].startswith(tuple(composed))
    assert alerted.agents[case] in mail["text"]
    assert "Next steps" in mail["text"]
