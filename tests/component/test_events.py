"""The Lambda events under `events/`, each given to its deployed function as Lambda would."""

import json
import re
from typing import Any

import pytest

from meeting_agents.cronofy.payloads import INTERACTIONS
from tests.sandbox.deployment import ROOT
from tests.sandbox.stage import CALENDAR, Stage, wait_until

EVENTS = ROOT / "events"
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))


def given(stage: Stage, function: str, case: str) -> Any:
    """The response of a function to one of its events, with the caller's token inserted."""
    text = (EVENTS / function / f"{case}.json").read_text(encoding="utf-8")
    payload = text.replace("ACCESS_TOKEN", stage.grant.access_token).encode()
    client = stage.stack.session.client("lambda")
    answer = client.invoke(FunctionName=stage.stack.functions[function], Payload=payload)
    result = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, result
    return result


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_an_event_to_be_tried_with(function: str) -> None:
    """`sam local invoke` has an event for every function."""
    assert list((EVENTS / function).glob("*.json"))


def test_the_example_of_cronofys_page_works_unchanged(stage: Stage) -> None:
    """Only its date is later: Cronofy creates no conference for a meeting that has begun."""
    answer = given(stage, "provision", "upsert_calendar_event")
    agent = json.loads(answer["body"])["agent"]
    assert (answer["statusCode"], agent["state"]) == (202, "scheduled")
    example = json.loads(json.loads((EVENTS / "provision" / "upsert_calendar_event.json").read_text())["body"])
    sent = stage.cronofy.meeting(("us", CALENDAR, example["event_id"])).request
    assert {name: value for name, value in sent.items() if name != "subscriptions"} == {
        name: value for name, value in example.items() if name != "subscriptions"
    }
    theirs, ours, *triggers = sent["subscriptions"]
    assert [theirs] == example["subscriptions"]
    assert [trigger["uri"].rpartition("?")[2] for trigger in triggers] == ["trigger=before", "trigger=after"]
    assert ours["uri"].endswith(f"/webhooks/cronofy/{agent['id']}")
    assert {interaction["type"] for interaction in ours["interactions"]} == set(INTERACTIONS)
    read = json.loads(given(stage, "provision", "read_agent")["body"])
    assert [entry["kind"] for entry in read["timeline"]] == ["requested", "accepted"]
    listed = json.loads(given(stage, "provision", "list_agents")["body"])
    assert agent["id"] in re.findall(r"ma_[a-z2-7]{26}", json.dumps(listed))
    cancelled = json.loads(given(stage, "provision", "deprovision")["body"])["agent"]
    assert (cancelled["id"], cancelled["state"]) == (agent["id"], "cancelled")
    assert given(stage, "provision", "delete_calendar_event")["statusCode"] == 202


def test_what_is_wrong_is_listed_acknowledged_and_sent_again(stage: Stage) -> None:
    """Cronofy refuses the example of its page; its token is the caller's own, so only the caller can send it again."""
    wrong = {"errors": {"summary": [{"key": "errors.invalid", "description": "invalid"}]}}
    stage.cronofy.faults.add("POST", f"/v1/calendars/{CALENDAR}/events", status=422, body=wrong)
    refused = given(stage, "provision", "upsert_calendar_event")
    agent = json.loads(refused["body"])["agent"]
    assert (refused["statusCode"], agent["state"]) == (422, "rejected")

    def listed() -> list[str]:
        rows = json.loads(given(stage, "provision", "list_incidents")["body"])["incidents"]
        return [row["type"] for row in rows if row["agent"]["id"] == agent["id"]]

    assert wait_until(lambda: listed() == ["rejected"] or None)
    noted = json.loads(given(stage, "provision", "acknowledge_agent")["body"])
    assert noted["incidents"][0]["acknowledged_at"]
    again = given(stage, "provision", "retry_agent")
    assert (again["statusCode"], json.loads(again["body"])["code"]) == (409, "retry_left_to_caller")
    group = given(stage, "provision", "acknowledge_group")
    assert (group["statusCode"], json.loads(group["body"])["code"]) == (404, "not_found")
    assert json.loads(given(stage, "provision", "list_accounts")["body"])["next_cursor"] is None
    assert "silences" in json.loads(given(stage, "provision", "list_silences")["body"])
    assert given(stage, "provision", "upsert_calendar_event")["statusCode"] == 202
    assert given(stage, "provision", "delete_calendar_event")["statusCode"] == 202


def test_an_announcement_of_a_failure_is_published_as_an_alert(stage: Stage) -> None:
    """No message of the queue's event has to be redelivered."""
    assert given(stage, "alert", "failed") == {"batchItemFailures": []}


def test_an_alert_is_forwarded_to_the_channels(stage: Stage) -> None:
    """There is none here, so nothing is owed, and a test says which there are."""
    assert given(stage, "forward", "alerted") == {"batchItemFailures": []}
    assert given(stage, "forward", "test")["problem"] == "there is no channel of this name; known are: none"


def test_a_scheduled_function_returns_its_counts(stage: Stage) -> None:
    """Sweep and digest return counts, for a person who invokes them."""
    assert {"overdue", "retried"} <= set(given(stage, "sweep", "schedule"))
    assert {"day", "agents", "published"} <= set(given(stage, "digest", "schedule"))
    given(stage, "probe", "schedule")


def test_the_dashboard_gets_a_page_and_a_description(stage: Stage) -> None:
    """HTML to show, Markdown to describe."""
    assert given(stage, "widget", "show").lstrip().startswith("<")
    assert "## Overview of the meeting agents" in given(stage, "widget", "describe")
    assert "Not done" in given(stage, "button", "acknowledge")  # there is no such agent


def test_the_data_of_an_agent_is_erased(stage: Stage) -> None:
    """That of the example, which no test needs after this one."""
    given(stage, "provision", "delete_calendar_event")
    erased = given(stage, "provision", "erase_agent")
    content = json.loads(erased["body"])
    assert (erased["statusCode"], content["by"]) == (200, "arn:aws:iam::111122223333:user/calendar-service")
    assert given(stage, "provision", "read_agent")["statusCode"] == 404
