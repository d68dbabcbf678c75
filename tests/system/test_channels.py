"""Channels on the deployed system: from the first word about an incident to the last, in each kind of channel."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents.domain.identity import agent_id
from tests.sandbox.receivers import Receivers
from tests.sandbox.receivers.pagers import Pager
from tests.sandbox.receivers.receiver import SECRETS
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until

ESCALATION = 6
PATIENT = 90.0
"""Seconds to wait at most for what a channel takes after pauses."""
WITHOUT_ACKNOWLEDGEMENT = ("irm", "io", "rootly")
GONE = "https://hooks.slack.com/services/T000/B000/revoked"
NEW = {"type": ["failed"]}
"""Wanted by the channels of the stories about failing channels, so that they are not in each other's way."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stack of its own with every channel, and reminders after seconds."""
    with Stage(parameters={"EscalateAfter": str(ESCALATION)}) as stage:
        silent: dict[str, Any] = {"type": ["never_activated", "channel_failing"]}
        channels = [channel | silent for channel in stage.receivers.stored.values()]
        channels.append({"name": "gone", "kind": "slack", "url": GONE} | NEW)
        channels.append({"name": "second", "kind": "pagerduty", "routing_key": stage.receivers.pagerduty.key} | NEW)
        stage.receivers.store(stage.stack, more=channels)
        yield stage


@pytest.fixture
def receivers(stage: Stage) -> Receivers:
    return stage.receivers


def _secret(stage: Stage) -> str:
    client = stage.stack.session.client("secretsmanager")
    return client.get_secret_value(SecretId=stage.stack.outputs["ChannelsSecretArn"])["SecretString"]


def request(stage: Stage, name: str, begun: float = 0.0) -> str:
    """Request an agent for a meeting of an hour that began so many seconds ago; its id."""
    start = datetime.now(UTC) - timedelta(seconds=begun)
    assert stage.request(f"ev_{name}", name, start, start + timedelta(hours=1)).is_success
    return agent_id(HOME, CALENDAR, f"ev_{name}")


def fail(stage: Stage, name: str) -> str:
    agent = request(stage, name, begun=300)
    stage.cronofy.fail((HOME, CALENDAR, f"ev_{name}"))
    return agent


def delivered(stage: Stage, agent: str) -> dict[str, list[str]]:
    """The actions that each channel took, by the agent's timeline."""
    found: dict[str, list[str]] = {}
    for entry in stage.read(agent).get("timeline", []):
        if entry["kind"] == "delivered":
            values = entry["reason"]["values"]
            found.setdefault(values["channel"], []).append(values["action"])
    return found


def expect(stage: Stage, agent: str, expected: Callable[[dict[str, list[str]]], bool]) -> None:
    assert wait_until(lambda: expected(delivered(stage, agent)), PATIENT), delivered(stage, agent)


# ---------------------------------------------------------------------------------------- one incident in every channel


@pytest.fixture(scope="module")
def weekly(stage: Stage) -> str:
    """The key of an incident that went through every channel: trigger, reminder, acknowledgement, resolve."""
    agent = request(stage, "weekly")
    names = stage.receivers.stored.keys()
    expect(stage, agent, lambda taken: all(taken.get(name, []).count("trigger") >= 2 for name in names))
    path = f"/v1/meeting_agents/{agent}/acknowledgement"
    assert stage.api.post(path, json={"note": "I call <the> host & others"}).is_success
    able = names - WITHOUT_ACKNOWLEDGEMENT
    expect(stage, agent, lambda taken: all("acknowledge" in taken.get(name, []) for name in able))
    stage.cronofy.activate((HOME, CALENDAR, "ev_weekly"))
    expect(stage, agent, lambda taken: all(taken.get(name, [""])[-1] == "resolve" for name in names))
    return f"{agent}/1/never_activated"


def test_a_timeline_has_what_each_channel_took(stage: Stage, weekly: str) -> None:
    """Each once, in order; and in words."""
    agent, _, _ = weekly.partition("/")
    for name, actions in delivered(stage, agent).items():
        news = [action for action in actions if action != "trigger"]
        assert news == ["resolve"] if name in WITHOUT_ACKNOWLEDGEMENT else ["acknowledge", "resolve"]
    texts = [entry["reason"]["text"] for entry in stage.read(agent)["timeline"] if entry["kind"] == "delivered"]
    assert "channel pager took it: never_activated trigger" in texts


@pytest.mark.parametrize(
    "name", ["pagerduty", "jira", "grafana", "incident_io", "rootly", "signed"], ids=lambda name: name
)
def test_a_pager_has_one_alert_from_trigger_to_resolve(receivers: Receivers, weekly: str, name: str) -> None:
    """It pages once, and what was opened is closed by the same key."""
    pager: Pager = getattr(receivers, name)

    assert pager.alerts[weekly].status == "resolved"
    assert len(pager.alerts[weekly].messages) >= 3
    assert sum(alert.status == "resolved" for key, alert in pager.alerts.items() if key == weekly) == 1
    assert not [status for status, _ in pager.requests if status >= 300]
    assert pager.opened == len(pager.alerts)


