"""Marked values go through every path, and everything that was written anywhere is searched for them.

| what | may be in | never in |
|---|---|---|
| access tokens, client secrets | Secrets Manager | table, topics, logs, metrics, answers |
| what a caller wrote into the calendar event (description, attendees, join link) | table | topics, logs, metrics |
| what Cronofy reported (join link, resources) | table, lifecycle topic | logs, metrics; in alerts no join link |
"""

import json
from dataclasses import dataclass

import pytest

from tests.runtime.stories import EVENTS, MARKS, STORIES, Scene, notification, runs_errands

ASKED = ("attendee", "person", "join link asked for")
"""Only in what the caller sent."""
REPORTED = ("join link reported", "resource")
"""Only in what Cronofy sent."""


@dataclass
class Written:
    """All that was written while everything was told, as text."""

    table: str
    lifecycle: str
    alerts: str
    printed: str
    answers: str


@pytest.fixture(scope="module")
def written(scene: Scene) -> Written:
    """Every story told, and after them whatever may be refused."""
    parts: dict[str, list[str]] = {"table": [], "lifecycle": [], "alerts": [], "answers": []}
    for story in (*STORIES.values(), runs_errands):
        scene.platform.forget()
        story(scene)
        if story is runs_errands:
            _refusals(scene)
            scene.platform.settle()
        parts["table"] += [repr(scene.platform.items(table)) for table in scene.platform.tables]
        parts["lifecycle"].append(json.dumps(scene.platform.announcements()))
        parts["alerts"] += scene.platform.alerts()
        parts["answers"] += [json.dumps(run.answer) + run.error for run in scene.platform.invocations]
    text = {name: "\n".join(told) for name, told in parts.items()}
    return Written(**text, printed=scene.platform.said())


def _refusals(scene: Scene) -> None:
    """Requests that end in an error: an error is where a value is quoted."""
    path, token = EVENTS, scene.own_token
    event = scene.event("refused")
    wrong = event | {
        "tzid": MARKS["person"],
        "start": MARKS["attendee"],
        "subscriptions": [MARKS["join link asked for"]],
    }
    scene.platform.request("POST", path, wrong, token)
    scene.platform.request("POST", path, json.dumps(event)[:-3], token)
    scene.platform.request("POST", path, event, {"authorization": scene.token})
    for status in (401, 422):
        answer = {"errors": {"event_id": [{"key": "errors.invalid", "description": MARKS["description"]}]}}
        scene.cronofy.faults.add("POST", "/v1/calendars", status=status, body=answer)
        scene.platform.request("POST", path, scene.event(f"refused-{status}"), token)
    forged = {"cronofy-hmac-sha256": scene.token}
    scene.platform.request("POST", "/webhooks/cronofy/ma_forged", notification("x", "meeting_agent_failed"), forged)
    scene.platform.request("GET", "/v1/meeting_agents/ma_unknown", None, token)


def test_no_credential_is_written_anywhere(scene: Scene, written: Written) -> None:
    """Not in the table, in no message, log line, metric or answer, errors included."""
    for place, text in vars(written).items():
        for name, value in scene.secrets.items():
            assert value not in text, f"the {name} is in the {place}"


@pytest.mark.parametrize("mark", MARKS)
def test_no_meeting_is_described_in_logs_or_metrics(written: Written, mark: str) -> None:
    """A log is read by more people than a calendar is."""
    assert MARKS[mark] not in written.printed


@pytest.mark.parametrize("mark", ASKED)
def test_what_a_caller_wrote_is_told_to_no_subscriber(written: Written, mark: str) -> None:
    """Announcements say what became of an agent, not what is in the calendar."""
    assert MARKS[mark] not in written.lifecycle
    assert MARKS[mark] not in written.alerts


@pytest.mark.parametrize("mark", ["description", "join link reported"])
def test_no_alert_lets_its_reader_into_the_meeting(written: Written, mark: str) -> None:
    """Alerts go to people's mailboxes and chats."""
    assert MARKS[mark] not in written.alerts


def test_the_marks_did_go_through(written: Written) -> None:
    """Else the searches above would find nothing because there was nothing."""
    for mark in ASKED:
        assert MARKS[mark] in written.table
    for mark in REPORTED:
        assert MARKS[mark] in written.lifecycle
    assert written.alerts
    assert '"_aws"' in written.printed
    assert '"level":"WARNING"' in written.printed