def test_slack_gets_a_message_for_each_change_by_a_webhook(receivers: Receivers, weekly: str) -> None:
    """Nothing can be found again there, so each says what it is."""
    titles = [message["blocks"][0]["text"]["text"] for message in receivers.slack.messages]
    of_meeting = [title for title in titles if '"weekly"' in title]
    assert of_meeting[0].startswith("Meeting agent never became active")
    assert of_meeting[1].startswith("Reminder 1: ")
    assert [title.partition(":")[0] for title in of_meeting[-2:]] == ["Acknowledged", "Over"]


def test_slack_has_one_message_with_a_thread_by_a_bot(receivers: Receivers, weekly: str) -> None:
    """Reminders answer in the thread; the message itself ends with the last word."""
    of_meeting = [each for each in receivers.slack_bot.messages.values() if '"weekly"' in each.content["text"]]
    [message] = of_meeting
    assert message.content["text"].startswith("Over: ")
    assert message.thread
    assert all(reply["text"].startswith("Reminder ") for reply in message.thread)
    assert message.updates == 2


def test_teams_gets_a_card_for_each_change(receivers: Receivers, weekly: str) -> None:
    """The last one is green."""
    cards = [card for card in receivers.teams.cards if '"weekly"' in card["body"][0]["text"]]
    assert [card["body"][0]["color"] for card in cards[:1]] == ["Attention"]
    assert [card["body"][0]["color"] for card in cards[-2:]] == ["Good", "Good"]
    assert cards[-1]["body"][0]["text"].startswith("Over: ")


def test_no_channel_gets_a_secret(receivers: Receivers, weekly: str) -> None:
    for receiver in receivers.all:
        assert receiver.requests
        for _, sent in receiver.requests:
            assert not SECRETS.search(sent.body.decode()), sent.body


# ----------------------------------------------------------------------------------------------------- failing channels


def test_a_channel_that_is_back_gets_what_stands_and_nothing_of_what_is_over(
    stage: Stage, receivers: Receivers
) -> None:
    """`429` with `Retry-After`, then `503`, then it is back."""
    receivers.pagerduty.refuse(429, {"status": "throttled"}, retry_after=2)
    receivers.pagerduty.go_down(503)
    lasting, passing = fail(stage, "lasting"), request(stage, "passing")
    assert wait_until(lambda: 503 in {status for status, _ in receivers.pagerduty.requests}, PATIENT)
    expect(stage, passing, lambda taken: "trigger" in taken.get("desk", []))
    stage.cronofy.activate((HOME, CALENDAR, "ev_passing"))
    expect(stage, passing, lambda taken: taken.get("desk", [""])[-1] == "resolve")
    receivers.pagerduty.come_back()

    expect(stage, lasting, lambda taken: taken.get("second") == ["trigger"])
    assert receivers.pagerduty.alerts[f"{lasting}/1/failed"].status == "triggered"
    assert f"{passing}/1/never_activated" not in receivers.pagerduty.alerts
    assert "pager" not in delivered(stage, passing)


def refused(receivers: Receivers) -> int:
    return len([status for status, _ in receivers.slack.requests if status == 404])


def test_a_revoked_address_is_an_incident_in_the_other_channels(stage: Stage, receivers: Receivers) -> None:
    """It is over as soon as a test of the corrected channel succeeds."""
    fail(stage, "revoked")
    key = "channel_failing/gone"
    assert wait_until(lambda: key in receivers.pagerduty.alerts, PATIENT), receivers.slack.requests
    assert "no_service" in receivers.pagerduty.alerts[key].messages[0]["payload"]["custom_details"]["detail"]
    assert any("Channel gone takes no alerts" in mail["subject"] for mail in stage.emails())
    tries = refused(receivers)
    expect(stage, fail(stage, "afterwards"), lambda taken: "trigger" in taken.get("second", []))
    assert tries == refused(receivers), "it was left alone"

    stored = [
        each | ({"url": receivers.slack.address} if each["name"] == "gone" else {})
        for each in json.loads(_secret(stage))
    ]
    receivers.store(stage.stack, more=stored)
    answer = stage.stack.session.client("lambda").invoke(
        FunctionName=stage.stack.functions["forward"], Payload=json.dumps({"test": "gone"})
    )
    tested = json.loads(answer["Payload"].read())

    assert [each["outcome"] for each in tested["answers"]] == ["taken"] * 3
    assert wait_until(lambda: receivers.pagerduty.alerts[key].status == "resolved", PATIENT)
